package messages

import (
	"net/netip"
	"testing"
)

func plaintextConn() *Connection {
	return &Connection{SrcIP: netip.MustParseAddr("127.0.0.1"), SrcPort: 1234, Dst: netip.MustParseAddrPort("127.0.0.2:8080")}
}

func tlsConn() *Connection {
	c := plaintextConn()
	c.SrcIdentity = Identity{"td", "namespace", "account"}
	return c
}

func otherConn() *Connection {
	return &Connection{
		SrcIdentity: Identity{"td-alt", "ns-alt", "sa-alt"},
		SrcIP:       netip.MustParseAddr("127.0.0.3"), SrcPort: 1234,
		Dst: netip.MustParseAddrPort("127.0.0.4:9090"),
	}
}

func exact(v string) []StringMatch { return []StringMatch{{MatchExact, v}} }

// TestMatchAttributes asks each attribute about a plaintext peer, the matching TLS peer and another one.
func TestMatchAttributes(t *testing.T) {
	account := []ServiceAccountMatch{{"namespace", "account"}}
	src := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	dst := []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	for _, tc := range []struct {
		name                  string
		match                 Match
		plaintext, tls, other bool
	}{
		{"namespaces", Match{Namespaces: exact("namespace")}, false, true, false},
		{"not_namespaces", Match{NotNamespaces: exact("namespace")}, true, false, true},
		{"service_accounts", Match{ServiceAccounts: account}, false, true, false},
		{"not_service_accounts", Match{NotServiceAccounts: account}, true, false, true},
		{"principals", Match{Principals: exact("td/ns/namespace/sa/account")}, false, true, false},
		{"not_principals", Match{NotPrincipals: exact("td/ns/namespace/sa/account")}, true, false, true},
		{"source_ips", Match{SourceIPs: src}, true, true, false},
		{"not_source_ips", Match{NotSourceIPs: src}, false, false, true},
		{"destination_ips", Match{DestinationIPs: dst}, true, true, false},
		{"not_destination_ips", Match{NotDestinationIPs: dst}, false, false, true},
		{"destination_ports", Match{DestinationPorts: []uint16{8080}}, true, true, false},
		{"not_destination_ports", Match{NotDestinationPorts: []uint16{8080}}, false, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for peer, want := range map[*Connection]bool{
				plaintextConn(): tc.plaintext, tlsConn(): tc.tls, otherConn(): tc.other,
			} {
				_, field, ok := policy("p", ActionAllow, false, Rule{Clause{tc.match}}).Match(peer)
				if ok != want {
					t.Errorf("%+v: %v, want %v", peer, ok, want)
				}
				if ok && field != tc.name {
					t.Errorf("field %q, want %q", field, tc.name)
				}
			}
		})
	}
}

