package state

import (
	"maps"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

// hostKeepers are who keeps answers to FindHost, by the names of their PIDs. They outlive the store's incarnations.
type hostKeepers map[string]*hostKeeper

type hostKeeper struct {
	pid *actor.PID
	// owed says that it must hear of the next change.
	owed bool
}

// findHost answers, and notes that the asker will keep the answer, where it may.
func (s *services) findHost(ctx actor.Context, q *messages.FindHost) {
	if s.lost {
		s.hold(ctx, &q.Question, func() any { return s.table.FindHost(q) })
		return
	}
	a := s.table.FindHost(q)
	a.Kept = q.Keep && (a.Service == nil || len(a.Service.VIPs) > 0) && s.keepsHosts(ctx)
	ctx.Respond(a)
}

func (s *services) keepsHosts(ctx actor.Context) bool {
	who := ctx.Sender()
	if who == nil {
		return false
	}
	k := s.keepers[who.Id]
	if k == nil {
		if len(s.keepers) >= maxWatchers {
			s.counters.WatchersRefused.Add(1)
			return false
		}
		k = &hostKeeper{pid: who}
		s.keepers[who.Id] = k
		ctx.Watch(who)
	}
	k.owed = true
	return true
}

// hostsChanged tells those who keep answers that these may not hold any more.
func (s *services) hostsChanged(ctx actor.Context) {
	for _, name := range slices.Sorted(maps.Keys(s.keepers)) {
		if k := s.keepers[name]; k.owed {
			k.owed = false
			ctx.Send(k.pid, &messages.HostsChanged{Version: s.table.Version()})
		}
	}
}
