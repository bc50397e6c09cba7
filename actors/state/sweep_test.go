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

func TestSweep(t *testing.T) {
	var s sweep[string]
	all := map[string]int{"a": 1, "b": 2, "c": 3}
	s.spare("a") // nothing is being delivered again
	if left := s.end(); left != nil {
		t.Errorf("without a beginning %v is left", left)
	}
	begin(&s, all)
	s.spare("a")
	s.spare("new")
	begin(&s, all) // and once more from the start
	s.spare("b")
	left := s.end()
	if len(left) != 2 || len(s.end()) != 0 {
		t.Errorf("left %v", left)
	}
}

// TestARedeliveryInChunksKeepsPoliciesInForce: as long as a full delivery comes in, nothing is forgotten, so that no
// connection is allowed that a policy denies which is about to come again.
func TestARedeliveryInChunksKeepsPoliciesInForce(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(PolicyStore(Config{}), RolePolicies)
		in := func(want string) {
			t.Helper()
			s.ask(store, findPolicies(1))
			var keys []string
			for _, p := range hears[*messages.PoliciesFound](s).Policies {
				keys = append(keys, p.Key)
			}
			if got := fmt.Sprint(keys); got != want {
				t.Errorf("in force are %s, want %s", got, want)
			}
		}
		s.system.Send(store, updatePolicies(false, false, "ns/a", "ns/b", "ns/c"))
		in("[ns/a ns/b ns/c]")
		s.system.Send(store, updatePolicies(true, true, "ns/c"))
		in("[ns/a ns/b ns/c]")
		s.system.Send(store, updatePolicies(false, true, "ns/d"))
		in("[ns/a ns/b ns/c ns/d]")
		s.system.Send(store, updatePolicies(false, false, "ns/b"))
		in("[ns/b ns/c ns/d]")
		s.system.Send(store, updatePolicies(false, false, "ns/e"))
		in("[ns/b ns/c ns/d ns/e]")
	})
}

func TestARedeliveryInChunksKeepsWorkloadsAndServices(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		var workloads, services *actor.PID
		services = s.spawn(ServiceStore(Config{Workloads: func() *actor.PID { return workloads }}), RoleServices)
		workloads = s.spawn(WorkloadStore(Config{Services: func() *actor.PID { return services }}), RoleWorkloads)
		set := func(reset, more bool, uids ...string) *messages.UpdateWorkloads {
			u := &messages.UpdateWorkloads{Reset: reset, More: more}
			for i, uid := range uids {
				u.Set = append(u.Set, behind(pod(uid, fmt.Sprintf("10.0.0.%d", i+1)), nil, "ns/a.com"))
			}
			return u
		}
		provide := func(reset, more bool, keys ...string) *messages.UpdateServices {
			u := &messages.UpdateServices{Reset: reset, More: more}
			for _, key := range keys {
				u.Set = append(u.Set, messages.ServiceUpdate{Service: service(key)})
			}
			return u
		}
		there := func(want string) {
			t.Helper()
			s.ask(services, &messages.DumpState{})
			d := hears[*messages.ServicesDumped](s)
			got := fmt.Sprint(len(d.Services), " services, ", len(d.Services[0].Endpoints), " endpoints")
			s.ask(workloads, &messages.DumpState{})
			if got += fmt.Sprint(", ", len(hears[*messages.WorkloadsDumped](s).Workloads), " workloads"); got != want {
				t.Errorf("there are %s, want %s", got, want)
			}
		}
		s.system.Send(workloads, set(false, false, "u", "v", "w"))
		s.system.Send(services, provide(false, false, "ns/a.com", "ns/b.com"))
		there("2 services, 3 endpoints, 3 workloads")
		s.system.Send(workloads, set(true, true, "w"))
		s.system.Send(services, provide(true, true, "ns/c.com"))
		there("3 services, 3 endpoints, 3 workloads")
		s.system.Send(workloads, set(false, false, "x"))
		s.system.Send(services, provide(false, false, "ns/a.com"))
		there("2 services, 2 endpoints, 2 workloads")
	})
}