func TestMatchCIDRRange(t *testing.T) {
	rule := Rule{Clause{{DestinationIPs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/24")}}}}
	for _, c := range []*Connection{plaintextConn(), tlsConn(), otherConn()} {
		if _, _, ok := policy("p", ActionAllow, false, rule).Match(c); !ok {
			t.Errorf("%v is not in the range", c.Dst)
		}
	}
	v6 := plaintextConn()
	v6.Dst = netip.MustParseAddrPort("[::ffff:127.0.0.2]:80")
	if _, _, ok := policy("p", ActionAllow, false, rule).Match(v6); ok {
		t.Error("an IPv6 address is in an IPv4 range")
	}
}

func TestMatchPresence(t *testing.T) {
	presence := []StringMatch{{Kind: MatchPresence}}
	for _, tc := range []struct {
		name  string
		match Match
		conn  *Connection
		want  bool
	}{
		{"principal of a TLS peer", Match{Principals: presence}, tlsConn(), true},
		{"principal of a plaintext peer", Match{Principals: presence}, plaintextConn(), false},
		{"no principal of a TLS peer", Match{NotPrincipals: presence}, tlsConn(), false},
		{"no principal of a plaintext peer", Match{NotPrincipals: presence}, plaintextConn(), true},
		{"empty namespace prefix of a plaintext peer", Match{Namespaces: []StringMatch{{MatchPrefix, ""}}}, plaintextConn(), true},
		{"a scheme in a pattern", Match{Principals: exact("spiffe://td/ns/namespace/sa/account")}, tlsConn(), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, _, ok := policy("p", ActionAllow, false, Rule{Clause{tc.match}}).Match(tc.conn); ok != tc.want {
				t.Errorf("%v, want %v", ok, tc.want)
			}
		})
	}
}

func TestMatchEmptyPolicy(t *testing.T) {
	for _, tc := range []struct {
		name  string
		rules []Rule
		want  bool
	}{
		{"no rules", nil, false},
		{"a rule without clauses", []Rule{{}}, true},
		{"a clause without matches", []Rule{{Clause{}}}, true},
		{"a match without attributes", []Rule{{Clause{Match{}}}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, _, ok := policy("p", ActionAllow, false, tc.rules...).Match(plaintextConn()); ok != tc.want {
				t.Errorf("%v, want %v", ok, tc.want)
			}
		})
	}
}

func from(namespace, network string, port uint16) *Connection {
	return &Connection{
		SrcIdentity: Identity{"td", namespace, "account"},
		SrcIP:       netip.MustParseAddr("127.0.0.1"), SrcPort: 1234,
		DstNetwork: network,
		Dst:        netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), port),
	}
}

func TestMatchNesting(t *testing.T) {
	a, b := Match{Namespaces: exact("a")}, Match{Namespaces: exact("b")}
	port := Match{DestinationPorts: []uint16{80}}
	nested := policy("nested", ActionAllow, false, Rule{Clause{a, b}, Clause{port}})
	multi := policy("multi", ActionAllow, false, Rule{Clause{a}}, Rule{Clause{b}})
	for _, tc := range []struct {
		name   string
		policy *Authorization
		conn   *Connection
		want   bool
		rule   int
	}{
		{"first alternative", nested, from("a", "", 80), true, 0},
		{"second alternative", nested, from("b", "", 80), true, 0},
		{"whatever the network", nested, from("b", "remote", 80), true, 0},
		{"wrong namespace", nested, from("bad", "", 80), false, -1},
		{"wrong port", nested, from("b", "", 12345), false, -1},
		{"first rule", multi, from("a", "", 80), true, 0},
		{"second rule", multi, from("b", "", 80), true, 1},
		{"no rule", multi, from("bad", "", 80), false, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if rule, _, ok := tc.policy.Match(tc.conn); ok != tc.want || rule != tc.rule {
				t.Errorf("%v by rule %d, want %v by %d", ok, rule, tc.want, tc.rule)
			}
		})
	}
}

func TestStringMatch(t *testing.T) {
	for _, tc := range []struct {
		match StringMatch
		in    string
		want  bool
	}{
		{StringMatch{MatchExact, "foo"}, "foo", true},
		{StringMatch{MatchExact, "foo"}, "not", false},
		{StringMatch{MatchExact, "foo"}, "", false},
		{StringMatch{MatchPrefix, "foo"}, "foobar", true},
		{StringMatch{MatchPrefix, "foo"}, "notfoo", false},
		{StringMatch{MatchPrefix, "foo"}, "", false},
		{StringMatch{MatchSuffix, "foo"}, "barfoo", true},
		{StringMatch{MatchSuffix, "foo"}, "foonot", false},
		{StringMatch{MatchSuffix, "foo"}, "", false},
		{StringMatch{Kind: MatchPresence}, "foo", true},
		{StringMatch{Kind: MatchPresence}, "", false},
	} {
		if got := tc.match.Matches(tc.in); got != tc.want {
			t.Errorf("%+v of %q: %v, want %v", tc.match, tc.in, got, tc.want)
		}
	}
}
