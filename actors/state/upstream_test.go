package state

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func gatewayAt(address string) messages.GatewayAddress {
	return messages.GatewayAddress{Destination: messages.Destination{Address: at(address)}, HBONEMTLSPort: 15008}
}

func gatewayNamed(name string) messages.GatewayAddress {
	return messages.GatewayAddress{Destination: messages.Destination{Hostname: host(name)}, HBONEMTLSPort: 15008}
}

func TestSampleWeightedWaypoint(t *testing.T) {
	single, first, second := gatewayAt("1.1.1.1"), gatewayAt("2.2.2.2"), gatewayAt("3.3.3.3")
	share := func(weights ...uint32) map[string]int {
		table := NewServiceTable(seeded())
		s := &messages.Service{Waypoint: &single}
		for i, w := range weights {
			s.WeightedWaypoints = append(s.WeightedWaypoints, messages.WeightedWaypoint{
				Destination: []messages.GatewayAddress{first, second}[i], Weight: w,
			})
		}
		counts := map[string]int{}
		for range 10000 {
			counts[table.waypointOf(s).Destination.Address.Addr.String()]++
		}
		return counts
	}
	for _, tc := range []struct {
		name     string
		weights  []uint32
		address  string
		min, max int
	}{
		{"empty: the single one", nil, "1.1.1.1", 10000, 10000},
		{"all zero: the single one", []uint32{0, 0}, "1.1.1.1", 10000, 10000},
		{"zero is never chosen", []uint32{0, 100}, "3.3.3.3", 10000, 10000},
		{"three of four", []uint32{75, 25}, "2.2.2.2", 7000, 8000},
		{"a total beyond 32 bits: the single one", []uint32{1 << 31, 1 << 31}, "1.1.1.1", 10000, 10000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := share(tc.weights...)[tc.address]; got < tc.min || got > tc.max {
				t.Errorf("%s chosen %d times, want %d to %d", tc.address, got, tc.min, tc.max)
			}
		})
	}
}

func upstreamOf(t *testing.T, table *ServiceTable, source *messages.Workload, dst string, owned bool) *messages.UpstreamFound {
	t.Helper()
	return table.FindUpstream(&messages.FindUpstream{
		Question: messages.Question{ID: 9}, Source: source, Dst: netip.MustParseAddrPort(dst), Owned: owned,
	})
}

func TestFindUpstream(t *testing.T) {
	table := NewServiceTable(seeded())
	through := service("ns/through.com", "10.1.0.3")
	through.LoadBalancer = &messages.LoadBalancer{Mode: messages.BalancePassthrough}
	waypoint := gatewayNamed("ns/waypoint.com")
	guarded := service("ns/guarded.com", "10.1.0.4")
	guarded.Waypoint = &waypoint
	wp := service("ns/waypoint.com", "10.1.0.5")
	wp.Ports = messages.PortMap{15008: 15008}
	setServices(table, service("ns/a.com", "10.1.0.1"), service("ns/empty.com", "10.1.0.2"), through, guarded, wp)
	setEndpoints(table, behind(pod("w", "10.0.0.1"), nil, "ns/a.com"), behind(pod("wp", "10.0.0.2"), nil, "ns/waypoint.com"))
	source := pod("source")

	t.Run("a service", func(t *testing.T) {
		a := upstreamOf(t, table, source, "10.1.0.1:80", false)
		if a.ID != 9 || a.Service == nil || a.Selected != a.Service || a.Upstream.AddrPort().String() != "10.0.0.1:8080" || a.Eligible != 1 {
			t.Errorf("answer %+v", a)
		}
	})
	t.Run("a service on an address that a workload owns", func(t *testing.T) {
		a := upstreamOf(t, table, source, "10.1.0.1:80", true)
		if a.Service != nil || a.Selected == nil || a.Upstream == nil {
			t.Errorf("answer %+v", a)
		}
	})
	t.Run("a service without endpoints", func(t *testing.T) {
		if a := upstreamOf(t, table, source, "10.1.0.2:80", false); a.Service == nil || a.Upstream != nil || a.Passthrough {
			t.Errorf("answer %+v", a)
		}
	})
	t.Run("a service that keeps the destination", func(t *testing.T) {
		if a := upstreamOf(t, table, source, "10.1.0.3:80", false); !a.Passthrough || a.Upstream != nil {
			t.Errorf("answer %+v", a)
		}
	})
	t.Run("a service with a waypoint", func(t *testing.T) {
		a := upstreamOf(t, table, source, "10.1.0.4:80", false)
		if a.Waypoint == nil || !a.Waypoint.Known || a.Waypoint.Upstream.AddrPort().String() != "10.0.0.2:15008" || a.Selected != nil {
			t.Errorf("answer %+v", a)
		}
	})
	t.Run("no service", func(t *testing.T) {
		if a := upstreamOf(t, table, source, "10.9.0.1:80", false); a.Service != nil || a.Selected != nil {
			t.Errorf("answer %+v", a)
		}
	})
	t.Run("the source's network is not ours", func(t *testing.T) {
		far := pod("far")
		far.Network = "remote"
		if a := upstreamOf(t, table, far, "10.1.0.1:80", false); a.Service == nil || a.Selected != nil {
			t.Errorf("answer %+v", a)
		}
	})
}

