package route_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/messages"
)

// source is the workload that calls, as in the reference's tests.
func source() *messages.Workload {
	w := workload("cluster1//v1/Pod/ns/source-workload", []string{"127.0.0.1", "::1"}, onNode("local-node"))
	w.Namespace = "ns"
	return w
}

// neighbours are the workloads that are there in every test.
func neighbours() []any {
	single := workload("cluster1//v1/Pod/ns/waypoint-workload", []string{"127.0.0.10"}, onNode("local-node"))
	dual := workload("cluster1//v1/Pod/ns/waypoint-workload-dual", []string{"127.0.0.11", "ff06::c5"}, onNode("local-node"))
	for _, w := range []*messages.Workload{single, dual} {
		w.Namespace, w.ServiceAccount = "ns", "waypoint-sa"
	}
	return []any{source(), single, dual}
}

func outbound(from, to string) *route.Outbound {
	return &route.Outbound{
		LocalNode: "local-node", Source: source(), InboundPort: 15008,
		Src: netip.AddrPortFrom(netip.MustParseAddr(from), 1234), Dst: netip.MustParseAddrPort(to),
	}
}

// way is what a classified request comes to: "PROTOCOL dial authority Type", or the text of the failure.
func way(s route.Step) string {
	if s.Deny != nil {
		return "deny " + s.Deny.Text
	}
	r := s.Request
	authority := "-"
	if !r.Authority.IsZero() {
		authority = r.Authority.String()
	}
	return strings.Join([]string{r.Protocol.String(), r.Dial.String(), authority, r.Type.String()}, " ")
}

func exampleCom(change ...func(*messages.Service)) *messages.Service {
	return service("/example.com", []string{"127.0.0.3"}, messages.PortMap{80: 8080}, change...)
}

var example = messages.PortMap{80: 8080}

