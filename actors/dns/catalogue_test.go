package dns

import (
	"net/netip"
	"slices"
	"testing"

	wire "github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/messages"
)

func vips(list ...string) (all []messages.NetworkAddress) {
	for _, s := range list {
		network := "nw1"
		if s[0] == '!' {
			network, s = "nw2", s[1:]
		}
		all = append(all, messages.NetworkAddress{Network: network, Addr: netip.MustParseAddr(s)})
	}
	return all
}

// service is a service of a namespace with a host name of its own.
func service(namespace, host string, list ...string) *messages.Service {
	return &messages.Service{Name: host, Namespace: namespace, Hostname: host, VIPs: vips(list...), Ports: messages.PortMap{80: 80}}
}

// kube is a service of the cluster.
func kube(namespace, name string, list ...string) *messages.Service {
	return service(namespace, name+"."+namespace+".svc.cluster.local", list...)
}

func with(s *messages.Service, change func(*messages.Service)) *messages.Service {
	change(s)
	return s
}

func canonical(s *messages.Service) *messages.Service {
	return with(s, func(s *messages.Service) { s.Canonical = true })
}

func private(s *messages.Service) *messages.Service {
	return with(s, func(s *messages.Service) { s.Visibility = messages.VisibilityNamespace })
}

func endpoint(uid string, service messages.NamespacedHostname, ips ...string) *messages.Workload {
	w := &messages.Workload{UID: uid, Name: uid, Namespace: "ns1", Network: "nw1", Services: []messages.NamespacedHostname{service}, Hostname: uid + ".host"}
	for _, ip := range ips {
		w.WorkloadIPs = append(w.WorkloadIPs, netip.MustParseAddr(ip))
	}
	return w
}

// catalogue is the mesh of the reference's own table of look-ups (spec/control.md §8).
func catalogue() ([]*messages.Workload, []*messages.Service) {
	headless := messages.NamespacedHostname{Namespace: "ns1", Hostname: "headless.ns1.svc.cluster.local"}
	headless6 := messages.NamespacedHostname{Namespace: "ns1", Hostname: "headless-ipv6.ns1.svc.cluster.local"}
	external := messages.NamespacedHostname{Namespace: "ns1", Hostname: "headless.example.com"}
	workloads := []*messages.Workload{
		client(),
		endpoint("headless.pod0.ns1.svc.cluster.local", headless, "30.30.30.30", "2001:db8::30"),
		endpoint("headless1", headless, "31.31.31.31", "2001:db8::31"),
		endpoint("headless-external", external, "32.32.32.32", "2001:db8::32"),
		endpoint("headless2", headless6, "33.33.33.33", "2001:db8::33"),
	}
	services := []*messages.Service{
		service("ns1", "www.google.com", "1.1.1.1"),
		kube("ns1", "productpage", "9.9.9.9"),
		kube("ns2", "example", "10.10.10.10"),
		private(kube("ns2", "nslocal", "10.10.10.240")),
		private(kube("ns1", "nslocalsame", "10.10.10.241")),
		service("ns2", "everywhere.io", "10.10.10.110"),
		service("ns2", "preferred.io", "10.10.10.210"),
		service("preferred-ns", "everywhere.io", "10.10.10.111"),
		service("preferred-ns", "preferred.io", "10.10.10.211"),
		service("ns1", "everywhere.io", "10.10.10.112"),
		service("ns2", "canonical.svc", "10.10.10.140"),
		canonical(service("ns3", "canonical.svc", "10.10.10.141")),
		service("ns1", "canonical.with.local", "10.10.10.150"),
		canonical(service("ns2", "canonical.with.local", "10.10.10.151")),
		service("ns2", "details.ns2.svc.cluster.remote", "11.11.11.11", "12.12.12.12", "13.13.13.13", "14.14.14.14"),
		service("ns1", "ipv4.localhost", "2.2.2.2"),
		service("ns1", "ipv6.localhost", "2001:db8::ff00:42:8329"),
		service("ns1", "dual.localhost", "2.2.2.2", "2001:db8::ff00:42:8329"),
		service("ns1", "*.wildcard", "10.10.10.10"),
		service("ns1", "*.b.wildcard", "11.11.11.11"),
		service("ns1", "*.svc.mesh.company.net", "10.1.2.3"),
		kube("ns1", "nw2-only", "!20.20.20.20"),
		kube("ns1", "both-networks", "21.21.21.21", "!22.22.22.22"),
		kube("ns1", "headless"),
		service("ns1", "headless.example.com"),
		service("ns1", "headless-no-endpoints.example.com"),
		with(kube("ns1", "headless-ipv6"), func(s *messages.Service) { s.IPFamilies = messages.FamiliesIPv6 }),
		// Beyond the reference's table.
		with(kube("ns1", "v4-only"), func(s *messages.Service) { s.IPFamilies = messages.FamiliesIPv4 }),
		service("ns1", "Upper.Example.COM", "10.2.0.1"),
		service("ns1", "bücher.example", "10.2.0.2"),
		with(service("ns1", "range.example.com"), func(s *messages.Service) {
			s.CIDRVIPs = []messages.NetworkPrefix{{Network: "nw1", Prefix: netip.MustParsePrefix("10.3.0.0/16")}}
		}),
	}
	return workloads, services
}

