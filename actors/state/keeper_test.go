package state

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

func findPolicies(id uint64) *messages.FindPolicies {
	return &messages.FindPolicies{Question: messages.Question{ID: id}, Workload: inNamespace("ns")}
}

func updatePolicies(reset, more bool, keys ...string) *messages.UpdatePolicies {
	u := &messages.UpdatePolicies{Reset: reset, More: more}
	for _, k := range keys {
		u.Set = append(u.Set, policy(k, messages.ScopeNamespace, messages.ActionDeny, messages.Rule{}))
	}
	return u
}

func TestFirstDeliveryIsWaitedFor(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(PolicyStore(Config{}), RolePolicies)
		s.ask(store, findPolicies(1))
		s.quiet()
		s.system.Send(store, updatePolicies(false, true, "ns/a"))
		s.quiet()
		s.system.Send(store, updatePolicies(false, false, "ns/b"))
		if a := hears[*messages.PoliciesFound](s); a.ID != 1 || len(a.Policies) != 2 {
			t.Errorf("answer %+v", a)
		}
		s.ask(store, findPolicies(2))
		if a := hears[*messages.PoliciesFound](s); a.ID != 2 {
			t.Errorf("answer %+v", a)
		}
	})
}

func TestAnExplicitlyEmptyDeliveryCounts(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(PolicyStore(Config{}), RolePolicies)
		s.system.Send(store, &messages.UpdatePolicies{})
		s.ask(store, findPolicies(1))
		if a := hears[*messages.PoliciesFound](s); len(a.Policies) != 0 {
			t.Errorf("answer %+v", a)
		}
	})
}

func TestHeldQuestionsAreRefusedInTheEnd(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		counters := new(Counters)
		store := s.spawn(PolicyStore(Config{Counters: counters}), RolePolicies)
		start := time.Now()
		s.ask(store, findPolicies(1))
		<-time.After(time.Second)
		s.ask(store, findPolicies(2))
		for i, want := range []time.Duration{Patience, Patience + time.Second} {
			r := hears[*messages.Refused](s)
			if r.ID != uint64(i+1) || time.Since(start) != want || r.Refusal().Reason != messages.ReasonStoreTimeout {
				t.Errorf("refused %+v after %v, want number %d after %v", r, time.Since(start), i+1, want)
			}
		}
		if n := counters.Refused.Load(); n != 2 {
			t.Errorf("%d counted, want 2", n)
		}
	})
}

func TestHeldQuestionsAreBounded(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(PolicyStore(Config{}), RolePolicies)
		for i := range maxHeld {
			s.ask(store, findPolicies(uint64(i)))
		}
		s.quiet()
		s.ask(store, findPolicies(7777))
		if r := hears[*messages.Refused](s); r.ID != 7777 {
			t.Errorf("refused %+v", r)
		}
	})
}

// TestCrashedStoreFailsClosed is the rule that nothing is allowed meanwhile that policy would deny: a restarted store
// answers nothing until it got everything again, whatever partial updates come before.
func TestCrashedStoreFailsClosed(t *testing.T) {
	onStage(t, kit.Config{Faults: crash{}}, func(s *stage) {
		store := s.spawn(PolicyStore(Config{Discovery: func() *actor.PID { return s.probe }}), RolePolicies)
		s.system.Send(store, updatePolicies(false, false, "ns/a", "ns/b"))
		s.quiet() // discovery is not told of the first start
		s.system.Send(store, &breakDown{})
		if l := hears[*messages.StoreLost](s); l.Role != RolePolicies {
			t.Errorf("lost %+v", l)
		}
		s.ask(store, findPolicies(1))
		s.system.Send(store, updatePolicies(false, false, "ns/c"))
		s.quiet()
		s.system.Send(store, updatePolicies(true, true, "ns/a"))
		s.quiet()
		s.system.Send(store, updatePolicies(false, false, "ns/b"))
		if a := hears[*messages.PoliciesFound](s); a.ID != 1 || len(a.Policies) != 2 || a.Version <= 1 {
			t.Errorf("answer %+v", a)
		}
	})
}