func TestBuildRequest(t *testing.T) {
	eastWest := func() *messages.Workload {
		return workload("Kubernetes//Pod/default/remote-ew-gtw", []string{"10.22.1.1"}, onNetwork("remote"))
	}
	remote := func(change ...func(*messages.Workload)) messages.WorkloadUpdate {
		return serving(workload("Kubernetes//Pod/default/remote-pod", nil, append(change, onNetwork("remote"))...), "/example.com", example)
	}
	localPod := func(change ...func(*messages.Workload)) messages.WorkloadUpdate {
		return serving(workload("Kubernetes//Pod/default/local-pod", []string{"127.0.0.2"}, append(change, hbone)...), "/example.com", example)
	}
	networkFirst := balanced(messages.BalanceFailover, messages.ScopeNetwork)
	dual := func() messages.WorkloadUpdate {
		return serving(workload("cluster1//v1/Pod/default/dual", []string{"127.0.0.2", "ff06::c3"}, hbone), "/example.com", nil)
	}
	dualService := func(f messages.IPFamilies) *messages.Service {
		return service("/example.com", []string{"127.0.0.3", "::3"}, messages.PortMap{80: 80}, families(f))
	}
	passthrough := func(change ...func(*messages.Service)) *messages.Service {
		return service("/example.com", []string{"1.2.3.4", "1.5.6.7"}, messages.PortMap{80: 80}, append(change, balanced(messages.BalancePassthrough))...)
	}
	one := func(change ...func(*messages.Workload)) *messages.Workload {
		return workload("cluster1//v1/Pod/ns/test", []string{"127.0.0.2"}, change...)
	}

	for _, tc := range []struct {
		name     string
		from, to string
		things   []any
		want     string
	}{
		{"unknown_dest", "127.0.0.1", "1.2.3.4:80", []any{one()}, "TCP 1.2.3.4:80 - Passthrough"},
		{"wrong_network", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(), serving(workload("cluster1//v1/Pod/default/remote-pod", []string{"10.0.0.2"}, onNetwork("remote")), "/example.com", example),
		}, "deny no valid routing destination for workload: Workload{remote-pod with uid cluster1//v1/Pod/default/remote-pod (TCP)}"},
		{"double_hbone, gateway by address", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(), remote(behindGateway("remote/10.22.1.1", 15009)), eastWest(),
		}, "DOUBLEHBONE 10.22.1.1:15009 example.com:80 Direct"},
		{"double_hbone, gateway by host name", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(),
			service("/ew-gtw", []string{"127.0.0.4"}, messages.PortMap{15009: 15009}),
			serving(workload("cluster1//v1/Pod/default/remote-pod", []string{"127.0.0.6"}, onNetwork("remote"), behindGateway("/ew-gtw", 15009)), "/example.com", example),
			serving(workload("cluster1//v1/Pod/default/ew-gtw", []string{"127.0.0.5"}, onNetwork("remote")), "/ew-gtw", messages.PortMap{15009: 15008}),
		}, "DOUBLEHBONE 127.0.0.5:15008 example.com:80 Direct"},
		{"double_hbone, remote waypoint", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(guarded("/waypoint.com")),
			service("/waypoint.com", []string{"127.0.0.4"}, messages.PortMap{15008: 15008}),
			serving(workload("Kubernetes//Pod/default/remote-waypoint-pod", nil, onNetwork("remote"), behindGateway("remote/10.22.1.1", 15009)), "/waypoint.com", messages.PortMap{15008: 15008}),
			eastWest(),
		}, "DOUBLEHBONE 10.22.1.1:15009 example.com:80 ToServerWaypoint"},
		{"failover_to_remote, local healthy", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(networkFirst), eastWest(), remote(behindGateway("remote/10.22.1.1", 15009)), localPod(),
		}, "HBONE 127.0.0.2:15008 127.0.0.2:8080 Direct"},
		{"failover_to_remote, local unhealthy", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(networkFirst), eastWest(), remote(behindGateway("remote/10.22.1.1", 15009)), localPod(unhealthy),
		}, "DOUBLEHBONE 10.22.1.1:15009 example.com:80 Direct"},
		{"known_dest_remote_node_tcp", "127.0.0.1", "127.0.0.2:80", []any{one(onNode("remote-node"))}, "TCP 127.0.0.2:80 - Direct"},
		{"known_dest_remote_node_hbone", "127.0.0.1", "127.0.0.2:80", []any{one(onNode("remote-node"), hbone)}, "HBONE 127.0.0.2:15008 127.0.0.2:80 Direct"},
		{"known_dest_local_node_tcp", "127.0.0.1", "127.0.0.2:80", []any{one(onNode("local-node"))}, "TCP 127.0.0.2:80 - DirectLocal"},
		{"known_dest_local_node_hbone", "127.0.0.1", "127.0.0.2:80", []any{one(onNode("local-node"), hbone)}, "HBONE 127.0.0.2:15008 127.0.0.2:80 DirectLocal"},
		{"known_dest of an unknown node", "127.0.0.1", "127.0.0.2:80", []any{one()}, "TCP 127.0.0.2:80 - Direct"},
		{"source_waypoint", "127.0.0.2", "127.0.0.1:80", []any{one(withWaypoint("127.0.0.10"))}, "TCP 127.0.0.1:80 - DirectLocal"},
		{"destination_waypoint", "127.0.0.1", "127.0.0.2:80", []any{one(withWaypoint("127.0.0.10"))}, "HBONE 127.0.0.10:15008 127.0.0.2:80 ToServerWaypoint"},
		{"destination_waypoint_mismatch_ip", "127.0.0.1", "[ff06::c3]:80", []any{
			workload("cluster1//v1/Pod/default/my-pod", []string{"127.0.0.2", "ff06::c3"}, withWaypoint("127.0.0.11")),
		}, "HBONE 127.0.0.11:15008 [ff06::c3]:80 ToServerWaypoint"},
		{"destination_svc_waypoint", "127.0.0.1", "127.0.0.3:80", []any{exampleCom(guarded("127.0.0.10"))}, "HBONE 127.0.0.10:15008 127.0.0.3:80 ToServerWaypoint"},
		{"empty_service", "127.0.0.1", "127.0.0.3:80", []any{exampleCom()}, "deny no healthy upstream: 127.0.0.3:80"},
		{"target_port", "127.0.0.1", "127.0.0.3:80", []any{
			service("/example.com", []string{"127.0.0.3"}, messages.PortMap{80: 0, 8080: 0}),
			serving(workload("cluster1//v1/Pod/default/matching-pod", []string{"127.0.0.2"}), "/example.com", messages.PortMap{80: 1234}),
			serving(workload("cluster1//v1/Pod/default/unmatching-pod", []string{"127.0.0.4"}), "/example.com", messages.PortMap{8080: 9999}),
		}, "TCP 127.0.0.2:1234 - Direct"},
		{"host_network by service", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(), serving(workload("cluster1//v1/Pod/default/pod1", []string{"127.0.0.2"}, hostNetwork), "/example.com", messages.PortMap{80: 80}),
			workload("cluster1//v1/Pod/default/pod2", []string{"127.0.0.2"}, hostNetwork),
		}, "TCP 127.0.0.2:80 - Direct"},
		{"host_network by address", "127.0.0.1", "127.0.0.2:80", []any{
			exampleCom(), serving(workload("cluster1//v1/Pod/default/pod1", []string{"127.0.0.2"}, hostNetwork), "/example.com", messages.PortMap{80: 80}),
			workload("cluster1//v1/Pod/default/pod2", []string{"127.0.0.2"}, hostNetwork),
		}, "TCP 127.0.0.2:80 - Passthrough"},
		{"multiple_address_workload v4", "127.0.0.1", "127.0.0.2:80", []any{workload("a", []string{"127.0.0.2", "ff06::c3"})}, "TCP 127.0.0.2:80 - Direct"},
		{"multiple_address_workload v6", "127.0.0.1", "[ff06::c3]:80", []any{workload("a", []string{"127.0.0.2", "ff06::c3"})}, "TCP [ff06::c3]:80 - Direct"},
		{"service_ip_families v6 only", "127.0.0.1", "127.0.0.3:80", []any{dualService(messages.FamiliesIPv6), dual()}, "HBONE [ff06::c3]:15008 [ff06::c3]:80 Direct"},
		{"service_ip_families v4 only", "127.0.0.1", "127.0.0.3:80", []any{dualService(messages.FamiliesIPv4), dual()}, "HBONE 127.0.0.2:15008 127.0.0.2:80 Direct"},
		{"service_ip_families dual, v4", "127.0.0.1", "127.0.0.3:80", []any{dualService(messages.FamiliesDual), dual()}, "HBONE 127.0.0.2:15008 127.0.0.2:80 Direct"},
		{"service_ip_families dual, v6", "::1", "[::3]:80", []any{dualService(messages.FamiliesDual), dual()}, "HBONE [ff06::c3]:15008 [ff06::c3]:80 Direct"},
		{"passthrough_svc", "127.0.0.1", "1.2.3.4:80", []any{passthrough()}, "TCP 1.2.3.4:80 - Passthrough"},
		{"a pod inside a passthrough service's range is still called as a pod", "127.0.0.1", "127.0.0.2:80", []any{
			one(hbone), service("/wide.com", nil, nil, balanced(messages.BalancePassthrough), func(s *messages.Service) {
				s.CIDRVIPs = []messages.NetworkPrefix{{Prefix: netip.MustParsePrefix("127.0.0.0/29")}}
			}),
		}, "HBONE 127.0.0.2:15008 127.0.0.2:80 Direct"},
		{"a pod with the address of a service without endpoints is called as a pod", "127.0.0.1", "127.0.0.2:80", []any{
			one(hbone), service("/same.com", []string{"127.0.0.2"}, messages.PortMap{80: 80}),
		}, "HBONE 127.0.0.2:15008 127.0.0.2:80 Direct"},
		{"passthrough_svc_with_waypoint", "127.0.0.1", "1.2.3.4:80", []any{passthrough(guarded("127.0.0.10"))}, "HBONE 127.0.0.10:15008 1.2.3.4:80 ToServerWaypoint"},

		{"service waypoint by service host name", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(guarded("/waypoint.com")), service("/waypoint.com", nil, messages.PortMap{15008: 15008}),
			serving(workload("wp", []string{"127.0.0.9"}), "/waypoint.com", nil),
		}, "HBONE 127.0.0.9:15008 127.0.0.3:80 ToServerWaypoint"},
		{"service waypoint by workload host name", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(guarded("/waypoint.com")), workload("wp", []string{"127.0.0.9"}, named("waypoint.com")),
		}, "HBONE 127.0.0.9:15008 127.0.0.3:80 ToServerWaypoint"},
		{
			"service waypoint by unknown host name", "127.0.0.1", "127.0.0.3:80",
			[]any{exampleCom(guarded("/waypoint.com"))},
			"deny unknown waypoint: waypoint waypoint.com not found",
		},
		{
			"service waypoint by unknown address", "127.0.0.1", "127.0.0.3:80",
			[]any{exampleCom(guarded("127.0.0.99"))},
			`deny unknown waypoint: waypoint GatewayAddress { destination: Address(NetworkAddress { network: "", address: 127.0.0.99 }), hbone_mtls_port: 15008 } not found`,
		},
		{"service waypoint without endpoints", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(guarded("ns/waypoint.com")), service("ns/waypoint.com", nil, messages.PortMap{15008: 15008}),
		}, `deny unknown waypoint: waypoint GatewayAddress { destination: Hostname(NamespacedHostname { namespace: "ns", hostname: "waypoint.com" }), hbone_mtls_port: 15008 } not found`},
		{
			"workload waypoint by unknown host name", "127.0.0.1", "127.0.0.2:80",
			[]any{one(withWaypoint("/waypoint.com"))},
			"deny unknown waypoint: waypoint waypoint.com not found",
		},
		{
			"workload waypoint by unknown address", "127.0.0.1", "127.0.0.2:80",
			[]any{one(withWaypoint("127.0.0.99"))},
			`deny unknown waypoint: waypoint GatewayAddress { destination: Address(NetworkAddress { network: "", address: 127.0.0.99 }), hbone_mtls_port: 15008 } not found`,
		},
		{"workload waypoint by VIP", "127.0.0.1", "127.0.0.2:80", []any{
			one(withWaypoint("127.0.0.8")), service("/waypoint.com", []string{"127.0.0.8"}, messages.PortMap{15008: 15018}),
			serving(workload("wp", []string{"127.0.0.9"}), "/waypoint.com", nil),
		}, "HBONE 127.0.0.9:15018 127.0.0.2:80 ToServerWaypoint"},
		{"workload waypoint by workload host name", "127.0.0.1", "127.0.0.2:80", []any{
			one(withWaypoint("/waypoint.com")), workload("wp", []string{"127.0.0.9"}, named("waypoint.com")),
		}, "HBONE 127.0.0.9:15008 127.0.0.2:80 ToServerWaypoint"},
		{"a service does not use its endpoint's waypoint", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(), localPod(withWaypoint("127.0.0.10")),
		}, "HBONE 127.0.0.2:15008 127.0.0.2:8080 Direct"},
		{"an address of both a workload and a service: the service is chosen, the endpoint's waypoint used", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(), localPod(withWaypoint("127.0.0.10")), workload("twin", []string{"127.0.0.3"}),
		}, "HBONE 127.0.0.10:15008 127.0.0.3:80 ToServerWaypoint"},
		{"workload waypoint on another network without an address", "127.0.0.1", "127.0.0.2:80", []any{
			one(withWaypoint("/waypoint.com")), service("/waypoint.com", nil, messages.PortMap{15008: 15008}),
			serving(workload("far-wp", nil, onNetwork("remote"), behindGateway("remote/10.22.1.1", 15009)), "/waypoint.com", nil), eastWest(),
		}, "deny no valid routing destination for workload: Workload{far-wp with uid far-wp (TCP)}"},
		{"gateway without an address", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(), remote(behindGateway("/gw", 15009)), service("/gw", nil, messages.PortMap{15009: 15009}),
			serving(workload("gw-pod", nil, onNetwork("remote"), behindGateway("/other", 1)), "/gw", nil),
		}, "deny no valid routing destination for workload: Workload{gw-pod with uid gw-pod (TCP)}"},
		{
			"gateway by unknown host name", "127.0.0.1", "127.0.0.3:80",
			[]any{exampleCom(), remote(behindGateway("/nobody", 15009))},
			"deny unknown network gateway: network gateway nobody not found",
		},
		{
			"gateway by unknown address", "127.0.0.1", "127.0.0.3:80",
			[]any{exampleCom(), remote(behindGateway("remote/10.22.1.1", 15009))},
			`deny unknown network gateway: network gateway GatewayAddress { destination: Address(NetworkAddress { network: "remote", address: 10.22.1.1 }), hbone_mtls_port: 15009 } not found`,
		},
		{"gateway by a workload's host name that does not resolve", "127.0.0.1", "127.0.0.3:80", []any{
			exampleCom(), remote(behindGateway("/gw", 15009)), workload("gw-pod", nil, onNetwork("remote"), named("gw"), behindGateway("/other", 1)),
		}, "deny no ip addresses were resolved for workload: gw-pod"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, append(neighbours(), tc.things...)...)
			if got := way(w.run(outbound(tc.from, tc.to))); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestOrdinaryConnectionsCostTwoQuestions keeps the common ways cheap.
