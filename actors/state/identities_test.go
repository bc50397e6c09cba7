package state

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// TestPrefetchForgetCerts is the reference's test of that name: what workloads that come and go mean for certificates.
func TestPrefetchForgetCerts(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(WorkloadStore(Config{Node: "here", Certificates: func() *actor.PID { return s.probe }}), RoleWorkloads)
		workload := func(uid, node, account string, edit func(*messages.Workload)) *messages.Workload {
			w := pod(uid)
			w.Node, w.ServiceAccount, w.Protocol = node, account, messages.ProtocolHBONE
			if edit != nil {
				edit(w)
			}
			return w
		}
		set := func(all ...*messages.Workload) { s.system.Send(store, workloadsOf(all...)) }
		remove := func(uids ...string) { s.system.Send(store, &messages.UpdateWorkloads{Remove: uids}) }
		fetches := func(w *messages.Workload) {
			t.Helper()
			if m := hears[*messages.FetchCertificate](s); m.Identity != w.Identity() || m.Priority != messages.PriorityWarmup {
				t.Fatalf("fetch of %v at %v, want %v", m.Identity, m.Priority, w.Identity())
			}
		}
		forgets := func(w *messages.Workload) {
			t.Helper()
			if m := hears[*messages.ForgetCertificate](s); m.Identity != w.Identity() {
				t.Fatalf("%v is forgotten, want %v", m.Identity, w.Identity())
			}
		}

		one, two := workload("one", "here", "a", nil), workload("two", "here", "a", nil)
		remote := workload("remote", "there", "r", nil)
		set(remote, one, two)
		fetches(one)
		s.quiet() // once for both, none for the remote one
		remove("remote", "one")
		s.quiet() // the second still needs it
		moved := workload("two", "here", "b", nil)
		set(moved)
		forgets(two) // its former identity
		fetches(moved)
		elsewhere := workload("two", "here", "b", func(w *messages.Workload) { w.TrustDomain = "mars" })
		set(elsewhere)
		forgets(moved)
		fetches(elsewhere)
		remove("two", "two")
		forgets(elsewhere)

		plain := workload("plain", "here", "p", func(w *messages.Workload) { w.Protocol = messages.ProtocolTCP })
		set(plain)
		s.quiet()
		native := workload("plain", "here", "p", func(w *messages.Workload) { w.Protocol, w.NativeTunnel = messages.ProtocolTCP, true })
		set(native)
		fetches(native)

		s.system.Send(store, &messages.UpdateWorkloads{Reset: true, More: true})
		s.system.Send(store, workloadsOf(one))
		forgets(native) // the full delivery did not name it
		fetches(one)
		s.quiet()
	})
}

// Without NODE_NAME every workload counts as local, and none is fetched in advance.
func TestNoPrefetchWithoutNodeName(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(WorkloadStore(Config{Certificates: func() *actor.PID { return s.probe }}), RoleWorkloads)
		w := pod("w")
		w.Protocol = messages.ProtocolHBONE
		s.system.Send(store, workloadsOf(w))
		s.quiet()
		s.system.Send(store, &messages.UpdateWorkloads{Remove: []string{"w"}})
		if m := hears[*messages.ForgetCertificate](s); m.Identity != w.Identity() {
			t.Errorf("%v is forgotten", m.Identity)
		}
	})
}
