package route_test

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/messages"
)

const (
	clientPod, serverPod, waypointPod = "10.0.0.1", "10.0.0.2", "10.0.0.3"
	serverVIP, waypointVIP            = "10.10.0.1", "10.10.0.2"
	serverName                        = "server.default.svc.cluster.local"
	serverPort, targetPort            = "80", "8080"
)

// attachment is how the server refers to its waypoint, and the waypoint's application tunnel.
type attachment struct {
	workload, service string
	tunnel            *messages.ApplicationTunnel
}

var proxyTunnel = &messages.ApplicationTunnel{Protocol: messages.TunnelProxy, Port: 15088}

func inboundWorld(t *testing.T, a attachment) *world {
	t.Helper()
	server := workload("cluster1//v1/Pod/default/server", []string{serverPod}, hbone)
	if a.workload != "" {
		server.Waypoint = gateway(a.workload, 15008)
	}
	waypoint := workload("cluster1//v1/Pod/default/waypoint", []string{waypointPod}, hbone)
	waypoint.ApplicationTunnel = a.tunnel
	serverService := service("default/"+serverName, []string{serverVIP}, example)
	if a.service != "" {
		serverService.Waypoint = gateway(a.service, 15008)
	}
	client := workload("cluster1//v1/Pod/default/client", []string{clientPod}, hbone)
	for _, w := range []*messages.Workload{server, waypoint, client} {
		w.Namespace, w.ServiceAccount = "default", w.Name
	}
	return newWorld(t, client,
		serving(server, "default/"+serverName, nil),
		serving(waypoint, "default/waypoint.default.svc.cluster.local", nil),
		serverService,
		service("default/waypoint.default.svc.cluster.local", []string{waypointVIP}, example))
}

// inbound is the tree of a CONNECT for authority that arrived at pod dst.
func (w *world) inbound(dst, authority string, change ...func(*route.Inbound)) *route.Inbound {
	w.t.Helper()
	host, err := route.ParseAuthority(authority)
	if err != nil {
		w.t.Fatal(err)
	}
	i := &route.Inbound{
		Local:        w.workloads.ByAddress(address(dst)),
		Src:          netip.MustParseAddrPort(clientPod + ":1234"),
		Dst:          netip.MustParseAddrPort(dst + ":15008"),
		Authority:    host,
		IllegalPorts: []uint16{15008, 15006, 15001},
	}
	for _, c := range change {
		c(i)
	}
	return i
}

