package state

import (
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

// seen is one expectation: who is found at address as namespace sees it.
type seen struct{ address, namespace, want string }

func expect(t *testing.T, table *ServiceTable, all ...seen) {
	t.Helper()
	for _, s := range all {
		if got := bestAt(table, s.address, s.namespace); got != s.want {
			t.Errorf("%s seen from %q: got %q, want %q", s.address, s.namespace, got, s.want)
		}
	}
}

func TestBestByAddress(t *testing.T) {
	for _, tc := range []struct {
		name     string
		services []*messages.Service
		want     []seen
	}{
		{"shared_vip_different_namespaces", []*messages.Service{service("ns1/a.com", "10.0.0.1"), service("ns2/a.com", "10.0.0.1")}, []seen{
			{"10.0.0.1", "ns1", "ns1/a.com"}, {"10.0.0.1", "ns2", "ns2/a.com"}, {"10.0.0.1", "ns3", "ns1/a.com"}, {"10.0.0.1", "", "ns1/a.com"},
		}},
		{"canonical beats the first, the last canonical wins", []*messages.Service{
			service("ns1/a.com", "10.0.0.1"), canonical(service("ns2/a.com", "10.0.0.1")),
			canonical(service("ns3/a.com", "10.0.0.1")), service("ns4/a.com", "10.0.0.1"),
		}, []seen{{"10.0.0.1", "", "ns3/a.com"}, {"10.0.0.1", "other", "ns3/a.com"}, {"10.0.0.1", "ns4", "ns4/a.com"}}},
		{"namespace_visibility_vip", []*messages.Service{private(service("ns1/a.com", "10.0.0.1", "10.1.0.0/16"))}, []seen{
			{"10.0.0.1", "ns1", "ns1/a.com"},
			{"10.0.0.1", "ns2", ""},
			{"10.0.0.1", "", "ns1/a.com"},
			{"10.1.2.3", "ns1", "ns1/a.com"},
			{"10.1.2.3", "ns2", ""},
			{"10.1.2.3", "", "ns1/a.com"},
		}},
		{"visibility_filtered_exact_vip_falls_through_to_cidr", []*messages.Service{
			private(service("ns1/exact.com", "10.0.0.1")), service("ns2/wide.com", "10.0.0.0/24"),
		}, []seen{{"10.0.0.1", "ns3", "ns2/wide.com"}, {"10.0.0.1", "ns1", "ns1/exact.com"}}},
		{"cidr_match_v4", []*messages.Service{service("ns/a.com", "10.0.0.0/24")}, []seen{
			{"10.0.0.0", "ns", "ns/a.com"}, {"10.0.0.255", "ns", "ns/a.com"}, {"10.0.1.0", "ns", ""},
		}},
		{"cidr_match_v6", []*messages.Service{service("ns/a.com", "2001:db8::/64")}, []seen{
			{"2001:db8::1", "ns", "ns/a.com"}, {"2001:db8:0:1::1", "ns", ""},
		}},
		{"host bits in a range do not matter", []*messages.Service{service("ns/a.com", "10.0.0.77/24")}, []seen{{"10.0.0.1", "ns", "ns/a.com"}}},
		{"longest_prefix_match_v4", []*messages.Service{service("ns/wide.com", "10.0.0.0/16"), service("ns/narrow.com", "10.0.1.0/24")}, []seen{
			{"10.0.1.1", "ns", "ns/narrow.com"}, {"10.0.2.1", "ns", "ns/wide.com"},
		}},
		{"longest_prefix_match_v6", []*messages.Service{service("ns/narrow.com", "2001:db8:1::/48"), service("ns/wide.com", "2001:db8::/32")}, []seen{
			{"2001:db8:1::1", "ns", "ns/narrow.com"}, {"2001:db8:2::1", "ns", "ns/wide.com"},
		}},
		{"dual_stack_cidr", []*messages.Service{service("ns/a.com", "10.0.0.0/24", "2001:db8::/64")}, []seen{
			{"10.0.0.9", "ns", "ns/a.com"}, {"2001:db8::9", "ns", "ns/a.com"}, {"10.0.9.9", "ns", ""}, {"2001:db9::9", "ns", ""},
		}},
		{"cidr_family_mismatch v6", []*messages.Service{service("ns/a.com", "10.0.0.0/8")}, []seen{{"::ffff:10.0.0.1", "ns", ""}, {"::1", "ns", ""}}},
		{"cidr_family_mismatch v4", []*messages.Service{service("ns/a.com", "::/0")}, []seen{{"10.0.0.1", "ns", ""}}},
		{"exact_v4_with_cidr_v6", []*messages.Service{service("ns/a.com", "10.0.0.1", "2001:db8::/64")}, []seen{
			{"10.0.0.1", "ns", "ns/a.com"}, {"10.0.0.2", "ns", ""}, {"2001:db8::7", "ns", "ns/a.com"},
		}},
		{"exact_match_priority_over_cidr_v4", []*messages.Service{service("ns/range.com", "10.0.0.0/24"), service("ns/exact.com", "10.0.0.1")}, []seen{
			{"10.0.0.1", "ns", "ns/exact.com"}, {"10.0.0.2", "ns", "ns/range.com"},
		}},
		{"exact_match_priority_over_cidr_v6", []*messages.Service{service("ns/exact.com", "2001:db8::1"), service("ns/range.com", "2001:db8::/64")}, []seen{
			{"2001:db8::1", "ns", "ns/exact.com"}, {"2001:db8::2", "ns", "ns/range.com"},
		}},
		{"cidr_network_scoping", []*messages.Service{service("ns/a.com", "10.0.0.0/24")}, []seen{{"10.0.0.1", "ns", "ns/a.com"}, {"remote/10.0.0.1", "ns", ""}}},
		{"overlapping_cidr_different_namespaces", []*messages.Service{service("ns1/a.com", "10.0.0.0/24"), service("ns2/a.com", "10.0.0.0/24")}, []seen{
			{"10.0.0.1", "ns1", "ns1/a.com"}, {"10.0.0.1", "ns2", "ns2/a.com"}, {"10.0.0.1", "ns3", "ns1/a.com"},
		}},
		{"cidr_namespace_preferred_over_cidr_specificity", []*messages.Service{service("ns1/wide.com", "10.0.0.0/16"), service("ns2/narrow.com", "10.0.1.0/24")}, []seen{
			{"10.0.1.1", "ns1", "ns1/wide.com"}, {"10.0.1.1", "ns3", "ns2/narrow.com"}, {"10.0.1.1", "", "ns2/narrow.com"}, {"10.0.2.1", "ns3", "ns1/wide.com"},
		}},
		{"canonical breaks ties of ranges", []*messages.Service{service("ns1/a.com", "10.0.0.0/24"), canonical(service("ns2/b.com", "10.0.0.0/24"))}, []seen{
			{"10.0.0.1", "ns3", "ns2/b.com"},
		}},
		{"no namespace given is not the namespace without a name", []*messages.Service{service("/a.com", "10.0.0.1", "10.1.0.0/16"), canonical(service("ns/b.com", "10.0.0.1")), service("ns/c.com", "10.1.0.0/24")}, []seen{
			{"10.0.0.1", "", "ns/b.com"}, {"10.1.0.1", "", "ns/c.com"},
		}},
		{"one namespace, one VIP, two services: both are kept", []*messages.Service{service("ns/a.com", "10.0.0.1"), service("ns/b.com", "10.0.0.1")}, []seen{
			{"10.0.0.1", "ns", "ns/a.com"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := NewServiceTable(nil)
			setServices(table, tc.services...)
			expect(t, table, tc.want...)
		})
	}
}

func TestRemovedServicesLeaveTheOthers(t *testing.T) {
	table := NewServiceTable(nil)
	setServices(table,
		service("ns1/a.com", "10.0.0.1", "10.1.0.0/24"), service("ns2/a.com", "10.0.0.1", "10.1.0.0/24"),
		service("ns2/b.com", "10.0.0.1"))
	removeServices(table, "ns1/a.com")
	expect(t, table, seen{"10.0.0.1", "ns1", "ns2/a.com"}, seen{"10.1.0.1", "ns1", "ns2/a.com"})
	removeServices(table, "ns2/a.com", "ns9/never.com")
	expect(t, table, seen{"10.0.0.1", "ns2", "ns2/b.com"}, seen{"10.1.0.1", "ns2", ""})
	removeServices(table, "ns2/b.com")
	if len(table.byKey)+len(table.byHost)+len(table.byVIP)+len(table.byCIDR) != 0 {
		t.Errorf("indexes are not empty: %v %v %v %v", table.byKey, table.byHost, table.byVIP, table.byCIDR)
	}
}

// TestReplacedServiceGoesToTheEnd pins the list order on which ties depend.
func TestReplacedServiceGoesToTheEnd(t *testing.T) {
	table := NewServiceTable(nil)
	setServices(table, service("ns1/a.com", "10.0.0.1", "10.1.0.0/24"), service("ns2/a.com", "10.0.0.1", "10.1.0.0/24"))
	setServices(table, service("ns1/a.com", "10.0.0.1", "10.1.0.0/24"))
	expect(t, table, seen{"10.0.0.1", "", "ns2/a.com"}, seen{"10.1.0.1", "", "ns2/a.com"})

	// Endpoints alone move nothing, and leave no copies behind.
	setEndpoints(table, behind(pod("w", "10.9.0.1"), nil, "ns2/a.com"))
	expect(t, table, seen{"10.0.0.1", "", "ns2/a.com"}, seen{"10.1.0.1", "", "ns2/a.com"})
	setServices(table, service("ns1/a.com", "10.0.0.7"))
	expect(t, table, seen{"10.0.0.1", "ns1", "ns2/a.com"}, seen{"10.1.0.1", "ns1", "ns2/a.com"}, seen{"10.0.0.7", "", "ns1/a.com"})
}

func TestNamespaceVisibilityHost(t *testing.T) {
	table := NewServiceTable(nil)
	setServices(table, private(service("ns1/a.com")))
	see := func(namespace string) string {
		if e := table.byHostname("a.com", namespace); e != nil {
			return e.key.String()
		}
		return ""
	}
	for namespace, want := range map[string]string{"ns1": "ns1/a.com", "ns2": "", "": "ns1/a.com"} {
		if got := see(namespace); got != want {
			t.Errorf("seen from %q: got %q, want %q", namespace, got, want)
		}
	}
	setServices(table, service("ns2/a.com"))
	for namespace, want := range map[string]string{"ns1": "ns1/a.com", "ns2": "ns2/a.com", "ns3": "ns2/a.com"} {
		if got := see(namespace); got != want {
			t.Errorf("with a public twin, seen from %q: got %q, want %q", namespace, got, want)
		}
	}
}
