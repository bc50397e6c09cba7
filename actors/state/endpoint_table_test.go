package state

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/troupe-mesh/troupe/messages"
)

func sameList(t *testing.T, what string, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestApplyEndpointsStagesAndFiltersOnFlush(t *testing.T) {
	table := NewServiceTable(nil)
	setEndpoints(table, behind(pod("good", "10.0.0.1"), nil, "ns/a.com"), behind(unhealthy(pod("bad", "10.0.0.2")), nil, "ns/a.com"))
	if n := len(table.staged()[host("ns/a.com")]); n != 2 {
		t.Fatalf("%d staged, want 2", n)
	}
	setServices(table, service("ns/a.com"))
	sameList(t, "endpoints", endpointsOf(t, table, "ns/a.com"), []string{"good"})
	if n := len(table.staged()); n != 0 {
		t.Errorf("%d keys still staged", n)
	}
}

func TestApplyEndpointsStagedRemovals(t *testing.T) {
	table := NewServiceTable(nil)
	table.ApplyEndpoints(&messages.UpdateEndpoints{Remove: []string{"never"}})
	setEndpoints(table, behind(pod("a", "10.0.0.1"), nil, "ns/a.com"), behind(pod("b", "10.0.0.2"), nil, "ns/a.com"))
	table.ApplyEndpoints(&messages.UpdateEndpoints{Remove: []string{"a"}})
	if n := len(table.staged()[host("ns/a.com")]); n != 1 {
		t.Errorf("%d staged after one removal, want 1", n)
	}
	table.ApplyEndpoints(&messages.UpdateEndpoints{Remove: []string{"b"}})
	if _, ok := table.staged()[host("ns/a.com")]; ok {
		t.Error("the key outlives its last endpoint")
	}
}

func TestStagedServicesCleanup(t *testing.T) {
	table := NewServiceTable(nil)
	setEndpoints(table, behind(pod("a", "10.0.0.1"), nil, "ns/a.com"))
	setEndpoints(table, behind(pod("a", "10.0.0.1"), nil))
	if n := len(table.members); n != 0 {
		t.Errorf("%d services still have the workload that left them", n)
	}
}

func TestApplyEndpointsPresentUnhealthyReinsertEvicts(t *testing.T) {
	table := NewServiceTable(nil)
	setServices(table, service("ns/a.com"))
	setEndpoints(table, behind(pod("a", "10.0.0.1"), nil, "ns/a.com"))
	table.ApplyEndpoints(&messages.UpdateEndpoints{
		Remove: []string{"a"},
		Set:    []messages.WorkloadUpdate{behind(unhealthy(pod("a", "10.0.0.1")), nil, "ns/a.com")},
	})
	sameList(t, "endpoints", endpointsOf(t, table, "ns/a.com"), []string{})
}

func TestApplyEndpointsPresentRemovalAppliedBeforeUpsert(t *testing.T) {
	table := NewServiceTable(nil)
	setServices(table, service("ns/a.com"))
	setEndpoints(table, behind(pod("a", "10.0.0.1"), messages.PortMap{80: 1}, "ns/a.com"))
	table.ApplyEndpoints(&messages.UpdateEndpoints{
		Remove: []string{"a"},
		Set:    []messages.WorkloadUpdate{behind(pod("a", "10.0.0.1"), messages.PortMap{80: 2}, "ns/a.com")},
	})
	eps := table.endpoints(table.byKey[host("ns/a.com")])
	if len(eps) != 1 || eps[0].Ports[80] != 2 {
		t.Errorf("endpoints %+v, want one with the new port", eps)
	}
}

// TestUnhealthyWorkloads goes beyond the reference, which forgets endpoints that were hidden: a service that begins to
// allow all gets them back.
func TestUnhealthyWorkloads(t *testing.T) {
	table := NewServiceTable(nil)
	setServices(table, allowingAll(service("ns/all.com")), service("ns/healthy.com"))
	setEndpoints(table,
		behind(pod("a", "10.0.0.1"), nil, "ns/all.com", "ns/healthy.com"),
		behind(unhealthy(pod("b", "10.0.0.2")), nil, "ns/all.com", "ns/healthy.com"))
	sameList(t, "allow all", endpointsOf(t, table, "ns/all.com"), []string{"a", "b"})
	sameList(t, "only healthy", endpointsOf(t, table, "ns/healthy.com"), []string{"a"})
	setServices(table, service("ns/all.com"), allowingAll(service("ns/healthy.com")))
	sameList(t, "no longer allow all", endpointsOf(t, table, "ns/all.com"), []string{"a"})
	sameList(t, "now allow all", endpointsOf(t, table, "ns/healthy.com"), []string{"a", "b"})
}

func TestServiceOutOfOrder(t *testing.T) {
	table := NewServiceTable(nil)
	setServices(table, service("ns/a.com"))
	setEndpoints(table, behind(pod("a", "10.0.0.1"), nil, "ns/a.com"))
	sameList(t, "service first", endpointsOf(t, table, "ns/a.com"), []string{"a"})
	setServices(table, service("ns/a.com", "10.9.0.1"))
	sameList(t, "service again", endpointsOf(t, table, "ns/a.com"), []string{"a"})
	removeServices(table, "ns/a.com")
	setServices(table, service("ns/a.com"))
	sameList(t, "service removed and there again", endpointsOf(t, table, "ns/a.com"), []string{"a"})
	setEndpoints(table, behind(pod("a", "10.0.0.1"), nil))
	sameList(t, "workload that left", endpointsOf(t, table, "ns/a.com"), []string{})
}

func TestBatchGroupsEndpointsPerService(t *testing.T) {
	for _, serviceFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("service first %v", serviceFirst), func(t *testing.T) {
			table := NewServiceTable(nil)
			if serviceFirst {
				setServices(table, service("ns/a.com"))
			}
			var set []messages.WorkloadUpdate
			for i := range 50 {
				set = append(set, behind(pod(fmt.Sprintf("w%02d", i), fmt.Sprintf("10.0.0.%d", i)), nil, "ns/a.com"))
			}
			setEndpoints(table, set...)
			setServices(table, service("ns/a.com"))
			if n := len(endpointsOf(t, table, "ns/a.com")); n != 50 {
				t.Errorf("%d endpoints, want 50", n)
			}
			if n := len(table.staged()); n != 0 {
				t.Errorf("%d keys staged", n)
			}
			table.ApplyEndpoints(&messages.UpdateEndpoints{Remove: []string{"w00"}})
			if n := len(endpointsOf(t, table, "ns/a.com")); n != 49 {
				t.Errorf("%d endpoints after a removal, want 49", n)
			}
		})
	}
}