func TestOrdinaryConnectionsCostTwoQuestions(t *testing.T) {
	w := newWorld(t, append(neighbours(),
		exampleCom(), serving(workload("w", []string{"127.0.0.2"}, hbone), "/example.com", nil),
		service("/guarded.com", []string{"127.0.0.5"}, example, guarded("/waypoint.com")),
		service("/waypoint.com", nil, messages.PortMap{15008: 15008}),
		serving(workload("wp", []string{"127.0.0.9"}), "/waypoint.com", nil))...)
	for _, to := range []string{"127.0.0.3:80", "127.0.0.2:80", "1.2.3.4:80", "127.0.0.5:80"} {
		w.run(outbound("127.0.0.1", to))
		if !slices.Equal(w.asked, []string{"workloads", "services"}) {
			t.Errorf("%s asks %v", to, w.asked)
		}
	}
}

func TestRequestLabels(t *testing.T) {
	backend := workload("w", []string{"127.0.0.2"}, hbone)
	svc := exampleCom()
	svc.SubjectAltNames = []string{"spiffe://cluster.local/ns/x/sa/y", "not-spiffe", "spiffe://td/ns/a/sa/b"}
	w := newWorld(t, append(neighbours(), svc, serving(backend, "/example.com", nil))...)
	o := outbound("127.0.0.1", "127.0.0.3:80")
	r := w.run(o).Request
	want := []messages.Identity{
		{TrustDomain: "cluster.local", Namespace: "x", ServiceAccount: "y"},
		{TrustDomain: "td", Namespace: "a", ServiceAccount: "b"},
		backend.Identity(),
	}
	if !slices.Equal(r.ExpectedIdentities, want) {
		t.Errorf("expected identities %v, want %v", r.ExpectedIdentities, want)
	}
	if r.Service != svc || r.Destination != backend || r.Source.UID != o.Source.UID || r.Gateway || len(r.InnerIdentities) != 0 {
		t.Errorf("request %+v", r)
	}
	if o.Considered != 1 || o.Eligible != 1 {
		t.Errorf("considered %d, eligible %d", o.Considered, o.Eligible)
	}
}