// TestEndpointsAreAlwaysTakenIn fills the service store's mailbox: what the workload store tells must not be lost, for
// nobody would tell it again.
func TestEndpointsAreAlwaysTakenIn(t *testing.T) {
	hold := &holding{stopped: make(chan struct{}), released: make(chan struct{})}
	onStage(t, kit.Config{Faults: hold}, func(s *stage) {
		var workloads, services *actor.PID
		services = s.spawn(ServiceStore(Config{Workloads: func() *actor.PID { return workloads }}), RoleServices)
		workloads = s.spawn(WorkloadStore(Config{Services: func() *actor.PID { return services }}), RoleWorkloads)
		s.system.Send(services, &messages.UpdateServices{Set: []messages.ServiceUpdate{{Service: service("ns/a.com", "10.1.0.1")}}})
		go s.system.Send(services, &breakDown{})
		<-hold.stopped
		for range capacity + 1 {
			s.system.Send(services, &messages.FindHostname{})
		}
		s.system.Send(workloads, &messages.UpdateWorkloads{Set: []messages.WorkloadUpdate{behind(pod("w", "10.0.0.1"), nil, "ns/a.com")}})
		close(hold.released)
		synctest.Wait()
		s.ask(services, &messages.DumpState{})
		if d := hears[*messages.ServicesDumped](s); len(d.Services[0].Endpoints) != 1 {
			t.Errorf("%d endpoints, want 1", len(d.Services[0].Endpoints))
		}
	})
}

// holding holds up whoever handles a breakDown until it is released.
type holding struct {
	kit.FaultHook
	stopped, released chan struct{}
}

func (*holding) Post(_ kit.Target, msg any, deliver func(any)) { deliver(msg) }

func (h *holding) Handling(_ kit.Target, msg any) {
	if _, ok := msg.(*breakDown); ok {
		close(h.stopped)
		<-h.released
	}
}

// TestChangesDuringAFullDeliveryAreNotItsEnd changes workloads while the service store gets all of them again.
func TestChangesDuringAFullDeliveryAreNotItsEnd(t *testing.T) {
	change := &interjecting{}
	onStage(t, kit.Config{Faults: change}, func(s *stage) {
		var workloads, services *actor.PID
		cfg := Config{
			Discovery: func() *actor.PID { return s.probe },
			Services:  func() *actor.PID { return services }, Workloads: func() *actor.PID { return workloads },
		}
		services = s.spawn(ServiceStore(cfg), RoleServices)
		workloads = s.spawn(WorkloadStore(cfg), RoleWorkloads)
		all := &messages.UpdateWorkloads{}
		for i := range 3 * endpointChunk {
			all.Set = append(all.Set, behind(pod(fmt.Sprintf("w%04d", i)), nil, "ns/a.com"))
		}
		s.system.Send(workloads, all)
		change.say = func() {
			s.system.Send(services, &messages.UpdateServices{Reset: true, Set: []messages.ServiceUpdate{{Service: service("ns/a.com", "10.1.0.1")}}})
			s.system.Send(workloads, &messages.UpdateWorkloads{
				Set:    []messages.WorkloadUpdate{behind(pod("new"), nil, "ns/a.com")},
				Remove: []string{"w0000", fmt.Sprintf("w%04d", 3*endpointChunk-1)}, // one that was passed on, one that was not
			})
			s.ask(services, &messages.FindUpstream{Source: pod("w"), Dst: netip.MustParseAddrPort("10.1.0.1:80")})
		}
		s.system.Send(services, &breakDown{})
		hears[*messages.StoreLost](s)
		if a := hears[*messages.UpstreamFound](s); a.Considered != 3*endpointChunk-1 {
			t.Errorf("answered with %d endpoints, want %d", a.Considered, 3*endpointChunk-1)
		}
	})
}

// interjecting breaks the store that gets a breakDown, and has its say when a full delivery goes on.
type interjecting struct {
	crash
	say func()
}

func (i *interjecting) Handling(to kit.Target, msg any) {
	i.crash.Handling(to, msg)
	if _, ok := msg.(*passNext); ok && i.say != nil {
		say := i.say
		i.say = nil
		say()
	}
}
