package localconfig

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/troupe-mesh/troupe/messages"
)

var byText = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func TestExample(t *testing.T) {
	f, err := Read(filepath.Join("testdata", "example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cart := messages.NamespacedHostname{Namespace: "shop", Hostname: "cart.shop.svc.cluster.local"}
	want := &File{
		Workloads: []messages.WorkloadUpdate{
			{
				Workload: &messages.Workload{
					UID: "demo/client", Name: "client", Namespace: "shop", ServiceAccount: "buyer", TrustDomain: "cluster.local",
					WorkloadIPs: []netip.Addr{netip.MustParseAddr("127.0.0.11")}, Protocol: messages.ProtocolHBONE, Node: "laptop",
					ClusterID: "Kubernetes", Capacity: 1,
				},
				Ports: map[messages.NamespacedHostname]messages.PortMap{},
			},
			{
				Workload: &messages.Workload{
					UID: "demo/cart-0", Name: "cart-0", Namespace: "shop", ServiceAccount: "cart", TrustDomain: "cluster.local",
					WorkloadIPs: []netip.Addr{netip.MustParseAddr("127.0.0.12"), netip.MustParseAddr("::1")},
					Protocol:    messages.ProtocolHBONE, Node: "laptop", Locality: messages.Locality{Region: "r1", Zone: "z1"},
					ClusterID: "Kubernetes", Capacity: 1, Services: []messages.NamespacedHostname{cart},
				},
				Ports: map[messages.NamespacedHostname]messages.PortMap{cart: {80: 8080}},
			},
		},
		Services: []messages.ServiceUpdate{{Service: &messages.Service{
			Name: "cart", Namespace: "shop", Hostname: "cart.shop.svc.cluster.local",
			VIPs: []messages.NetworkAddress{{Addr: netip.MustParseAddr("127.20.0.1")}}, Ports: messages.PortMap{80: 8080},
			LoadBalancer: &messages.LoadBalancer{
				Mode: messages.BalanceFailover, RoutingPreferences: []messages.Scope{messages.ScopeNetwork, messages.ScopeRegion},
			},
			Canonical: true,
		}}},
		Policies: []*messages.Authorization{{
			Key: "shop/only-buyer", Name: "only-buyer", Namespace: "shop", Scope: messages.ScopeNamespace,
			Rules: []messages.Rule{{{{Principals: []messages.StringMatch{
				{Kind: messages.MatchExact, Value: "cluster.local/ns/shop/sa/buyer"},
			}}}}},
		}},
	}
	if diff := cmp.Diff(want, f, byText); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryField(t *testing.T) {
	f, err := Read(filepath.Join("testdata", "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	svc := messages.NamespacedHostname{Namespace: "ns", Hostname: "svc.ns"}
	other := messages.NamespacedHostname{Namespace: "ns", Hostname: "other.ns"}
	waypoint := &messages.GatewayAddress{
		Destination:   messages.Destination{Hostname: messages.NamespacedHostname{Namespace: "ns", Hostname: "waypoint.ns"}},
		HBONEMTLSPort: 15008,
	}
	prefixes := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	want := &File{
		Workloads: []messages.WorkloadUpdate{
			{
				Workload: &messages.Workload{
					UID: "w1", Name: "w1", Namespace: "ns", Waypoint: waypoint,
					WorkloadIPs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")},
					NetworkGateway: &messages.GatewayAddress{
						Destination:   messages.Destination{Address: messages.NetworkAddress{Network: "net2", Addr: netip.MustParseAddr("10.9.9.9")}},
						HBONEMTLSPort: 15009,
					},
					Protocol: messages.ProtocolHBONE, NetworkMode: messages.NetworkHost, TrustDomain: "td", ServiceAccount: "sa",
					Network: "net1", WorkloadName: "w", WorkloadType: "deployment", CanonicalName: "c", CanonicalRevision: "v1",
					Hostname: "w1.example", Node: "n1", NativeTunnel: true,
					ApplicationTunnel:     &messages.ApplicationTunnel{Protocol: messages.TunnelProxy, Port: 15088},
					AuthorizationPolicies: []string{"ns/p1"}, Status: messages.Unhealthy, ClusterID: "k2",
					Locality: messages.Locality{Region: "r", Zone: "z", Subzone: "s"}, Capacity: 0,
					Services: []messages.NamespacedHostname{{Namespace: "a", Hostname: "z.a"}, other, svc},
				},
				Ports: map[messages.NamespacedHostname]messages.PortMap{svc: {80: 8080, 443: 0}, other: {}, {Namespace: "a", Hostname: "z.a"}: {1: 1}},
			},
			{
				Workload: &messages.Workload{
					UID: "w2", Namespace: "ns", TrustDomain: "cluster.local", ServiceAccount: "default", ClusterID: "Kubernetes",
					Capacity: 1, ApplicationTunnel: &messages.ApplicationTunnel{},
				},
				Ports: map[messages.NamespacedHostname]messages.PortMap{},
			},
		},
		Services: []messages.ServiceUpdate{{
			Service: &messages.Service{
				Name: "svc", Namespace: "ns", Hostname: "svc.ns",
				VIPs: []messages.NetworkAddress{
					{Addr: netip.MustParseAddr("10.1.0.1")}, {Network: "net1", Addr: netip.MustParseAddr("fd00::1")},
				},
				Ports:           messages.PortMap{80: 8080},
				CIDRVIPs:        []messages.NetworkPrefix{{Prefix: netip.MustParsePrefix("10.2.0.0/16")}},
				SubjectAltNames: []string{"spiffe://td/ns/ns/sa/other"}, Waypoint: waypoint,
				WeightedWaypoints: []messages.WeightedWaypoint{{
					Destination: messages.GatewayAddress{
						Destination:   messages.Destination{Hostname: messages.NamespacedHostname{Namespace: "ns", Hostname: "b.ns"}},
						HBONEMTLSPort: 1,
					},
					Weight: 7,
				}},
				LoadBalancer: &messages.LoadBalancer{
					Mode: messages.BalanceStrict, RoutingPreferences: []messages.Scope{messages.ScopeNode}, HealthPolicy: messages.AllowAll,
				},
				IPFamilies: messages.FamiliesIPv6, Canonical: true, Visibility: messages.VisibilityNamespace,
			},
			Endpoints: map[string]messages.StatedEndpoint{"w9": {WorkloadUID: "w9", Ports: messages.PortMap{80: 81}}},
		}},
		Policies: []*messages.Authorization{
			{
				Key: "ns/p1", Name: "p1", Namespace: "ns", Scope: messages.ScopeWorkloadSelector, Action: messages.ActionDeny, DryRun: true,
				Rules: []messages.Rule{
					{{{
						Namespaces:          []messages.StringMatch{{Value: "a"}, {Kind: messages.MatchPrefix, Value: "b"}},
						NotNamespaces:       []messages.StringMatch{{Kind: messages.MatchSuffix, Value: "c"}},
						Principals:          []messages.StringMatch{{Kind: messages.MatchPresence}},
						NotPrincipals:       []messages.StringMatch{{Kind: messages.MatchPresence}},
						ServiceAccounts:     []messages.ServiceAccountMatch{{Namespace: "a", ServiceAccount: "b"}},
						NotServiceAccounts:  []messages.ServiceAccountMatch{{Namespace: "c", ServiceAccount: "d"}},
						SourceIPs:           prefixes("10.0.0.0/8"),
						NotSourceIPs:        prefixes("10.1.0.0/16"),
						DestinationIPs:      prefixes("fd00::/8"),
						NotDestinationIPs:   prefixes("fd00::1/128"),
						DestinationPorts:    []uint16{80},
						NotDestinationPorts: []uint16{81, 82},
					}}},
					{},
				},
			},
			{Key: "ns/p2", Name: "p2", Namespace: "ns", Scope: messages.ScopeGlobal, Action: messages.ActionAllow},
		},
	}
	if diff := cmp.Diff(want, f, byText); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEmpty(t *testing.T) {
	for _, text := range []string{"", "{}", "# nothing\n", "---\n", "null", "workloads: []"} {
		f, err := Parse([]byte(text))
		if err != nil || len(f.Workloads)+len(f.Services)+len(f.Policies) != 0 {
			t.Errorf("%q: got %+v, %v", text, f, err)
		}
	}
}

func TestReadNamesTheFile(t *testing.T) {
	if _, err := Read(filepath.Join(t.TempDir(), "none.yaml")); err == nil || !strings.Contains(err.Error(), "LOCAL_XDS_PATH") {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(path, []byte("x: 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("got %v", err)
	}
}