func TestPassthroughHasNoLabels(t *testing.T) {
	w := newWorld(t, append(neighbours(), exampleCom(balanced(messages.BalancePassthrough)))...)
	r := w.run(outbound("127.0.0.1", "127.0.0.3:80")).Request
	if r.Service != nil || r.Destination != nil || len(r.ExpectedIdentities) != 0 || r.Source == nil {
		t.Errorf("request %+v", r)
	}
}

func TestGatewayLabels(t *testing.T) {
	svc := exampleCom()
	svc.SubjectAltNames = []string{"spiffe://td/ns/a/sa/b"}
	gw := workload("gw", []string{"10.22.1.1"}, onNetwork("remote"))
	w := newWorld(t, append(neighbours(), svc, gw,
		serving(workload("far", nil, onNetwork("remote"), behindGateway("remote/10.22.1.1", 15009)), "/example.com", nil))...)
	r := w.run(outbound("127.0.0.1", "127.0.0.3:80")).Request
	if !slices.Equal(r.ExpectedIdentities, []messages.Identity{gw.Identity()}) {
		t.Errorf("outer identities %v, want the gateway's", r.ExpectedIdentities)
	}
	if !slices.Equal(r.InnerIdentities, []messages.Identity{{TrustDomain: "td", Namespace: "a", ServiceAccount: "b"}}) {
		t.Errorf("inner identities %v, want the service's only", r.InnerIdentities)
	}
	if !r.Gateway || r.Service != svc || r.Destination != gw {
		t.Errorf("request %+v", r)
	}
}

