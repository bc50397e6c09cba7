package route_test

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

// TestFromWaypoint lets the waypoint itself call the workload behind it: it is not sent back to itself.
func TestFromWaypoint(t *testing.T) {
	target := func(ref string) *messages.Workload {
		return workload("target", []string{"127.0.0.2"}, withWaypoint(ref))
	}
	wp := func() *messages.Workload {
		w := source()
		w.Hostname = "wp.example.com"
		return w
	}
	svc := service("ns/waypoint.com", []string{"127.0.0.8"}, messages.PortMap{15008: 15008})
	for _, tc := range []struct {
		name, ref, from string
		want            string
	}{
		{"by address", "127.0.0.1", "127.0.0.1", "TCP 127.0.0.2:80 - Direct"},
		{"by address, from its other address", "127.0.0.1", "::1", "TCP 127.0.0.2:80 - Direct"},
		{"by address, from another address", "127.0.0.1", "127.0.0.77", "HBONE 127.0.0.1:15008 127.0.0.2:80 ToServerWaypoint"},
		{"by VIP", "127.0.0.8", "127.0.0.1", "TCP 127.0.0.2:80 - Direct"},
		{"by VIP, from another address", "127.0.0.8", "127.0.0.77", "HBONE 127.0.0.1:15008 127.0.0.2:80 ToServerWaypoint"},
		{"by service host name", "ns/waypoint.com", "127.0.0.1", "TCP 127.0.0.2:80 - Direct"},
		{"by workload host name", "ns/wp.example.com", "127.0.0.1", "TCP 127.0.0.2:80 - Direct"},
		{"by workload host name, from another address", "ns/wp.example.com", "127.0.0.77", "HBONE 127.0.0.1:15008 127.0.0.2:80 ToServerWaypoint"},
		{"somebody else's waypoint", "127.0.0.10", "127.0.0.1", "HBONE 127.0.0.10:15008 127.0.0.2:80 ToServerWaypoint"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, append(neighbours(), serving(wp(), "ns/waypoint.com", nil), svc, target(tc.ref))...)
			if got := way(w.run(outbound(tc.from, "127.0.0.2:80"))); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestHostnameWorkloads(t *testing.T) {
	addrs := func(list ...string) (all []netip.Addr) {
		for _, s := range list {
			all = append(all, netip.MustParseAddr(s))
		}
		return all
	}
	byName := func() messages.WorkloadUpdate {
		return serving(workload("vm", nil, named("vm.example.com")), "/example.com", nil)
	}
	for _, tc := range []struct {
		name  string
		names map[string][]netip.Addr
		to    string
		want  string
	}{
		{"of the family that was dialled", map[string][]netip.Addr{"vm.example.com": addrs("2001:db8::1", "10.0.0.1", "10.0.0.2")}, "127.0.0.3:80", "TCP 10.0.0.2:8080 - Direct"},
		{"of the other family", map[string][]netip.Addr{"vm.example.com": addrs("2001:db8::1")}, "127.0.0.3:80", "TCP [2001:db8::1]:8080 - Direct"},
		{"lookup failed", nil, "127.0.0.3:80", "deny no ip addresses were resolved for workload: vm"},
		{
			"empty answer",
			map[string][]netip.Addr{"vm.example.com": nil},
			"127.0.0.3:80",
			"deny ip addresses were resolved for workload vm, but valid dns response had no A/AAAA records",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, append(neighbours(), exampleCom(), byName())...)
			w.names = tc.names
			o := outbound("127.0.0.1", tc.to)
			o.Pick = func(n int) int { return n - 1 }
			if got := way(w.run(o)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
	t.Run("at random", func(t *testing.T) {
		w := newWorld(t, append(neighbours(), exampleCom(), byName())...)
		w.names = map[string][]netip.Addr{"vm.example.com": addrs("10.0.0.1", "10.0.0.2")}
		seen := map[string]bool{}
		for range 100 {
			seen[w.run(outbound("127.0.0.1", "127.0.0.3:80")).Request.Dial.String()] = true
		}
		if len(seen) != 2 {
			t.Errorf("dialled %v, want both", seen)
		}
	})
}
