package state

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/troupe-mesh/troupe/messages"
)

// TestServiceTableAgainstModel applies random updates, and compares with a table that is built at once from what is
// left: no index may remember more or less than that.
func TestServiceTableAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewServiceTable(seeded())
		var services []*messages.Service // in the order of their last delivery
		workloads := map[string]messages.WorkloadUpdate{}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				s := drawService(t)
				setServices(table, s)
				services = append(without(services, s.Key().String()), s)
			case 2:
				key := drawKey(t)
				removeServices(table, key)
				services = without(services, key)
			case 3, 4:
				w := drawWorkload(t)
				setEndpoints(table, w)
				workloads[w.Workload.UID] = w
			case 5:
				uid := drawUID(t)
				table.ApplyEndpoints(&messages.UpdateEndpoints{Remove: []string{uid}})
				delete(workloads, uid)
			}
		}
		model := NewServiceTable(seeded())
		setEndpoints(model, slices.Collect(maps.Values(workloads))...)
		setServices(model, services...)
		compareTables(t, table, model)

		u := &messages.UpdateServices{Reset: true}
		table.ApplyServices(u)
		table.ApplyEndpoints(&messages.UpdateEndpoints{Reset: true})
		compareTables(t, table, NewServiceTable(nil))
		if n := len(table.byKey) + len(table.byHost) + len(table.byVIP) + len(table.byCIDR) + len(table.members) + len(table.workloads); n != 0 {
			t.Fatalf("%d entries outlive a reset", n)
		}
	})
}

var byValue = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

func compareTables(t *rapid.T, got, want *ServiceTable) {
	t.Helper()
	a, b := got.DumpState(&messages.DumpState{}), want.DumpState(&messages.DumpState{})
	if diff := cmp.Diff(b.Services, a.Services, byValue); diff != "" {
		t.Fatalf("services (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(b.Staged, a.Staged, byValue); diff != "" {
		t.Fatalf("staged (-want +got):\n%s", diff)
	}
	for _, address := range []string{"10.0.0.1", "10.0.0.2", "10.0.1.1", "remote/10.0.0.1"} {
		for _, namespace := range []string{"", "n1", "n2", "n3"} {
			if g, w := bestAt(got, address, namespace), bestAt(want, address, namespace); g != w {
				t.Fatalf("%s seen from %q: %q, want %q", address, namespace, g, w)
			}
		}
	}
	for _, namespace := range []string{"", "n1", "n3"} {
		if g, w := got.byHostname("a.com", namespace).service(), want.byHostname("a.com", namespace).service(); g != w {
			t.Fatalf("a.com seen from %q: %v, want %v", namespace, g, w)
		}
	}
}

func without(list []*messages.Service, key string) []*messages.Service {
	return slices.DeleteFunc(list, func(s *messages.Service) bool { return s.Key().String() == key })
}

func drawKey(t *rapid.T) string {
	return rapid.SampledFrom([]string{"n1/a.com", "n2/a.com", "n1/b.com", "n2/b.com"}).Draw(t, "key")
}

func drawUID(t *rapid.T) string { return fmt.Sprintf("w%d", rapid.IntRange(0, 3).Draw(t, "uid")) }

func drawService(t *rapid.T) *messages.Service {
	addresses := rapid.SliceOfN(rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2", "10.0.0.0/24", "10.0.0.9/24", "10.0.0.0/16", "::/0"}), 0, 3)
	s := service(drawKey(t), addresses.Draw(t, "addresses")...)
	s.Canonical = rapid.Bool().Draw(t, "canonical")
	if rapid.Bool().Draw(t, "private") {
		s.Visibility = messages.VisibilityNamespace
	}
	if rapid.Bool().Draw(t, "allow all") {
		allowingAll(s)
	}
	return s
}

func drawWorkload(t *rapid.T) messages.WorkloadUpdate {
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"n1/a.com", "n2/a.com", "n1/b.com"}), 0, 3, rapid.ID[string])
	w := pod(drawUID(t), "10.1.0.1")
	if rapid.Bool().Draw(t, "unhealthy") {
		unhealthy(w)
	}
	return behind(w, messages.PortMap{80: uint16(rapid.IntRange(1, 3).Draw(t, "port"))}, keys.Draw(t, "services")...)
}