func TestLookup(t *testing.T) {
	const a, aaaa = wire.TypeA, wire.TypeAAAA
	up := serveNames(t, zone(t, ". 60 SOA ns.example. admin.example. 1 1 1 1 60", "www.bing.com. 60 A 1.1.1.1", "www.bing.com. 60 AAAA ::1"))
	w := newWorld(t, servers(patience, up.addr))
	w.know(catalogue())
	const six = "2001:db8::ff00:42:8329"
	forwarded := []string{"forwarded"}
	for _, test := range []struct {
		name string
		kind uint16
		want []string // "forwarded" alone is NXDOMAIN from the name server
	}{
		{"productpage.ns1.", wire.TypeNS, forwarded},
		{"www.google.com.", a, []string{"www.google.com. 30 IN A 1.1.1.1"}},
		{"www.google.com.ns1.svc.cluster.local.", a, []string{"www.google.com.ns1.svc.cluster.local. 30 IN CNAME www.google.com.", "www.google.com. 30 IN A 1.1.1.1"}},
		{"productpage.ns1.svc.cluster.local.", a, []string{"productpage.ns1.svc.cluster.local. 30 IN A 9.9.9.9"}},
		{"productpage.ns1.", a, []string{"productpage.ns1. 30 IN A 9.9.9.9"}},
		{"productpage.", a, []string{"productpage. 30 IN A 9.9.9.9"}},
		{"productpage.ns1.ns1.svc.cluster.local.", a, []string{"productpage.ns1.ns1.svc.cluster.local. 30 IN CNAME productpage.ns1.", "productpage.ns1. 30 IN A 9.9.9.9"}},
		{"productpage.ns1.ns1.svc.cluster.local.", aaaa, nil},
		{"example.ns2.", a, []string{"example.ns2. 30 IN A 10.10.10.10"}},
		{"example.ns2.svc.cluster.local.", a, []string{"example.ns2.svc.cluster.local. 30 IN A 10.10.10.10"}},
		{"nslocal.ns2.svc.cluster.local.", a, forwarded},
		{"nslocalsame.ns1.svc.cluster.local.", a, []string{"nslocalsame.ns1.svc.cluster.local. 30 IN A 10.10.10.241"}},
		{"example.ns2.svc.", a, []string{"example.ns2.svc. 30 IN A 10.10.10.10"}},
		{"example.", a, forwarded},
		{"details.ns2.svc.cluster.remote.", a, []string{
			"details.ns2.svc.cluster.remote. 30 IN A 11.11.11.11", "details.ns2.svc.cluster.remote. 30 IN A 12.12.12.12",
			"details.ns2.svc.cluster.remote. 30 IN A 13.13.13.13", "details.ns2.svc.cluster.remote. 30 IN A 14.14.14.14",
		}},
		{"details.ns2.", a, forwarded},
		{"dual.localhost.", a, []string{"dual.localhost. 30 IN A 2.2.2.2"}},
		{"dual.localhost.", aaaa, []string{"dual.localhost. 30 IN AAAA " + six}},
		{"ipv6.localhost.", a, nil},
		{"ipv4.localhost.", aaaa, nil},
		{"foo.wildcard.", a, []string{"foo.wildcard. 30 IN A 10.10.10.10"}},
		{"a.b.wildcard.", a, []string{"a.b.wildcard. 30 IN A 11.11.11.11"}},
		{"foo.svc.mesh.company.net.", a, []string{"foo.svc.mesh.company.net. 30 IN A 10.1.2.3"}},
		{"foo.foons.svc.mesh.company.net.", a, []string{"foo.foons.svc.mesh.company.net. 30 IN A 10.1.2.3"}},
		{"foo.svc.mesh.company.net.ns1.svc.cluster.local.", a, []string{"foo.svc.mesh.company.net.ns1.svc.cluster.local. 30 IN A 10.1.2.3"}},
		{"nw2-only.ns1.svc.cluster.local.", a, nil},
		{"both-networks.ns1.svc.cluster.local.", a, []string{"both-networks.ns1.svc.cluster.local. 30 IN A 21.21.21.21"}},
		{"headless.ns1.svc.cluster.local.", a, []string{"headless.ns1.svc.cluster.local. 30 IN A 30.30.30.30", "headless.ns1.svc.cluster.local. 30 IN A 31.31.31.31"}},
		{"headless.ns1.svc.cluster.local.", aaaa, []string{"headless.ns1.svc.cluster.local. 30 IN AAAA 2001:db8::30", "headless.ns1.svc.cluster.local. 30 IN AAAA 2001:db8::31"}},
		{"headless-ipv6.ns1.svc.cluster.local.", aaaa, []string{"headless-ipv6.ns1.svc.cluster.local. 30 IN AAAA 2001:db8::33"}},
		{"headless-ipv6.ns1.svc.cluster.local.", a, nil},
		{"headless.pod0.ns1.svc.cluster.local.", a, forwarded},
		{"headless.pod0.ns1.", a, forwarded},
		{"headless-no-endpoints.example.com.", a, forwarded},
		{"headless.example.com.", a, forwarded},
		{"preferred.io.", a, []string{"preferred.io. 30 IN A 10.10.10.211"}},
		{"everywhere.io.", a, []string{"everywhere.io. 30 IN A 10.10.10.112"}},
		{"canonical.svc.", a, []string{"canonical.svc. 30 IN A 10.10.10.141"}},
		{"canonical.with.local.", a, []string{"canonical.with.local. 30 IN A 10.10.10.150"}},
		// Beyond the reference's table.
		{"v4-only.ns1.", aaaa, nil},
		{"PrOdUcTpAgE.NS1.", a, []string{"productpage.ns1. 30 IN A 9.9.9.9"}},
		{"upper.example.com.", a, []string{"upper.example.com. 30 IN A 10.2.0.1"}},
		{"xn--bcher-kva.example.", a, []string{"xn--bcher-kva.example. 30 IN A 10.2.0.2"}},
		{`b\195\188cher.example.`, a, []string{`b\195\188cher.example. 30 IN A 10.2.0.2`}},
		{"range.example.com.", a, forwarded},
		{"wildcard.", a, forwarded},
		{`product\.page.ns1.`, a, forwarded},
		{"productpage.ns1.", wire.TypeANY, forwarded},
	} {
		for _, proto := range []string{"udp", "tcp"} {
			m := w.query(proto, test.name, test.kind)
			if test.want != nil && test.want[0] == "forwarded" {
				if m.Authoritative || m.RecursionAvailable || m.Rcode != wire.RcodeNameError || len(m.Answer) != 0 || len(m.Ns) != 1 {
					t.Errorf("%s %s: want NXDOMAIN from the name server, got %s", proto, test.name, m)
				}
				continue
			}
			if got := text(m.Answer); !slices.Equal(got, test.want) {
				t.Errorf("%s %s: %q, want %q", proto, test.name, got, test.want)
			}
			if !m.Authoritative || !m.RecursionAvailable || m.Rcode != wire.RcodeSuccess || m.Question[0].Name != test.name || len(m.Ns)+len(m.Extra) != 0 {
				t.Errorf("%s %s: answered %s", proto, test.name, m)
			}
		}
	}
	for _, proto := range []string{"udp", "tcp"} {
		m := w.query(proto, "www.bing.com.", a)
		if m.Authoritative || !m.RecursionAvailable || len(m.Answer) != 1 || len(text(m.Extra)) != 1 {
			t.Errorf("%s: forwarded answer %s", proto, m)
		}
	}
}