func TestFindDestination(t *testing.T) {
	table := NewServiceTable(seeded())
	through := service("ns/through.com", "10.1.0.3")
	through.LoadBalancer = &messages.LoadBalancer{Mode: messages.BalancePassthrough}
	through.Ports = messages.PortMap{15008: 15008}
	hidden := private(service("hidden/wp.com", "10.1.0.1"))
	hidden.Ports = messages.PortMap{15008: 15008}
	open := service("ns/open.com", "10.1.0.7")
	open.Ports = messages.PortMap{15008: 15008}
	setServices(table, through, hidden, open)
	setEndpoints(table,
		behind(pod("t", "10.0.0.1"), nil, "ns/through.com"),
		behind(pod("w", "10.0.0.2", "2001:db8::2"), nil, "hidden/wp.com", "ns/open.com"))
	for _, tc := range []struct {
		name  string
		ref   messages.GatewayAddress
		dst   string
		known bool
		want  string // socket address of the upstream
	}{
		{"unknown address", gatewayAt("10.7.7.7"), "1.2.3.4:80", false, ""},
		{"unknown name", gatewayNamed("ns/nobody.com"), "1.2.3.4:80", false, ""},
		{"a name ignores visibility, the family follows the client", gatewayNamed("hidden/wp.com"), "[2001:db8::9]:80", true, "[2001:db8::2]:15008"},
		{"the same by IPv4", gatewayNamed("hidden/wp.com"), "1.2.3.4:80", true, "10.0.0.2:15008"},
		{"an address guides the family itself", gatewayAt("10.1.0.7"), "[2001:db8::9]:80", true, "10.0.0.2:15008"},
		{"an address does not", gatewayAt("10.1.0.1"), "1.2.3.4:80", false, ""},
		{"a passthrough service by name has endpoints", gatewayNamed("ns/through.com"), "1.2.3.4:80", true, "10.0.0.1:15008"},
		{"by address it has not", gatewayAt("10.1.0.3"), "1.2.3.4:80", true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := table.FindDestination(&messages.FindDestination{
				Gateway: tc.ref, Source: pod("s"), Mode: messages.ResolveWaypoint, Dst: netip.MustParseAddrPort(tc.dst),
			})
			got := ""
			if a.Upstream != nil {
				got = a.Upstream.AddrPort().String()
			}
			if a.Known != tc.known || got != tc.want || a.Reference != tc.ref {
				t.Errorf("known %v, upstream %q; want %v, %q", a.Known, got, tc.known, tc.want)
			}
		})
	}
}

func TestIsGatewayOf(t *testing.T) {
	table := NewServiceTable(seeded())
	setServices(table, private(service("hidden/wp.com", "10.1.0.1")))
	setEndpoints(table, behind(unhealthy(pod("w", "10.0.0.1")), nil, "hidden/wp.com"))
	id := pod("w").Identity()
	by := func(d messages.Destination, id messages.Identity, addr, uid string) *messages.GatewayOfFound {
		return table.IsGatewayOf(&messages.IsGatewayOf{Destination: d, Identity: id, Addr: ip(addr), WorkloadUID: uid})
	}
	vip, name := gatewayAt("10.1.0.1").Destination, gatewayNamed("hidden/wp.com").Destination
	for _, tc := range []struct {
		what      string
		got       *messages.GatewayOfFound
		known, is bool
	}{
		{"identity and address, by VIP", by(vip, id, "10.0.0.1", ""), true, true},
		{"identity and address, by name", by(name, id, "10.0.0.1", ""), true, true},
		{"another identity", by(vip, messages.Identity{Namespace: "x"}, "10.0.0.1", ""), true, false},
		{"another address", by(vip, id, "10.0.0.2", ""), true, false},
		{"uid", by(vip, messages.Identity{}, "10.0.0.2", "w"), true, true},
		{"another uid", by(vip, id, "10.0.0.1", "x"), true, false},
		{"no such service", by(gatewayAt("10.9.9.9").Destination, id, "10.0.0.1", ""), false, false},
	} {
		if tc.got.Known != tc.known || tc.got.Is != tc.is {
			t.Errorf("%s: known %v, is %v; want %v, %v", tc.what, tc.got.Known, tc.got.Is, tc.known, tc.is)
		}
	}
}

func TestFindInbound(t *testing.T) {
	table := NewServiceTable(seeded())
	named := service("ns/b.com", "10.1.0.2", "2001:db8::2")
	named.VIPs = append(named.VIPs, at("remote/10.1.0.9"))
	setServices(table, service("ns/a.com"), named, private(service("other/c.com")))
	local := pod("w", "10.0.0.1")
	setEndpoints(table, behind(local, messages.PortMap{80: 9090}, "ns/a.com", "ns/b.com", "ns/gone.com"))
	find := func(hostname string) *messages.InboundFound {
		return table.FindInbound(&messages.FindInbound{Local: local, Hostname: hostname, Port: 80})
	}
	all := find("")
	if len(all.Services) != 2 || all.Services[0].Service.Hostname != "a.com" || all.Services[1].Ports[80] != 9090 || all.VIP.IsValid() {
		t.Errorf("services of the workload: %+v", all)
	}
	one := find("b.com")
	if len(one.Services) != 1 || one.Services[0].Service != named || one.VIP != ip("10.1.0.2") {
		t.Errorf("service by name: %+v", one)
	}
	for _, hostname := range []string{"c.com", "B.com", "nobody.com"} {
		if f := find(hostname); len(f.Services) != 0 || f.VIP.IsValid() {
			t.Errorf("%s: %+v, want nothing", hostname, f)
		}
	}
}