// TestFindInboundUpstream is both test_find_inbound_upstream and test_build_inbound_request: the twelve cases are the
// same, the second looks at what the application tunnel is told too.
func TestFindInboundUpstream(t *testing.T) {
	for _, tc := range []struct {
		name           string
		attached       attachment
		dst, authority string
		want, tunnel   string // want begins with "deny" for refusals
	}{
		{"to workload no waypoint", attachment{}, serverPod, serverPod + ":8080", serverPod + ":8080", ""},
		{"svc hostname to workload no waypoint", attachment{}, serverPod, serverName + ":80", serverPod + ":8080", ""},
		{"to workload with waypoint referenced by pod", attachment{workload: waypointPod}, waypointPod, serverPod + ":8080", waypointPod + ":8080", ""},
		{"to workload with waypoint referenced by vip", attachment{workload: waypointVIP}, waypointPod, serverPod + ":8080", waypointPod + ":8080", ""},
		{"to workload with app tunnel", attachment{workload: waypointVIP, tunnel: proxyTunnel}, waypointPod, serverPod + ":8080", waypointPod + ":15088", serverPod + ":8080"},
		{"to service with waypoint referenced by pod", attachment{service: waypointPod}, waypointPod, serverVIP + ":8080", waypointPod + ":8080", ""},
		{"to service with waypoint referenced by vip", attachment{service: waypointVIP}, waypointPod, serverVIP + ":8080", waypointPod + ":8080", ""},
		{"to service with app tunnel", attachment{service: waypointVIP, tunnel: proxyTunnel}, waypointPod, serverVIP + ":8080", waypointPod + ":15088", serverVIP + ":8080"},
		{"to server ip mismatch", attachment{}, serverPod, clientPod + ":8080", "deny ip mismatch: 10.0.0.2 != 10.0.0.1", ""},
		{"to waypoint without attachment", attachment{}, waypointPod, clientPod + ":8080", "deny ip mismatch: 10.0.0.3 != 10.0.0.1", ""},
		{"to workload via waypoint with wrong attachment", attachment{service: waypointPod}, waypointPod, serverPod + ":8080", "deny ip mismatch: 10.0.0.3 != 10.0.0.2", ""},
		{"to service via waypoint with wrong attachment", attachment{workload: waypointPod}, waypointPod, serverVIP + ":8080", "deny ip mismatch: 10.0.0.3 != 10.10.0.1", ""},

		{"waypoint referenced by service host name", attachment{service: "default/waypoint.default.svc.cluster.local"}, waypointPod, serverVIP + ":8080", waypointPod + ":8080", ""},
		{"waypoint referenced by unknown host name", attachment{service: "default/nobody"}, waypointPod, serverVIP + ":8080", "deny ip mismatch: 10.0.0.3 != 10.10.0.1", ""},
		{"waypoint referenced by unknown address", attachment{workload: "10.99.0.1"}, waypointPod, serverPod + ":8080", "deny ip mismatch: 10.0.0.3 != 10.0.0.2", ""},
		{"unknown authority", attachment{}, waypointPod, "10.99.0.1:8080", "deny ip mismatch: 10.0.0.3 != 10.99.0.1", ""},
		{"mapped authority", attachment{}, serverPod, "[::ffff:10.0.0.2]:8080", "deny ip mismatch: 10.0.0.2 != ::ffff:10.0.0.2", ""},
		{"unknown host name", attachment{}, serverPod, "nobody.com:80", "deny no service or workload for hostname: nobody.com", ""},
		{"host name in another case", attachment{}, serverPod, "Server.default.svc.cluster.local:80", "deny no service or workload for hostname: Server.default.svc.cluster.local", ""},
		{"host name with an unknown port", attachment{}, serverPod, serverName + ":81", "deny requested service " + serverName + ":81 found, but cannot resolve port", ""},
		{"a service that the workload does not belong to", attachment{}, serverPod, "waypoint.default.svc.cluster.local:80", serverPod + ":8080", ""},
		{"illegal port", attachment{}, serverPod, serverPod + ":15006", "deny attempted recursive call to ourselves", ""},
		{"illegal port before the tunnel's", attachment{tunnel: proxyTunnel}, waypointPod, waypointPod + ":15001", "deny attempted recursive call to ourselves", ""},
		{"host name through a tunnel", attachment{tunnel: proxyTunnel}, waypointPod, serverName + ":80", waypointPod + ":15088", serverVIP + ":80"},
		{"a tunnel that only moves the port", attachment{tunnel: &messages.ApplicationTunnel{Port: 9000}}, waypointPod, "10.99.0.1:8080", waypointPod + ":9000", ""},
		{"a tunnel without a port", attachment{tunnel: &messages.ApplicationTunnel{Protocol: messages.TunnelProxy}}, waypointPod, "10.99.0.1:8080", waypointPod + ":8080", "10.99.0.1:8080"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := inboundWorld(t, tc.attached)
			s := w.run(w.inbound(tc.dst, tc.authority))
			if s.Deny != nil {
				if got := "deny " + s.Deny.Text; got != tc.want {
					t.Errorf("got %s, want %s", got, tc.want)
				}
				return
			}
			tunnel := ""
			if s.Inbound.TunnelTarget.IsValid() {
				tunnel = s.Inbound.TunnelTarget.String()
			}
			if got := s.Inbound.Dial.String(); got != tc.want || tunnel != tc.tunnel || s.Inbound.Target != s.Inbound.Dial {
				t.Errorf("dial %s, tunnel %q, target %s; want %s, %q", got, tunnel, s.Inbound.Target, tc.want, tc.tunnel)
			}
		})
	}
}

// TestWaypointThatSharesTheTraffic is a waypoint that gets a part of a service's connections only.
func TestWaypointThatSharesTheTraffic(t *testing.T) {
	for name, tc := range map[string]struct {
		single   string
		weighted []messages.WeightedWaypoint
		accepted bool
	}{
		"the second of two":           {"", shares("10.99.0.1", 1, waypointVIP, 9), true},
		"besides the single one":      {"10.99.0.1", shares(waypointPod, 1), true},
		"the single one besides them": {waypointPod, shares("10.99.0.1", 1), true},
		"one without a share":         {"", shares(waypointVIP, 0, "10.99.0.1", 1), false},
		"others":                      {"10.99.0.1", shares("10.99.0.2", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := inboundWorld(t, attachment{})
			shared := service("default/"+serverName, []string{serverVIP}, example)
			if tc.single != "" {
				shared.Waypoint = gateway(tc.single, 15008)
			}
			shared.WeightedWaypoints = tc.weighted
			w.services.ApplyServices(&messages.UpdateServices{Set: []messages.ServiceUpdate{{Service: shared}}})
			if s := w.run(w.inbound(waypointPod, serverVIP+":8080")); (s.Inbound != nil) != tc.accepted {
				t.Errorf("accepted %v: %+v", s.Inbound != nil, s.Deny)
			}
		})
	}
}

