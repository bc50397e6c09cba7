package oracle

import (
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func TestRankIsThatOfTheSpecification(t *testing.T) {
	preferences := []messages.Scope{messages.ScopeNetwork, messages.ScopeRegion, messages.ScopeZone}
	here := &messages.Workload{Network: "n", Locality: messages.Locality{Region: "r", Zone: "z"}}
	for _, test := range []struct {
		network, region, zone string
		want                  int
	}{
		{"n", "r", "z", 5}, {"n", "r", "-", 4}, {"n", "-", "z", 3}, {"-", "r", "z", 2}, {"-", "r", "-", 1}, {"-", "-", "z", 0},
	} {
		there := &messages.Workload{Network: test.network, Locality: messages.Locality{Region: test.region, Zone: test.zone}}
		got, all := rank(preferences, here, there)
		if got != test.want || all != (test.want == 5) {
			t.Errorf("%+v: rank %d, all %v", test, got, all)
		}
	}
}

func TestDrawsAreThoseOfTheCapacities(t *testing.T) {
	w := &World{Services: []*messages.Service{{Namespace: "a", Hostname: "s", Ports: messages.PortMap{80: 8080}}}}
	key := w.Services[0].Key()
	for uid, capacity := range map[string]uint32{"w1": 1, "w3": 3, "w0": 0} {
		w.UpdateWorkloads(&messages.UpdateWorkloads{Set: []messages.WorkloadUpdate{{
			Workload: &messages.Workload{UID: uid, WorkloadIPs: podIPs[:1], Capacity: capacity},
			Ports:    map[messages.NamespacedHostname]messages.PortMap{key: nil},
		}}})
	}
	got := map[string]float64{}
	for _, d := range w.choose(w.Services[0], &messages.Workload{}, 80, messages.ResolveStandard) {
		got[d.Value.workload.UID] = d.P
	}
	if len(got) != 2 || got["w1"] != 0.25 || got["w3"] != 0.75 {
		t.Errorf("draws %v", got)
	}
	if d := w.choose(w.Services[0], &messages.Workload{}, 81, messages.ResolveStandard); len(d) != 1 || d[0].Value != nil {
		t.Errorf("a port that the service does not list: %v", d)
	}
}