func TestOrderIsRandom(t *testing.T) {
	w := newWorld(t)
	w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "many", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")})
	first := map[string]int{}
	for range 100 {
		first[w.query("udp", "many.", wire.TypeA).Answer[0].(*wire.A).A.String()]++
	}
	if len(first) != 4 { // the chance that one of four never comes first is below 2e-12
		t.Errorf("first of a hundred answers: %v", first)
	}
}

func TestWithoutIPv6NoneIsTold(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.IPv6 = false })
	w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "dual", "10.0.0.1", "2001:db8::1")})
	if m := w.query("udp", "dual.", wire.TypeAAAA); m.Rcode != wire.RcodeSuccess || len(m.Answer) != 0 || !m.Authoritative {
		t.Errorf("answered %s", m)
	}
	if m := w.query("udp", "dual.", wire.TypeA); len(m.Answer) != 1 {
		t.Errorf("answered %s", m)
	}
}

func TestSearchDomains(t *testing.T) {
	c := Config{Domain: "cluster.local"}
	if got, want := c.search("default-ns"), []string{"default-ns.svc.cluster.local", "svc.cluster.local", "cluster.local"}; !slices.Equal(got, want) {
		t.Errorf("search domains %q, want %q", got, want)
	}
	c.Search = []string{"example.com"}
	if got := c.search("default-ns"); !slices.Equal(got, c.Search) {
		t.Errorf("search domains %q, want those that are known", got)
	}
}

func TestLargeAnswers(t *testing.T) {
	var list []string
	for i := range 200 {
		list = append(list, netip.AddrFrom4([4]byte{240, 0, 0, byte(i)}).String())
	}
	w := newWorld(t)
	w.know([]*messages.Workload{client()}, []*messages.Service{service("ns1", "large.com", list...)})
	if m := w.query("tcp", "large.com.", wire.TypeA); m.Truncated || len(m.Answer) != 200 {
		t.Errorf("over TCP: %d answers, cut %v", len(m.Answer), m.Truncated)
	}
	if m := w.query("udp", "large.com.", wire.TypeA, func(m *wire.Msg) { m.SetEdns0(1232, false) }); !m.Truncated || len(m.Answer) != 74 {
		t.Errorf("over UDP with 1232 bytes: %d answers, cut %v; want 74", len(m.Answer), m.Truncated)
	}
	if m := w.query("udp", "large.com.", wire.TypeA); !m.Truncated || len(m.Answer) > 30 || len(m.Answer) == 0 {
		t.Errorf("over UDP without EDNS: %d answers, cut %v", len(m.Answer), m.Truncated)
	}
}
