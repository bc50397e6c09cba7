package state

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// findCart is a question whose answer the asker wants to keep.
func findCart(name string) *messages.FindHost {
	return &messages.FindHost{Keep: true, HostQuestion: messages.HostQuestion{Name: name, Namespace: "ns", Domain: "cluster.local"}}
}

func updateOf(name string, vips ...string) *messages.UpdateServices {
	s := &messages.Service{Name: name, Namespace: "ns", Hostname: name + ".ns.svc.cluster.local"}
	for _, vip := range vips {
		s.VIPs = append(s.VIPs, messages.NetworkAddress{Addr: netip.MustParseAddr(vip)})
	}
	return &messages.UpdateServices{Set: []messages.ServiceUpdate{{Service: s}}}
}

func TestAnswersAreKeptUntilServicesChange(t *testing.T) {
	onStage(t, kit.Config{Faults: crash{}}, func(s *stage) {
		store := s.spawn(ServiceStore(Config{}), RoleServices)
		s.ask(store, findCart("cart"))
		s.quiet() // it is held until the services are there
		s.system.Send(store, updateOf("cart", "10.0.0.1"))
		if a := hears[*messages.HostFound](s); a.Kept || a.Service == nil {
			t.Errorf("an answer that was held can't be kept: %+v", a)
		}
		s.system.Send(store, updateOf("headless"))
		s.quiet() // nobody keeps anything

		for _, name := range []string{"cart", "nobody"} {
			s.ask(store, findCart(name))
			if a := hears[*messages.HostFound](s); !a.Kept {
				t.Errorf("%s: %+v", name, a)
			}
		}
		s.ask(store, findCart("headless"))
		if a := hears[*messages.HostFound](s); a.Kept || a.Service == nil {
			t.Errorf("endpoints come and go: %+v", a)
		}
		s.system.Send(store, &messages.UpdateEndpoints{})
		s.quiet()
		s.system.Send(store, updateOf("cart", "10.0.0.2"))
		if m := hears[*messages.HostsChanged](s); m.Version != 4 {
			t.Errorf("told %+v", m)
		}
		s.system.Send(store, updateOf("cart", "10.0.0.3"))
		s.quiet() // once is enough

		s.ask(store, findCart("cart"))
		hears[*messages.HostFound](s)
		s.system.Send(store, &breakDown{})
		hears[*messages.HostsChanged](s) // the store has lost everything

		plain := findCart("cart")
		plain.Keep = false
		s.ask(store, plain)
		s.quiet()
		update := updateOf("cart", "10.0.0.4")
		update.Reset = true
		s.system.Send(store, update)
		if a := hears[*messages.HostFound](s); a.Kept {
			t.Errorf("kept although nobody asked for it: %+v", a)
		}
	})
}

func TestHostKeepersAreForgottenAndBounded(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		counters := new(Counters)
		var all hostKeepers
		spec := ServiceStore(Config{Counters: counters})
		made := spec.New
		spec.New = func() actor.Actor {
			w := made().(*services)
			all = w.keepers
			return w
		}
		store := s.spawn(spec, RoleServices)
		s.system.Send(store, updateOf("cart", "10.0.0.1"))
		var pids []*actor.PID
		for i := range maxWatchers + 1 {
			p := s.spawn(kit.Spec{
				Role: "asker", New: func() actor.Actor { return &probe{s.heard} }, Capacity: 4, Run: kit.CallerRuns(),
			}, fmt.Sprintf("asker%d", i))
			s.system.Send(p, &put{store, findCart("cart")})
			if a := hears[*messages.HostFound](s); a.Kept != (i < maxWatchers) {
				t.Fatalf("asker %d: %+v", i, a)
			}
			pids = append(pids, p)
		}
		if len(all) != maxWatchers || counters.WatchersRefused.Load() != 1 {
			t.Errorf("%d keepers, %d refused", len(all), counters.WatchersRefused.Load())
		}
		for _, p := range pids {
			s.system.Stop(p)
		}
		synctest.Wait()
		if len(all) != 0 {
			t.Errorf("%d keepers outlive their actors", len(all))
		}
	})
}