func TestLostStoresStillDump(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		s.ask(s.spawn(WorkloadStore(Config{}), "w"), &messages.DumpState{})
		hears[*messages.WorkloadsDumped](s)
		s.ask(s.spawn(ServiceStore(Config{}), "s"), &messages.DumpState{})
		hears[*messages.ServicesDumped](s)
		s.ask(s.spawn(PolicyStore(Config{}), "p"), &messages.DumpState{})
		hears[*messages.PoliciesDumped](s)
	})
}

// TestCrashedServiceStoreGetsItsEndpointsBack lets the two stores find each other again.
func TestCrashedServiceStoreGetsItsEndpointsBack(t *testing.T) {
	onStage(t, kit.Config{Faults: crash{}}, func(s *stage) {
		var workloads, services *actor.PID
		cfg := Config{
			Discovery: func() *actor.PID { return s.probe },
			Services:  func() *actor.PID { return services },
			Workloads: func() *actor.PID { return workloads },
		}
		services = s.spawn(ServiceStore(cfg), RoleServices)
		workloads = s.spawn(WorkloadStore(cfg), RoleWorkloads)
		delivery := func(reset bool) *messages.UpdateServices {
			return &messages.UpdateServices{Reset: reset, Set: []messages.ServiceUpdate{{Service: service("ns/a.com", "10.1.0.1")}}}
		}
		ask := func() {
			s.ask(services, &messages.FindInbound{Local: pod("w"), Hostname: "a.com", Port: 80})
		}
		s.system.Send(workloads, &messages.UpdateWorkloads{Set: []messages.WorkloadUpdate{
			behind(pod("w", "10.0.0.1"), messages.PortMap{80: 9090}, "ns/a.com"),
		}})
		s.system.Send(services, delivery(false))
		ask()
		if a := hears[*messages.InboundFound](s); a.Services[0].Ports[80] != 9090 {
			t.Errorf("answer %+v", a)
		}

		s.system.Send(services, &breakDown{})
		hears[*messages.StoreLost](s)
		ask()
		s.quiet()
		s.system.Send(services, delivery(true))
		if a := hears[*messages.InboundFound](s); a.Services[0].Ports[80] != 9090 {
			t.Errorf("answer after the crash of the services %+v", a)
		}

		s.system.Send(workloads, &breakDown{})
		hears[*messages.StoreLost](s)
		ask() // the services have lost nothing
		if a := hears[*messages.InboundFound](s); a.Services[0].Ports[80] != 9090 {
			t.Errorf("answer while the workloads are lost %+v", a)
		}
		s.system.Send(workloads, &messages.UpdateWorkloads{Reset: true, Set: []messages.WorkloadUpdate{
			behind(pod("v", "10.0.0.2"), nil, "ns/a.com"),
		}})
		s.ask(services, &messages.DumpState{})
		if d := hears[*messages.ServicesDumped](s); len(d.Services[0].Endpoints) != 1 || d.Services[0].Endpoints["v"].Workload == nil {
			t.Errorf("endpoints after the crash of the workloads %+v", d.Services[0].Endpoints)
		}
	})
}

// TestCrashedServiceStoreWaitsForItsEndpoints delivers the services first.
func TestCrashedServiceStoreWaitsForItsEndpoints(t *testing.T) {
	onStage(t, kit.Config{Faults: crash{}}, func(s *stage) {
		store := s.spawn(ServiceStore(Config{Workloads: func() *actor.PID { return s.probe }}), RoleServices)
		s.system.Send(store, &breakDown{})
		if l := hears[*messages.StoreLost](s); l.Role != RoleServices {
			t.Errorf("lost %+v", l)
		}
		s.system.Send(store, &messages.UpdateServices{Reset: true})
		s.ask(store, &messages.FindHostname{Name: host("ns/a.com")})
		s.system.Send(store, &messages.UpdateEndpoints{})
		s.quiet()
		<-time.After(Patience) // what was said may have got lost
		synctest.Wait()
		var refused, lost int
		for range 2 { // both are due at the same instant
			switch m := hears[any](s).(type) {
			case *messages.Refused:
				refused++
			case *messages.StoreLost:
				lost++
			default:
				t.Errorf("heard %T", m)
			}
		}
		if refused != 1 || lost != 1 {
			t.Errorf("heard %d refusals and %d losses, want one of each", refused, lost)
		}
		s.ask(store, &messages.FindHostname{Name: host("ns/a.com")})
		s.system.Send(store, &messages.UpdateEndpoints{Reset: true})
		hears[*messages.ServiceFound](s)
	})
}