// TestRemoteWorkloadByAddress can't happen by the stores' own rules; the tree refuses it all the same.
func TestRemoteWorkloadByAddress(t *testing.T) {
	o := outbound("127.0.0.1", "10.0.0.1:80")
	o.Next()
	o.Learn(&messages.WorkloadsFound{
		Answer: messages.Answer{ID: 1}, Workloads: [2]*messages.Workload{workload("far", []string{"10.0.0.1"}, onNetwork("remote"))},
	})
	o.Next()
	o.Learn(&messages.UpstreamFound{Answer: messages.Answer{ID: 2}})
	if got, want := way(o.Next()), "deny no service for target address: 10.0.0.1:80"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNetworksOfSourceAndProxyMayDiffer(t *testing.T) {
	w := newWorld(t,
		workload("ours", []string{"10.0.0.1"}, onNetwork("ours")),
		workload("theirs", []string{"10.0.0.1"}, onNetwork("theirs")))
	o := outbound("127.0.0.1", "10.0.0.1:80")
	o.OurNetwork = "ours"
	o.Source = workload("s", []string{"127.0.0.1"}, onNetwork("theirs"))
	if r := w.run(o).Request; r.Destination.UID != "theirs" {
		t.Errorf("destination %v, want the one on the source's network", r.Destination)
	}
}

func TestRefusedQuestionFailsClosed(t *testing.T) {
	o := outbound("127.0.0.1", "10.0.0.1:80")
	o.Next()
	if !o.Learn(&messages.Refused{Answer: messages.Answer{ID: 1}, Text: "lost"}) {
		t.Fatal("did not learn")
	}
	if s := o.Next(); s.Deny == nil || s.Deny.Reason != messages.ReasonStoreTimeout || s.Deny.Text != "lost" {
		t.Errorf("step %+v", s)
	}
}

func TestLoop(t *testing.T) {
	illegal := []uint16{15008, 15006, 15001}
	for dst, want := range map[string]bool{
		"127.0.0.1:15001": true, "127.9.9.9:15008": true, "[::1]:15006": true,
		"127.0.0.1:15000": false, "10.0.0.1:15001": false,
	} {
		f := route.Loop(netip.MustParseAddrPort(dst), illegal)
		if (f != nil) != want {
			t.Errorf("%s: %v, want a failure: %v", dst, f, want)
		}
		if f != nil && (f.Text != "attempted recursive call to ourselves" || f.Reason != messages.ReasonLoopRejected) {
			t.Errorf("failure %+v", f)
		}
	}
}
