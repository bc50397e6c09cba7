package state

import (
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

// named is a service with a VIP.
func named(key string, change ...func(*messages.Service)) *messages.Service {
	s := service(key)
	s.VIPs = []messages.NetworkAddress{{Addr: ip("10.0.0.1")}}
	for _, f := range change {
		f(s)
	}
	return s
}

func canonicalOne(s *messages.Service) { s.Canonical = true }
func privateOne(s *messages.Service)   { s.Visibility = messages.VisibilityNamespace }
func withoutVIP(s *messages.Service)   { s.VIPs = nil }

func TestFindHost(t *testing.T) {
	type find struct {
		name, namespace string
		search          []string
	}
	for _, test := range []struct {
		name     string
		services []*messages.Service
		find     find
		want     string
		stripped string
		wildcard bool
	}{
		{"none", nil, find{"a.com", "ns1", nil}, "", "", false},
		{"the first, where nothing decides", []*messages.Service{named("ns2/a.com"), named("ns3/a.com")}, find{"a.com", "ns1", nil}, "ns2/a.com", "", false},
		{"the preferred one", []*messages.Service{named("ns2/a.com"), named("pref/a.com")}, find{"a.com", "ns1", nil}, "pref/a.com", "", false},
		{"a canonical one before it", []*messages.Service{named("ns2/a.com", canonicalOne), named("pref/a.com")}, find{"a.com", "ns1", nil}, "ns2/a.com", "", false},
		{"the last canonical one", []*messages.Service{named("ns2/a.com", canonicalOne), named("ns3/a.com", canonicalOne)}, find{"a.com", "ns1", nil}, "ns3/a.com", "", false},
		{"our own before all", []*messages.Service{named("ns2/a.com", canonicalOne), named("ns1/a.com"), named("pref/a.com")}, find{"a.com", "ns1", nil}, "ns1/a.com", "", false},
		{"hidden", []*messages.Service{named("ns2/a.com", privateOne)}, find{"a.com", "ns1", nil}, "", "", false},
		{"hidden, and a wildcard that is not", []*messages.Service{named("ns2/a.com", privateOne), named("ns2/*.com")}, find{"a.com", "ns1", nil}, "ns2/*.com", "", true},
		{"no address and not of the cluster", []*messages.Service{named("ns1/a.com", withoutVIP)}, find{"a.com", "ns1", nil}, "", "", false},
		{"headless", []*messages.Service{named("ns1/a.ns1.svc.d", withoutVIP)}, find{"a", "ns1", nil}, "ns1/a.ns1.svc.d", "", false},
		{"the deeper wildcard", []*messages.Service{named("ns1/*.com"), named("ns1/*.b.com")}, find{"a.b.com", "ns1", nil}, "ns1/*.b.com", "", true},
		{"no wildcard of everything", []*messages.Service{named("ns1/*")}, find{"a.com", "ns1", nil}, "", "", false},
		{"without a search domain", []*messages.Service{named("ns1/a.com")}, find{"a.com.svc.d", "ns1", []string{"svc.d", "d"}}, "ns1/a.com", "a.com", false},
		{"in another case", []*messages.Service{named("ns1/A.com")}, find{"a.com", "ns1", nil}, "ns1/A.com", "", false},
		{"of another alphabet", []*messages.Service{named("ns1/bücher.com")}, find{"xn--bcher-kva.com", "ns1", nil}, "ns1/bücher.com", "", false},
		{"both spellings", []*messages.Service{named("ns2/a.com"), named("ns1/A.com")}, find{"a.com", "ns1", nil}, "ns1/A.com", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			table := NewServiceTable(seeded())
			setServices(table, test.services...)
			q := &messages.FindHost{Question: messages.Question{ID: 9}, Preferred: "pref", HostQuestion: messages.HostQuestion{
				Name: test.find.name, Namespace: test.find.namespace, Domain: "d", Search: test.find.search,
			}}
			got := ""
			a := table.FindHost(q)
			if a.Service != nil {
				got = a.Service.Key().String()
			}
			if got != test.want || a.Alias.Stripped != test.stripped || a.Wildcard != test.wildcard || a.ID != 9 || a.Version != table.Version() {
				t.Errorf("found %q by %+v, wildcard %v; want %q, %q, %v", got, a.Alias, a.Wildcard, test.want, test.stripped, test.wildcard)
			}
			for _, s := range test.services {
				table.ApplyServices(&messages.UpdateServices{Remove: []messages.NamespacedHostname{s.Key()}})
			}
			if a := table.FindHost(q); a.Service != nil || len(table.byCanonical) != 0 {
				t.Errorf("after everything was removed: %v, %d spellings are left", a.Service, len(table.byCanonical))
			}
		})
	}
}