// shares are waypoints and their weights in turn.
func shares(pairs ...any) []messages.WeightedWaypoint {
	var all []messages.WeightedWaypoint
	for ; len(pairs) > 0; pairs = pairs[2:] {
		all = append(all, messages.WeightedWaypoint{
			Destination: *gateway(pairs[0].(string), 15008), Weight: uint32(pairs[1].(int)),
		})
	}
	return all
}

func TestInboundReasons(t *testing.T) {
	w := inboundWorld(t, attachment{})
	for authority, want := range map[string]messages.Reason{
		clientPod + ":8080":  messages.ReasonAddressMismatch,
		"nobody.com:80":      messages.ReasonNoService,
		serverName + ":81":   messages.ReasonNoDestination,
		serverPod + ":15001": messages.ReasonLoopRejected,
	} {
		if s := w.run(w.inbound(serverPod, authority)); s.Deny == nil || s.Deny.Reason != want {
			t.Errorf("%s: %+v, want %v", authority, s.Deny, want)
		}
	}
}

func TestServiceWithoutVIPCannotBeTunnelled(t *testing.T) {
	for _, p := range []messages.TunnelProtocol{messages.TunnelNone, messages.TunnelProxy} {
		w := newWorld(t,
			serving(workload("wp", []string{waypointPod}, func(w *messages.Workload) {
				w.ApplicationTunnel = &messages.ApplicationTunnel{Protocol: p, Port: 15088}
			}), "/headless.com", nil),
			service("/headless.com", nil, example))
		s := w.run(w.inbound(waypointPod, "headless.com:80"))
		if s.Deny == nil || s.Deny.Text != "requested service headless.com found, but has no IP addresses" {
			t.Errorf("%v tunnel: %+v", p, s)
		}
	}
}

func TestNamedPortOfHostnameAuthority(t *testing.T) {
	w := newWorld(t,
		serving(workload("w", []string{serverPod}), "/named.com", messages.PortMap{80: 1234}),
		service("/named.com", nil, messages.PortMap{80: 0, 81: 0}))
	if s := w.run(w.inbound(serverPod, "named.com:80")); s.Inbound == nil || s.Inbound.Dial.String() != serverPod+":1234" {
		t.Errorf("step %+v", s)
	}
	if s := w.run(w.inbound(serverPod, "named.com:81")); s.Deny == nil {
		t.Errorf("step %+v", s)
	}
}

func TestLocalhostTunnel(t *testing.T) {
	for _, tc := range []struct {
		name     string
		ip       string
		protocol messages.TunnelProtocol
		on       bool
		want     string
	}{
		{"IPv4", "10.0.0.3", messages.TunnelProxy, true, "127.0.0.1:15088"},
		{"IPv6", "2001:db8::3", messages.TunnelProxy, true, "[::1]:15088"},
		{"switched off", "10.0.0.3", messages.TunnelProxy, false, "10.0.0.3:15088"},
		{"not PROXY", "10.0.0.3", messages.TunnelNone, true, "10.0.0.3:15088"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, workload("w", []string{tc.ip}, func(w *messages.Workload) {
				w.ApplicationTunnel = &messages.ApplicationTunnel{Protocol: tc.protocol, Port: 15088}
			}))
			ip := netip.MustParseAddr(tc.ip)
			i := w.inbound(clientPod, "10.99.0.1:80", func(i *route.Inbound) {
				i.Local, i.Dst = w.workloads.ByAddress(address(tc.ip)), netip.AddrPortFrom(ip, 15008)
				i.LocalhostTunnel = tc.on
			})
			r := w.run(i).Inbound
			if r.Dial.String() != tc.want || r.Loopback != r.Dial.Addr().IsLoopback() || r.Target != netip.AddrPortFrom(ip, 15088) {
				t.Errorf("dial %s, loopback %v, target %s; want %s", r.Dial, r.Loopback, r.Target, tc.want)
			}
		})
	}
}

