package state

import (
	"maps"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

// localWatchers are who wants to hear of the workloads of this node's pods, by PID: one for each pod that is served. They
// outlive the store's incarnations.
type localWatchers map[string]*localWatcher

type localWatcher struct {
	pid  *actor.PID
	info messages.WorkloadInfo
	told *messages.Workload
}

// watchLocal subscribes the sender until it says otherwise or ends, and tells it what it has missed.
func (s *workloads) watchLocal(ctx actor.Context, m *messages.WatchLocalWorkload) {
	who := ctx.Sender()
	if who == nil {
		return
	}
	w := s.locals[who.String()]
	switch {
	case w != nil:
		w.info = m.Info
	case len(s.locals) >= maxWatchers: // it hears of changes when it subscribes again
		s.counters.WatchersRefused.Add(1)
		w = &localWatcher{pid: who, info: m.Info}
	default:
		w = &localWatcher{pid: who, info: m.Info}
		s.locals[who.String()] = w
		ctx.Watch(who)
	}
	if m.Seen < s.table.Version() {
		w.told = nil
		s.tellLocal(ctx, w)
	}
}

func (s *workloads) unwatchLocal(ctx actor.Context, who *actor.PID) {
	if who == nil {
		return
	}
	delete(s.locals, who.String())
	ctx.Unwatch(who)
}

// tellLocals tells those whose workload is another one than they were told.
func (s *workloads) tellLocals(ctx actor.Context) {
	for _, name := range slices.Sorted(maps.Keys(s.locals)) {
		s.tellLocal(ctx, s.locals[name])
	}
}

func (s *workloads) tellLocal(ctx actor.Context, w *localWatcher) {
	if s.lost {
		return
	}
	if now := s.table.Local(w.info); now != nil && now != w.told {
		w.told = now
		ctx.Send(w.pid, &messages.LocalWorkloadChanged{Version: s.table.Version(), Workload: now})
	}
}
