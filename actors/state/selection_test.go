package state

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func seeded() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// drawn are the uids that many choices yield, in order.
func drawn(table *ServiceTable, key string, s selection) []string {
	uids := []string{}
	for range 400 {
		u, _, _ := table.choose(table.byKey[host(key)], s)
		if u == nil {
			continue
		}
		if at, found := slices.BinarySearch(uids, u.Workload.UID); !found {
			uids = slices.Insert(uids, at, u.Workload.UID)
		}
	}
	return uids
}

func placed(w *messages.Workload, network, region, zone string) *messages.Workload {
	w.Network, w.Locality = network, messages.Locality{Region: region, Zone: zone}
	return w
}

func TestLoadBalance(t *testing.T) {
	strict := &messages.LoadBalancer{
		Mode:               messages.BalanceStrict,
		RoutingPreferences: []messages.Scope{messages.ScopeRegion, messages.ScopeZone},
	}
	failover := &messages.LoadBalancer{
		Mode:               messages.BalanceFailover,
		RoutingPreferences: []messages.Scope{messages.ScopeNetwork, messages.ScopeRegion, messages.ScopeZone},
	}
	noIP := func(uid, network string, gateway bool) *messages.Workload {
		w := placed(pod(uid), network, "reg", "zone")
		if gateway {
			w.NetworkGateway = &messages.GatewayAddress{Destination: messages.Destination{Address: at("remote/9.9.9.9")}, HBONEMTLSPort: 15008}
		}
		return w
	}
	four := []*messages.Workload{
		placed(pod("a", "10.0.0.1"), "other", "r1", "z1"), placed(pod("b", "10.0.0.2"), "other", "r2", "z1"),
		placed(pod("c", "10.0.0.3"), "other", "r3", "z1"), placed(pod("d", "10.0.0.4"), "other", "r4", "z1"),
	}
	for _, tc := range []struct {
		name      string
		lb        *messages.LoadBalancer
		endpoints []*messages.Workload
		want      []string
	}{
		{"strict without a match", strict, []*messages.Workload{placed(pod("a", "10.0.0.1"), "", "reg", "other")}, []string{}},
		{"strict with a full match", strict, []*messages.Workload{
			placed(pod("a", "10.0.0.1"), "", "reg", "other"), placed(pod("b", "10.0.0.2"), "", "reg", "zone"),
		}, []string{"b"}},
		{"failover, none matches: any", failover, four, []string{"a", "b", "c", "d"}},
		{"failover, network, region and zone", failover, append([]*messages.Workload{
			placed(pod("e", "10.0.0.5"), "", "reg", "zone"), placed(pod("f", "10.0.0.6"), "", "reg", "other"),
		}, four...), []string{"e"}},
		{"failover, network and region", failover, append([]*messages.Workload{
			placed(pod("e", "10.0.0.5"), "", "reg", "other"), placed(pod("f", "10.0.0.6"), "", "reg", "another"),
			placed(pod("g", "10.0.0.7"), "", "far", "zone"),
		}, four...), []string{"e", "f"}},
		{"failover, network only beats region and zone elsewhere", failover, append([]*messages.Workload{
			placed(pod("e", "10.0.0.5"), "", "far", "x"), placed(pod("f", "10.0.0.6"), "", "far", "y"),
			placed(pod("g", "10.0.0.7"), "", "further", "zone"), placed(pod("h", "10.0.0.8"), "other", "reg", "zone"),
		}, four...), []string{"e", "f", "g"}},
		{"failover, region and zone without the network", failover, append([]*messages.Workload{
			placed(pod("e", "10.0.0.5"), "other", "reg", "zone"), placed(pod("f", "10.0.0.6"), "other2", "reg", "zone"),
			placed(pod("g", "10.0.0.7"), "other", "reg", "x"),
		}, four...), []string{"e", "f"}},
		{
			"without a mode preferences do not count", &messages.LoadBalancer{RoutingPreferences: failover.RoutingPreferences},
			[]*messages.Workload{four[0], placed(pod("e", "10.0.0.5"), "", "reg", "zone")},
			[]string{"a", "e"},
		},
		{"without an address on our network: never", nil, []*messages.Workload{noIP("a", "", true), placed(pod("b", "10.0.0.2"), "", "", "")}, []string{"b"}},
		{"without an address elsewhere: only through a gateway", nil, []*messages.Workload{noIP("a", "remote", true), noIP("b", "remote", false)}, []string{"a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := NewServiceTable(seeded())
			s := service("ns/a.com")
			s.LoadBalancer = tc.lb
			setServices(table, s)
			for _, w := range tc.endpoints {
				clone := *w
				setEndpoints(table, behind(&clone, nil, "ns/a.com"))
			}
			source := placed(pod("source", "10.0.1.1"), "", "reg", "zone")
			sameList(t, "drawn", drawn(table, "ns/a.com", selection{source: source, port: 80}), tc.want)
		})
	}
}