func TestInboundSource(t *testing.T) {
	w := inboundWorld(t, attachment{})
	for _, tc := range []struct {
		name                 string
		network              string
		header               bool
		wantSource, fromGate bool
	}{
		{"no header", "", false, true, false},
		{"our network", "NET1", true, true, false},
		{"another network", "net2", true, false, true},
		{"no name for a network", "", true, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			i := w.inbound(serverPod, serverPod+":8080", func(i *route.Inbound) {
				i.Forwarded, i.ForwardedNetwork = tc.header, tc.network
				if tc.header {
					i.OurNetwork = "net1"
					i.Src = netip.MustParseAddrPort("10.0.0.77:1")
				}
			})
			if tc.header {
				w := newWorld(t, workload("peer", []string{"10.0.0.77"}, onNetwork("net1")))
				r := w.run(i).Inbound
				if (r.Source != nil) != tc.wantSource || r.FromGateway != tc.fromGate {
					t.Errorf("request %+v", r)
				}
				return
			}
			r := w.run(i).Inbound
			if r.Source == nil || r.Source.UID != "cluster1//v1/Pod/default/client" || r.FromGateway || r.Local.UID != "cluster1//v1/Pod/default/server" {
				t.Errorf("request %+v", r)
			}
			if len(w.asked) != 2 {
				t.Errorf("asked %v, want two questions", w.asked)
			}
		})
	}
}

func TestFromOwnWaypoint(t *testing.T) {
	id := messages.Identity{TrustDomain: messages.DefaultTrustDomain, Namespace: "default", ServiceAccount: "waypoint"}
	for _, tc := range []struct {
		name     string
		attached attachment
		src      string
		identity messages.Identity
		enforce  bool
		want     bool
	}{
		{"by pod", attachment{workload: waypointPod}, waypointPod, id, true, true},
		{"by VIP", attachment{workload: waypointVIP}, waypointPod, id, true, true},
		{"by name", attachment{workload: "default/waypoint.default.svc.cluster.local"}, waypointPod, id, true, true},
		{"not enforced", attachment{workload: waypointPod}, waypointPod, id, false, false},
		{"no waypoint", attachment{}, waypointPod, id, true, false},
		{"another identity", attachment{workload: waypointPod}, waypointPod, messages.Identity{Namespace: "x"}, true, false},
		{"another address", attachment{workload: waypointPod}, clientPod, id, true, false},
		{"no identity", attachment{workload: waypointPod}, waypointPod, messages.Identity{}, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := inboundWorld(t, tc.attached)
			r := w.run(w.inbound(serverPod, serverPod+":8080", func(i *route.Inbound) {
				i.Src, i.Identity, i.EnforceWaypoint = netip.MustParseAddrPort(tc.src+":1"), tc.identity, tc.enforce
			})).Inbound
			if r.FromWaypoint != tc.want {
				t.Errorf("from waypoint %v, want %v", r.FromWaypoint, tc.want)
			}
		})
	}
}

func TestPlaintext(t *testing.T) {
	w := inboundWorld(t, attachment{})
	plain := func(dst string) *route.Inbound {
		return &route.Inbound{
			Local: w.workloads.ByAddress(address(serverPod)), Src: netip.MustParseAddrPort(clientPod + ":1234"),
			Dst: netip.MustParseAddrPort(dst), IllegalPorts: []uint16{15008, 15006, 15001}, EnforceWaypoint: true,
		}
	}
	r := w.run(plain(serverPod + ":8080")).Inbound
	if r.Dial.String() != serverPod+":8080" || r.Target != r.Dial || r.Source == nil || r.Service == nil || r.Service.Hostname != serverName {
		t.Errorf("request %+v", r)
	}
	// The destination is not verified to be the workload's.
	if r := w.run(plain("10.99.0.1:9999")).Inbound; r == nil || r.Service != nil {
		t.Errorf("request %+v", r)
	}
	// An application tunnel is for HBONE only.
	i := plain(waypointPod + ":8080")
	i.Local = workload("wp", []string{waypointPod})
	i.Local.ApplicationTunnel = proxyTunnel
	if r := w.run(i).Inbound; r.Dial.String() != waypointPod+":8080" || r.TunnelTarget.IsValid() {
		t.Errorf("request %+v", r)
	}
	if s := w.run(plain("10.99.0.1:15001")); s.Deny == nil || s.Deny.Text != route.LoopText || len(w.asked) != 0 {
		t.Errorf("step %+v after asking %v", s, w.asked)
	}
}