func TestStatedEndpoints(t *testing.T) {
	table := NewServiceTable(nil)
	stated := map[string]messages.StatedEndpoint{
		"a": {WorkloadUID: "a", Ports: messages.PortMap{80: 1}},
		"b": {WorkloadUID: "b", Status: messages.Unhealthy},
		"c": {WorkloadUID: "c"},
	}
	table.ApplyServices(&messages.UpdateServices{Set: []messages.ServiceUpdate{{Service: service("ns/a.com"), Endpoints: stated}}})
	sameList(t, "before the workloads", endpointsOf(t, table, "ns/a.com"), []string{})
	setEndpoints(table, behind(pod("a", "10.0.0.1"), nil), behind(pod("b", "10.0.0.2"), nil))
	sameList(t, "with the workloads", endpointsOf(t, table, "ns/a.com"), []string{"a"})
	setServices(table, service("ns/a.com"))
	sameList(t, "carried over", endpointsOf(t, table, "ns/a.com"), []string{"a"})
	setEndpoints(table, behind(pod("a", "10.0.0.1"), messages.PortMap{80: 2}, "ns/a.com"))
	if eps := table.endpoints(table.byKey[host("ns/a.com")]); len(eps) != 1 || eps[0].Ports[80] != 2 {
		t.Errorf("endpoints %+v, want what the workload itself says", eps)
	}
	table.ApplyEndpoints(&messages.UpdateEndpoints{Reset: true, Set: []messages.WorkloadUpdate{behind(pod("c", "10.0.0.3"), nil)}})
	sameList(t, "after a reset", endpointsOf(t, table, "ns/a.com"), []string{"c"})
}

// TestWorkloadInformation goes through a service's life as the reference's test of that name does.
func TestWorkloadInformation(t *testing.T) {
	table := NewServiceTable(nil)
	w := func(uid, addr string) messages.WorkloadUpdate {
		return behind(pod(uid, addr), messages.PortMap{80: 8080}, "ns/a.com")
	}
	setEndpoints(table, w("one", "127.0.0.1"))
	setServices(table, service("ns/a.com", "127.0.1.1"))
	sameList(t, "staged endpoint joins", endpointsOf(t, table, "ns/a.com"), []string{"one"})
	setServices(table, service("ns/a.com", "127.0.1.1", "127.0.1.2"))
	expect(t, table, seen{"127.0.1.1", "ns", "ns/a.com"}, seen{"127.0.1.2", "ns", "ns/a.com"})
	setServices(table, service("ns/a.com", "127.0.1.2"))
	expect(t, table, seen{"127.0.1.1", "ns", ""}, seen{"127.0.1.2", "ns", "ns/a.com"})
	sameList(t, "endpoints survive", endpointsOf(t, table, "ns/a.com"), []string{"one"})
	setEndpoints(table, w("two", "127.0.0.2"))
	sameList(t, "second endpoint", endpointsOf(t, table, "ns/a.com"), []string{"one", "two"})
	setEndpoints(table, behind(unhealthy(pod("two", "127.0.0.2")), nil, "ns/a.com"))
	sameList(t, "unhealthy endpoint", endpointsOf(t, table, "ns/a.com"), []string{"one"})
	table.ApplyEndpoints(&messages.UpdateEndpoints{Remove: []string{"bogus", "one"}})
	sameList(t, "removed endpoint", endpointsOf(t, table, "ns/a.com"), []string{})
	if byHost := table.FindHostname(&messages.FindHostname{Name: host("ns/a.com")}).Service; byHost == nil ||
		byHost != table.byAddress(at("127.0.1.2"), "ns").Service {
		t.Error("host and VIP lead to different services")
	}
	removeServices(table, "ns/a.com")
	table.ApplyEndpoints(&messages.UpdateEndpoints{Remove: []string{"two"}})
	if len(table.byKey)+len(table.byHost)+len(table.byVIP)+len(table.members)+len(table.workloads) != 0 {
		t.Error("indexes are not empty")
	}
}

func TestDumpServices(t *testing.T) {
	table := NewServiceTable(nil)
	setServices(table, service("ns/b.com"), service("ns/a.com"))
	setEndpoints(table, behind(pod("w", "10.0.0.1"), nil, "ns/a.com", "ns/staged.com"))
	d := table.DumpState(&messages.DumpState{Question: messages.Question{ID: 7}})
	if d.ID != 7 || d.Version != 2 || len(d.Services) != 2 {
		t.Fatalf("dump %+v", d)
	}
	if d.Services[0].Service.Hostname != "a.com" || len(d.Services[0].Endpoints) != 1 || len(d.Services[1].Endpoints) != 0 {
		t.Errorf("services %+v", d.Services)
	}
	if len(d.Staged) != 1 || len(d.Staged[host("ns/staged.com")]) != 1 {
		t.Errorf("staged %+v", d.Staged)
	}
}