func TestRank(t *testing.T) {
	lb := &messages.LoadBalancer{
		Mode:               messages.BalanceFailover,
		RoutingPreferences: []messages.Scope{messages.ScopeNetwork, messages.ScopeRegion, messages.ScopeZone},
	}
	source := placed(pod("s"), "", "reg", "zone")
	for _, tc := range []struct {
		network, region, zone string
		want                  int
	}{
		{"", "reg", "zone", 5},
		{"", "reg", "x", 4},
		{"", "x", "zone", 3},
		{"n", "reg", "zone", 2},
		{"n", "reg", "x", 1},
		{"n", "x", "zone", 0},
	} {
		if got, _ := rank(lb, source, placed(pod("d"), tc.network, tc.region, tc.zone)); got != tc.want {
			t.Errorf("%+v: rank %d, want %d", tc, got, tc.want)
		}
	}
	lb.RoutingPreferences = []messages.Scope{messages.ScopeSubzone, messages.ScopeNode, messages.ScopeCluster, messages.ScopeNetwork}
	far := pod("d")
	far.Network = "n"
	if got, _ := rank(lb, source, far); got != 3 {
		t.Errorf("subzone, node and cluster match: rank %d, want 3", got)
	}
	far.Node = "x"
	if got, _ := rank(lb, source, far); got != 1 {
		t.Errorf("only the subzone matches: rank %d, want 1", got)
	}
}

func TestCapacityWeights(t *testing.T) {
	table := NewServiceTable(seeded())
	setServices(table, service("ns/a.com"))
	weighted := func(uid, addr string, capacity uint32) messages.WorkloadUpdate {
		w := pod(uid, addr)
		w.Capacity = capacity
		return behind(w, nil, "ns/a.com")
	}
	setEndpoints(table, weighted("light", "10.0.0.1", 1), weighted("heavy", "10.0.0.2", 3), weighted("none", "10.0.0.3", 0))
	counts := map[string]int{}
	const n = 4000
	for range n {
		u, considered, eligible := table.choose(table.byKey[host("ns/a.com")], selection{source: pod("s"), port: 80})
		if considered != 3 || eligible != 3 {
			t.Fatalf("considered %d, eligible %d, want 3 and 3", considered, eligible)
		}
		counts[u.Workload.UID]++
	}
	if counts["none"] != 0 || counts["heavy"] < n*70/100 || counts["heavy"] > n*80/100 {
		t.Errorf("drawn %v of %d, want 3 of 4 heavy", counts, n)
	}
	setEndpoints(table, weighted("light", "10.0.0.1", 0), weighted("heavy", "10.0.0.2", 0))
	if u, _, _ := table.choose(table.byKey[host("ns/a.com")], selection{source: pod("s"), port: 80}); u != nil {
		t.Errorf("chose %v although no capacity is left", u.Workload)
	}
}

func TestSameSeedDrawsTheSame(t *testing.T) {
	draws := func() (uids []string) {
		table := NewServiceTable(seeded())
		setServices(table, service("ns/a.com"))
		for _, uid := range []string{"a", "b", "c"} {
			setEndpoints(table, behind(pod(uid, "10.0.0.1"), nil, "ns/a.com"))
		}
		for range 50 {
			u, _, _ := table.choose(table.byKey[host("ns/a.com")], selection{source: pod("s"), port: 80})
			uids = append(uids, u.Workload.UID)
		}
		return uids
	}
	sameList(t, "draws", draws(), draws())
}

func TestFindUpstreamPortMappings(t *testing.T) {
	tunnel := func(w *messages.Workload) *messages.Workload {
		w.ApplicationTunnel = &messages.ApplicationTunnel{Port: 15088}
		return w
	}
	for _, tc := range []struct {
		name     string
		service  messages.PortMap
		endpoint messages.PortMap
		mode     messages.ResolutionMode
		workload *messages.Workload
		want     uint16
	}{
		{"the endpoint's own port", messages.PortMap{80: 8080}, messages.PortMap{80: 9090}, messages.ResolveWaypoint, tunnel(pod("w", "10.0.0.1")), 9090},
		{"the service's port", messages.PortMap{80: 8080}, nil, messages.ResolveWaypoint, tunnel(pod("w", "10.0.0.1")), 8080},
		{"the service port itself for an application tunnel", nil, nil, messages.ResolveWaypoint, tunnel(pod("w", "10.0.0.1")), 80},
		{"no tunnel, no port", nil, nil, messages.ResolveWaypoint, pod("w", "10.0.0.1"), 0},
		{"a standard service must list the port", nil, messages.PortMap{80: 9090}, messages.ResolveStandard, tunnel(pod("w", "10.0.0.1")), 0},
		{"named port that the endpoint has", messages.PortMap{80: 0}, messages.PortMap{80: 9090}, messages.ResolveStandard, pod("w", "10.0.0.1"), 9090},
		{"named port that the endpoint lacks", messages.PortMap{80: 0}, messages.PortMap{81: 9090}, messages.ResolveStandard, pod("w", "10.0.0.1"), 0},
		{"named port of a waypoint without a tunnel port", messages.PortMap{80: 0}, nil, messages.ResolveWaypoint, pod("w", "10.0.0.1"), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := NewServiceTable(seeded())
			s := service("ns/a.com")
			s.Ports = tc.service
			setServices(table, s)
			setEndpoints(table, behind(tc.workload, tc.endpoint, "ns/a.com"))
			u, _, _ := table.choose(table.byKey[host("ns/a.com")], selection{source: pod("s"), port: 80, mode: tc.mode})
			var got uint16
			if u != nil {
				got = u.Port
			}
			if got != tc.want {
				t.Errorf("port %d, want %d", got, tc.want)
			}
		})
	}
}
