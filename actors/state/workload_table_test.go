package state

import (
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func setWorkloads(t *WorkloadTable, workloads ...*messages.Workload) {
	u := &messages.UpdateWorkloads{}
	for _, w := range workloads {
		u.Set = append(u.Set, messages.WorkloadUpdate{Workload: w})
	}
	t.Apply(u)
}

func ownerOf(t *WorkloadTable, address string) string {
	if w := t.ByAddress(at(address)); w != nil {
		return w.UID
	}
	return ""
}

func TestOverlappingWorkloadIP(t *testing.T) {
	table := NewWorkloadTable("")
	entry := pod("cluster1/networking.istio.io/WorkloadEntry/ns/e", "10.0.0.1")
	p := pod("cluster1//Pod/ns/p", "10.0.0.1")
	setWorkloads(table, entry)
	setWorkloads(table, p)
	for range 2 {
		if got := ownerOf(table, "10.0.0.1"); got != p.UID {
			t.Errorf("owner %q, want the pod", got)
		}
		setWorkloads(table, entry)
	}
	if n := len(table.byAddress[at("10.0.0.1")]); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
	table.Apply(&messages.UpdateWorkloads{Remove: []string{p.UID}})
	if got := ownerOf(table, "10.0.0.1"); got != entry.UID {
		t.Errorf("owner %q after the pod left, want the entry", got)
	}
}

func TestAddressRanks(t *testing.T) {
	hbone := func(w *messages.Workload) *messages.Workload {
		w.Protocol = messages.ProtocolHBONE
		return w
	}
	for _, tc := range []struct {
		name      string
		workloads []*messages.Workload
		want      string
	}{
		{"HBONE pod first", []*messages.Workload{hbone(pod("c//Pod/ns/h", "10.0.0.1")), pod("c//Pod/ns/t", "10.0.0.1")}, "c//Pod/ns/h"},
		{"pod before HBONE workload", []*messages.Workload{pod("c//Pod/ns/t", "10.0.0.1"), hbone(pod("c/x/y/ns/h", "10.0.0.1"))}, "c//Pod/ns/t"},
		{"HBONE workload before others", []*messages.Workload{hbone(pod("c/x/y/ns/h", "10.0.0.1")), pod("c/x/y/ns/t", "10.0.0.1")}, "c/x/y/ns/h"},
		{"a group in the uid is no pod", []*messages.Workload{hbone(pod("c/x/y/ns/h", "10.0.0.1")), pod("c//v1/Pod/ns/t", "10.0.0.1")}, "c/x/y/ns/h"},
		{"the last among equals", []*messages.Workload{pod("a", "10.0.0.1"), pod("b", "10.0.0.1")}, "b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := NewWorkloadTable("")
			setWorkloads(table, tc.workloads...)
			if got := ownerOf(table, "10.0.0.1"); got != tc.want {
				t.Errorf("owner %q, want %q", got, tc.want)
			}
		})
	}
}

func TestWorkloadIndexes(t *testing.T) {
	table := NewWorkloadTable("here")
	node := pod("host", "10.0.0.9")
	node.NetworkMode = messages.NetworkHost
	dual := pod("dual", "10.0.0.1", "2001:db8::1", "10.0.0.1")
	dual.Node, dual.Hostname, dual.Network = "here", "dual.example.com", "net1"
	elsewhere := pod("elsewhere", "10.0.0.3")
	elsewhere.Node = "there"
	setWorkloads(table, node, dual, elsewhere)

	for address, want := range map[string]string{
		"10.0.0.9": "", "net1/10.0.0.1": "dual", "net1/2001:db8::1": "dual", "10.0.0.1": "", "10.0.0.3": "elsewhere",
	} {
		if got := ownerOf(table, address); got != want {
			t.Errorf("owner of %s: %q, want %q", address, got, want)
		}
	}
	for name, want := range map[string]bool{"ns/dual.example.com": true, "other/dual.example.com": false, "ns/": false} {
		if got := table.FindHostname(&messages.FindHostname{Name: host(name)}).Workload != nil; got != want {
			t.Errorf("workload named %s: %v, want %v", name, got, want)
		}
	}
	if w := table.Local(dual.Info()); w != dual {
		t.Errorf("local workload %v, want dual", w)
	}
	if w := table.Local(elsewhere.Info()); w != nil {
		t.Errorf("local workload %v of another node", w)
	}
	table.Apply(&messages.UpdateWorkloads{Remove: []string{"dual", "host", "elsewhere", "bogus"}})
	if len(table.byUID)+len(table.byAddress)+len(table.byHostname)+len(table.byIdentity) != 0 {
		t.Errorf("indexes are not empty: %+v", table)
	}
}

func TestEveryWorkloadIsLocalWithoutNode(t *testing.T) {
	table := NewWorkloadTable("")
	w := pod("w")
	w.Node = "somewhere"
	setWorkloads(table, w)
	if table.Local(w.Info()) != w {
		t.Error("not local")
	}
}

func TestWorkloadReset(t *testing.T) {
	table := NewWorkloadTable("")
	setWorkloads(table, pod("a", "10.0.0.1"), pod("b", "10.0.0.2"), pod("c", "10.0.0.3"))
	gone := table.Apply(&messages.UpdateWorkloads{Reset: true, Set: []messages.WorkloadUpdate{{Workload: pod("b", "10.0.0.7")}}})
	sameList(t, "gone", gone, []string{"a", "c"})
	if ownerOf(table, "10.0.0.7") != "b" || ownerOf(table, "10.0.0.2") != "" || ownerOf(table, "10.0.0.1") != "" {
		t.Error("the reset left traces")
	}
}

// TestLookupAddress is the reference's test of that name: workloads by address, services by VIP and by host name.
func TestLookupAddress(t *testing.T) {
	workloads, services := NewWorkloadTable(""), NewServiceTable(nil)
	setWorkloads(workloads, pod("w", "10.0.0.1"))
	setServices(services, service("ns/a.com", "10.1.0.1"))
	q := messages.Question{ID: 3}
	q.Waited = 5
	found := workloads.FindAddress(&messages.FindAddress{
		Question: q, Addresses: [2]messages.NetworkAddress{at("10.0.0.1"), at("10.9.9.9")},
	})
	if found.Workloads[0] == nil || found.Workloads[1] != nil || found.ID != 3 || found.Asked != 5 || found.Version != 1 {
		t.Errorf("answer %+v", found)
	}
	if w := workloads.FindWorkload(&messages.FindWorkload{UID: "w"}).Workload; w == nil || w.UID != "w" {
		t.Errorf("workload %v by uid", w)
	}
	for name, want := range map[string]bool{"ns/a.com": true, "other/a.com": false, "ns/b.com": false} {
		if got := services.FindHostname(&messages.FindHostname{Name: host(name)}).Service != nil; got != want {
			t.Errorf("service %s: %v, want %v", name, got, want)
		}
	}
	expect(t, services, seen{"10.1.0.1", "ns", "ns/a.com"}, seen{"10.1.0.2", "ns", ""})
}

func TestDumpWorkloads(t *testing.T) {
	table := NewWorkloadTable("")
	setWorkloads(table, pod("b"), pod("a"))
	d := table.DumpState(&messages.DumpState{})
	if len(d.Workloads) != 2 || d.Workloads[0].UID != "a" {
		t.Errorf("dump %+v", d.Workloads)
	}
}
