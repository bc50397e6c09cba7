package messages

import (
	"net/netip"
	"slices"
	"testing"
)

func ips(list ...string) (all []netip.Addr) {
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func TestChooseIP(t *testing.T) {
	for _, tc := range []struct {
		name     string
		ips      []netip.Addr
		families IPFamilies
		dialled  string
		want     string
	}{
		{"its own address", ips("10.0.0.1", "10.0.0.2"), FamiliesUnset, "10.0.0.2", "10.0.0.2"},
		{"its own address, whatever the service allows", ips("10.0.0.1", "2001:db8::1"), FamiliesIPv6, "10.0.0.1", "10.0.0.1"},
		{"the first of the same family", ips("2001:db8::1", "10.0.0.1", "10.0.0.2"), FamiliesUnset, "10.9.9.9", "10.0.0.1"},
		{"the first of the other family", ips("2001:db8::1", "2001:db8::2"), FamiliesDual, "10.9.9.9", "2001:db8::1"},
		{"only IPv4", ips("2001:db8::1", "10.0.0.1"), FamiliesIPv4, "2001:db8::9", "10.0.0.1"},
		{"only IPv6", ips("10.0.0.1", "2001:db8::1"), FamiliesIPv6, "10.9.9.9", "2001:db8::1"},
		{"none left", ips("10.0.0.1"), FamiliesIPv6, "10.9.9.9", "invalid IP"},
		{"none at all", nil, FamiliesUnset, "10.9.9.9", "invalid IP"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &Workload{WorkloadIPs: tc.ips}
			if got := w.ChooseIP(tc.families, netip.MustParseAddr(tc.dialled)).String(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestMapPort(t *testing.T) {
	s := &Service{Ports: PortMap{80: 8080, 443: 0}}
	tunnel := &ApplicationTunnel{Port: 15088}
	for _, tc := range []struct {
		name   string
		ports  PortMap
		tunnel *ApplicationTunnel
		port   uint16
		want   uint16
		ok     bool
	}{
		{"the endpoint's own", PortMap{80: 9090}, tunnel, 80, 9090, true},
		{"the service's", nil, tunnel, 80, 8080, true},
		{"the tunnel's fallback", nil, tunnel, 443, 443, true},
		{"a tunnel without a port", nil, &ApplicationTunnel{}, 443, 0, false},
		{"nobody's", PortMap{80: 9090}, nil, 443, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := Endpoint{Workload: &Workload{ApplicationTunnel: tc.tunnel}, Ports: tc.ports}
			if got, ok := e.MapPort(s, tc.port); got != tc.want || ok != tc.ok {
				t.Errorf("got %d, %v; want %d, %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestUpstreamIdentities(t *testing.T) {
	w := &Workload{TrustDomain: "td", Namespace: "ns", ServiceAccount: "sa"}
	s := &Service{SubjectAltNames: []string{"spiffe://td/ns/b/sa/b", "https://x", "spiffe://td/ns/a/sa/a"}}
	u := Upstream{Workload: w, Service: s}
	want := []Identity{{"td", "b", "b"}, {"td", "a", "a"}, {"td", "ns", "sa"}}
	if got := u.Identities(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	u.Service = nil
	if got := u.Identities(); !slices.Equal(got, want[2:]) {
		t.Errorf("without a service: got %v, want %v", got, want[2:])
	}
	if u.Families() != FamiliesUnset {
		t.Error("families without a service")
	}
}

func TestNoDestination(t *testing.T) {
	f := NoDestination(&Workload{Name: "n", UID: "u", Protocol: ProtocolHBONE})
	if f.Text != "no valid routing destination for workload: Workload{n with uid u (HBONE)}" || f.Reason != ReasonNoDestination {
		t.Errorf("failure %+v", f)
	}
}

func TestGatewayAddressString(t *testing.T) {
	for want, g := range map[string]GatewayAddress{
		`GatewayAddress { destination: Address(NetworkAddress { network: "n", address: 10.0.0.1 }), hbone_mtls_port: 15008 }`: {
			Destination: Destination{Address: NetworkAddress{"n", netip.MustParseAddr("10.0.0.1")}}, HBONEMTLSPort: 15008,
		},
		`GatewayAddress { destination: Hostname(NamespacedHostname { namespace: "ns", hostname: "h" }), hbone_mtls_port: 1 }`: {
			Destination: Destination{Hostname: NamespacedHostname{"ns", "h"}}, HBONEMTLSPort: 1,
		},
	} {
		if got := g.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
