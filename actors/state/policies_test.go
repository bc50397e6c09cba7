package state

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

func TestWatchPolicies(t *testing.T) {
	onStage(t, kit.Config{Faults: crash{}}, func(s *stage) {
		store := s.spawn(PolicyStore(Config{}), RolePolicies)
		s.ask(store, &messages.WatchPolicies{})
		s.ask(store, &messages.WatchPolicies{}) // twice is once
		s.system.Send(store, updatePolicies(false, true, "ns/a"))
		s.quiet() // in the middle of a delivery
		s.system.Send(store, updatePolicies(false, false, "ns/b"))
		if c := hears[*messages.PoliciesChanged](s); c.Version != 2 {
			t.Errorf("told %+v", c)
		}
		s.system.Send(store, updatePolicies(false, true, "ns/c"))
		s.quiet() // in the middle of another

		s.system.Send(store, &breakDown{})
		s.system.Send(store, updatePolicies(false, false, "ns/b"))
		s.quiet() // not all is there yet
		s.system.Send(store, updatePolicies(true, false, "ns/a", "ns/b"))
		if c := hears[*messages.PoliciesChanged](s); c.Version != 5 {
			t.Errorf("subscriptions outlive a crash, but told %+v", c)
		}

		s.ask(store, &messages.UnwatchPolicies{})
		s.system.Send(store, updatePolicies(false, false, "ns/c"))
		s.quiet()
	})
}

func TestWatchersAreForgottenAndBounded(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		counters := new(Counters)
		var all watchers
		spec := PolicyStore(Config{Counters: counters})
		made := spec.New
		spec.New = func() actor.Actor {
			p := made().(*policies)
			all = p.watchers
			return p
		}
		store := s.spawn(spec, RolePolicies)
		var pids []*actor.PID
		for i := range maxWatchers + 1 {
			p := s.spawn(kit.Spec{
				Role: "watcher", New: func() actor.Actor { return &probe{s.heard} }, Capacity: 4, Run: kit.CallerRuns(),
			}, fmt.Sprintf("watcher%d", i))
			s.system.Send(p, &put{store, &messages.WatchPolicies{}})
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
