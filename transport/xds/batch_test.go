package xds

import (
	"encoding/hex"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/wire/discovery"
	"github.com/troupe-mesh/troupe/transport/wire/security"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
)

// decoded is what becomes of one resource.
func decoded(t *testing.T, kind Kind, name string, body []byte) (Item, error) {
	t.Helper()
	b, err := proto.Marshal(&discovery.DeltaDiscoveryResponse{
		TypeUrl: kind.TypeURL(), Nonce: "n", Resources: []*discovery.Resource{{Name: name, Version: "v", Resource: &anypb.Any{Value: body}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(batch.Items)+len(batch.Rejected) != 1 || batch.Kind != kind || batch.Bytes != len(body) {
		t.Fatalf("%+v", batch)
	}
	if len(batch.Rejected) == 1 {
		return Item{}, batch.Rejected[0].Reason
	}
	return batch.Items[0], nil
}

func golden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../wire/testdata/" + name + ".hex")
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var comparable = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})}

// Every field of the bytes that Istio's own code makes becomes the model's.
func TestGoldenResources(t *testing.T) {
	cart := messages.NamespacedHostname{Namespace: "shop", Hostname: "cart.shop.svc.cluster.local"}
	item, err := decoded(t, Addresses, "cluster1//Pod/shop/cart-0", golden(t, "workload"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&messages.WorkloadUpdate{
		Workload: &messages.Workload{
			UID: "cluster1//Pod/shop/cart-0", Name: "cart-0", Namespace: "shop",
			WorkloadIPs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")},
			Hostname:    "cart.example.com", Network: "net1", Protocol: messages.ProtocolHBONE, TrustDomain: "mesh.example", ServiceAccount: "cart",
			Waypoint: &messages.GatewayAddress{
				Destination: messages.Destination{Hostname: messages.NamespacedHostname{Namespace: "shop", Hostname: "wp.shop.svc.cluster.local"}}, HBONEMTLSPort: 15008,
			},
			NetworkGateway: &messages.GatewayAddress{
				Destination: messages.Destination{Address: messages.NetworkAddress{Network: "net2", Addr: netip.MustParseAddr("192.0.2.1")}}, HBONEMTLSPort: 15009,
			},
			Node: "node-1", CanonicalName: "cart", CanonicalRevision: "v2", WorkloadType: "job", WorkloadName: "cart", NativeTunnel: true,
			AuthorizationPolicies: []string{"shop/deny-all", "istio-system/strict"}, Status: messages.Unhealthy, ClusterID: "cluster1",
			ApplicationTunnel: &messages.ApplicationTunnel{Protocol: messages.TunnelProxy, Port: 15088},
			Locality:          messages.Locality{Region: "r", Zone: "z", Subzone: "s"}, NetworkMode: messages.NetworkHost, Capacity: 0,
			Services: []messages.NamespacedHostname{cart},
		},
		Ports: map[messages.NamespacedHostname]messages.PortMap{cart: {80: 8080, 443: 8443}},
	}, item.Workload, comparable); diff != "" {
		t.Error(diff)
	}
	if item, err = decoded(t, Addresses, cart.String(), golden(t, "service")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&messages.Service{
		Name: "cart", Namespace: "shop", Hostname: cart.Hostname,
		VIPs: []messages.NetworkAddress{
			{Network: "net1", Addr: netip.MustParseAddr("10.96.0.1")}, {Addr: netip.MustParseAddr("2001:db8::2")},
		},
		CIDRVIPs: []messages.NetworkPrefix{{Network: "net1", Prefix: netip.MustParsePrefix("10.100.0.0/16")}},
		Ports:    messages.PortMap{80: 8080, 9090: 0}, SubjectAltNames: []string{"spiffe://mesh.example/ns/shop/sa/cart"},
		Waypoint: &messages.GatewayAddress{Destination: messages.Destination{Address: messages.NetworkAddress{Addr: netip.MustParseAddr("10.0.0.9")}}, HBONEMTLSPort: 15008},
		WeightedWaypoints: []messages.WeightedWaypoint{
			{Destination: messages.GatewayAddress{Destination: messages.Destination{Hostname: messages.NamespacedHostname{Namespace: "shop", Hostname: "a"}}, HBONEMTLSPort: 15008}, Weight: 75},
			{Destination: messages.GatewayAddress{Destination: messages.Destination{Hostname: messages.NamespacedHostname{Namespace: "shop", Hostname: "b"}}}, Weight: 25},
		},
		LoadBalancer: &messages.LoadBalancer{
			RoutingPreferences: []messages.Scope{messages.ScopeNetwork, messages.ScopeRegion, messages.ScopeZone, messages.ScopeSubzone, messages.ScopeNode, messages.ScopeCluster},
			Mode:               messages.BalanceFailover, HealthPolicy: messages.AllowAll,
		},
		IPFamilies: messages.FamiliesDual, Canonical: true, Visibility: messages.VisibilityNamespace,
	}, item.Service, comparable); diff != "" {
		t.Error(diff)
	}
	if item, err = decoded(t, Authorizations, "shop/strict", golden(t, "authorization")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&messages.Authorization{
		Key: "shop/strict", Name: "strict", Namespace: "shop", Scope: messages.ScopeWorkloadSelector, Action: messages.ActionDeny, DryRun: true,
		Rules: []messages.Rule{{
			{
				{
					Namespaces:         []messages.StringMatch{{Kind: messages.MatchExact, Value: "a"}, {Kind: messages.MatchPrefix, Value: "b"}, {Kind: messages.MatchSuffix, Value: "c"}, {Kind: messages.MatchPresence}},
					NotNamespaces:      []messages.StringMatch{{Kind: messages.MatchExact, Value: "d"}},
					ServiceAccounts:    []messages.ServiceAccountMatch{{Namespace: "ns", ServiceAccount: "sa"}},
					NotServiceAccounts: []messages.ServiceAccountMatch{{Namespace: "ns2", ServiceAccount: "sa2"}},
					Principals:         []messages.StringMatch{{Kind: messages.MatchExact, Value: "p"}}, NotPrincipals: []messages.StringMatch{{Kind: messages.MatchPresence}},
					SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, NotSourceIPs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
					DestinationIPs: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}, NotDestinationIPs: []netip.Prefix{netip.MustParsePrefix("10.2.0.1/32")},
					DestinationPorts: []uint16{80, 443}, NotDestinationPorts: []uint16{9090},
				},
				{DestinationPorts: []uint16{1}},
			},
			{},
		}, nil},
	}, item.Policy, comparable, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func addressOf(t *testing.T, text string) []byte {
	t.Helper()
	var a workload.Address
	if err := prototext.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	b, err := proto.Marshal(&a)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is left out gets its defaults (spec/control.md §1.1).
func TestDefaultsOfWorkloads(t *testing.T) {
	item, err := decoded(t, Addresses, "u", addressOf(t, `workload { uid: "u" workload_type: 99 }`))
	if err != nil {
		t.Fatal(err)
	}
	if want := (&messages.WorkloadUpdate{Workload: &messages.Workload{
		UID: "u", TrustDomain: "cluster.local", ServiceAccount: "default", ClusterID: "Kubernetes", Capacity: 1, WorkloadType: "deployment",
	}}); !reflect.DeepEqual(item.Workload, want) {
		t.Errorf("%+v", item.Workload.Workload)
	}
	item, err = decoded(t, Addresses, "/h", addressOf(t, `service { hostname: "h" visibility: 7 ports { service_port: 1 target_port: 2 } ports { service_port: 1 target_port: 3 } }`))
	if err != nil || item.Service.Visibility != messages.VisibilityPublic || item.Service.LoadBalancer != nil || item.Service.Ports[1] != 3 {
		t.Errorf("%+v, %v", item.Service, err)
	}
}

// What can't be understood is rejected by its reason (CP9).
// Every address that has the right length is one, whatever it stands for.
func TestAddressesOfWorkloads(t *testing.T) {
	for _, want := range []string{"0.0.0.0", "127.0.0.1", "10.2.3.4", "::", "::1", "2001:db8::1234", "::ffff:10.0.0.1"} {
		w := &workload.Workload{Uid: "w", Addresses: [][]byte{netip.MustParseAddr(want).AsSlice()}}
		b, err := proto.Marshal(&workload.Address{Type: &workload.Address_Workload{Workload: w}})
		if err != nil {
			t.Fatal(err)
		}
		item, err := decoded(t, Addresses, "w", b)
		if err != nil || len(item.Workload.Workload.WorkloadIPs) != 1 || item.Workload.Workload.WorkloadIPs[0].String() != want {
			t.Errorf("%s: %+v, %v", want, item, err)
		}
	}
}

func TestRejects(t *testing.T) {
	for text, want := range map[string]string{
		``:                                    "unknown address type",
		`workload { addresses: "123456789" }`: "an address of 9 bytes",
		`workload { addresses: "" }`:          "an address of 0 bytes",
		`workload { tunnel_protocol: LEGACY_ISTIO_MTLS }`:                              "LEGACY_ISTIO_MTLS is not supported",
		`workload { tunnel_protocol: 9 }`:                                              "tunnel protocol 9",
		`workload { status: 9 }`:                                                       "status 9 is unknown",
		`workload { network_mode: 9 }`:                                                 "network mode 9 is unknown",
		`workload { application_tunnel { protocol: 9 } }`:                              "protocol 9 is unknown",
		`workload { application_tunnel { port: 65536 } }`:                              "port 65536 is out of range",
		`workload { waypoint { } }`:                                                    "waypoint: a gateway without a destination",
		`workload { network_gateway { address { address: "1" } } }`:                    "network gateway: an address of 1 bytes",
		`workload { waypoint { hostname { } hbone_mtls_port: 70000 } }`:                "port 70000 is out of range",
		`workload { services { key: "noslash" value { } } }`:                           `"noslash": want namespace/hostname`,
		`workload { services { key: "a/b" value { ports { service_port: 65536 } } } }`: "port 65536",
		`service { addresses { address: "123" } }`:                                     "an address of 3 bytes",
		`service { addresses { address: "1234" length: 33 } }`:                         "a prefix of 33 bits",
		`service { addresses { address: "1234" length: 280 } }`:                        "a prefix of 280 bits",
		`service { ports { target_port: 70000 } }`:                                     "its target 70000",
		`service { ip_families: 9 }`:                                                   "IP families 9",
		`service { waypoint { } }`:                                                     "waypoint: a gateway without",
		`service { weighted_waypoints { weight: 1 } }`:                                 "weighted waypoint: a gateway without",
		`service { load_balancing { routing_preference: UNSPECIFIED_SCOPE } }`:         "routing preference UNSPECIFIED_SCOPE",
		`service { load_balancing { routing_preference: 9 } }`:                         "routing preference 9",
		`service { load_balancing { mode: 9 } }`:                                       "load balancer mode 9",
		`service { load_balancing { health_policy: 9 } }`:                              "health policy 9",
	} {
		if item, err := decoded(t, Addresses, "r", addressOf(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %q", text, item, err, want)
		}
	}
	if _, err := decoded(t, Authorizations, "r", []byte{0xff}); err == nil || !strings.Contains(err.Error(), "decode: ") {
		t.Errorf("garbage: %v", err)
	}
	for text, want := range map[string]string{`scope: 9`: "scope 9 is unknown", `action: 9`: "action 9 is unknown"} {
		var p security.Authorization
		if err := prototext.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		b, err := proto.Marshal(&p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decoded(t, Authorizations, "r", b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A part of a match that can't be understood never widens the policy: it makes it fail closed.
func TestPolicyFailsClosed(t *testing.T) {
	for _, text := range []string{
		`source_ips { address: "123" }`, `not_source_ips { address: "1234" length: 33 }`, `destination_ips { }`,
		`not_destination_ips { address: "12345" length: 1 }`, `principals { }`, `not_namespaces { }`,
		`destination_ports: 65536`, `not_destination_ports: 4294967295`,
	} {
		var m security.Match
		if err := prototext.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		b, err := proto.Marshal(&security.Authorization{Rules: []*security.Rule{{Clauses: []*security.Clause{{Matches: []*security.Match{&m}}}}}})
		if err != nil {
			t.Fatal(err)
		}
		item, err := decoded(t, Authorizations, "ns/p", b)
		if err != nil || !item.Policy.Rules[0][0][0].Unparsable {
			t.Errorf("%s: %+v, %v", text, item.Policy, err)
		}
	}
}

// Resources of one response share what is equal, and are no part of its bytes.
func TestDecodedShares(t *testing.T) {
	w := func(uid string) *discovery.Resource {
		return &discovery.Resource{Name: uid, Resource: &anypb.Any{Value: addressOf(t, `workload { uid: "`+uid+`" namespace: "ns" services { key: "ns/a" value { ports { service_port: 80 target_port: 8080 } } } }`)}}
	}
	b, err := proto.Marshal(&discovery.DeltaDiscoveryResponse{TypeUrl: Addresses.TypeURL(), Resources: []*discovery.Resource{w("a"), w("b")}})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := decode(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	one, two := batch.Items[0].Workload, batch.Items[1].Workload
	name := messages.NamespacedHostname{Namespace: "ns", Hostname: "a"}
	if one.Workload.UID != "a" || two.Workload.UID != "b" || one.Workload.Namespace != "ns" || one.Workload.Services[0] != name {
		t.Errorf("%+v %+v", one.Workload, two.Workload)
	}
	if reflect.ValueOf(one.Ports[name]).Pointer() != reflect.ValueOf(two.Ports[name]).Pointer() || one.Ports[name][80] != 8080 {
		t.Error("equal maps of ports are two")
	}
}
