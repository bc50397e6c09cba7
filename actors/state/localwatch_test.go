package state

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

func TestWatchLocalWorkload(t *testing.T) {
	onStage(t, kit.Config{Faults: crash{}}, func(s *stage) {
		info := messages.WorkloadInfo{Name: "a", Namespace: "ns", ServiceAccount: "sa"}
		workload := func(name, revision string) *messages.UpdateWorkloads {
			return &messages.UpdateWorkloads{Set: []messages.WorkloadUpdate{{Workload: &messages.Workload{
				UID: name, Name: name, Namespace: "ns", ServiceAccount: "sa", CanonicalRevision: revision,
			}}}}
		}
		store := s.spawn(WorkloadStore(Config{}), RoleWorkloads)
		s.ask(store, &messages.WatchLocalWorkload{Info: info})
		s.quiet() // it is not there
		s.system.Send(store, workload("b", ""))
		s.quiet() // not ours
		s.system.Send(store, workload("a", "v1"))
		told := hears[*messages.LocalWorkloadChanged](s)
		if told.Workload.CanonicalRevision != "v1" || told.Version != 2 {
			t.Errorf("told %+v", told)
		}
		s.ask(store, &messages.WatchLocalWorkload{Info: info, Seen: told.Version})
		s.system.Send(store, workload("b", "v2"))
		s.quiet() // nothing that it has not heard of
		s.ask(store, &messages.WatchLocalWorkload{Info: info})
		if told := hears[*messages.LocalWorkloadChanged](s); told.Workload.CanonicalRevision != "v1" {
			t.Errorf("who subscribes again hears what it missed, but was told %+v", told)
		}

		s.system.Send(store, &breakDown{})
		s.quiet()
		again := workload("a", "v3")
		again.Reset = true
		s.system.Send(store, again)
		if told := hears[*messages.LocalWorkloadChanged](s); told.Workload.CanonicalRevision != "v3" {
			t.Errorf("subscriptions outlive a crash, but told %+v", told)
		}

		s.ask(store, &messages.UnwatchLocalWorkload{})
		s.system.Send(store, workload("a", "v4"))
		s.quiet()
	})
}

func TestLocalWatchersAreForgottenAndBounded(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		counters := new(Counters)
		var all localWatchers
		spec := WorkloadStore(Config{Counters: counters})
		made := spec.New
		spec.New = func() actor.Actor {
			w := made().(*workloads)
			all = w.locals
			return w
		}
		store := s.spawn(spec, RoleWorkloads)
		var pids []*actor.PID
		for i := range maxWatchers + 1 {
			p := s.spawn(kit.Spec{
				Role: "watcher", New: func() actor.Actor { return &probe{s.heard} }, Capacity: 4, Run: kit.CallerRuns(),
			}, fmt.Sprintf("watcher%d", i))
			s.system.Send(p, &put{store, &messages.WatchLocalWorkload{}})
			pids = append(pids, p)
		}
		synctest.Wait()
		if len(all) != maxWatchers || counters.WatchersRefused.Load() != 1 {
			t.Errorf("%d watchers, %d refused", len(all), counters.WatchersRefused.Load())
		}
		for _, p := range pids {
			s.system.Stop(p)
		}
		synctest.Wait()
		if len(all) != 0 {
			t.Errorf("%d watchers outlive their actors", len(all))
		}
	})
}
