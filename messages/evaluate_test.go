package messages

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func policy(name string, action Action, dryRun bool, rules ...Rule) *Authorization {
	return &Authorization{
		Key: "ns1/" + name, Name: name, Namespace: "ns1",
		Scope: ScopeNamespace, Action: action, DryRun: dryRun, Rules: rules,
	}
}

var everything = Rule{}

func onPort(port uint16) Rule { return Rule{Clause{{DestinationPorts: []uint16{port}}}} }

func TestEvaluateOrder(t *testing.T) {
	conn := tlsConn()
	allow := policy("allow", ActionAllow, false, onPort(8080))
	allowOther := policy("allow-other", ActionAllow, false, onPort(1))
	deny := policy("deny", ActionDeny, false, onPort(2), everything)
	denyOther := policy("deny-other", ActionDeny, false, onPort(1))
	dryDeny := policy("dry-deny", ActionDeny, true, everything)
	dryAllow := policy("dry-allow", ActionAllow, true, onPort(8080))
	dryAllowOther := policy("dry-allow-other", ActionAllow, true, onPort(1))

	for _, tc := range []struct {
		name     string
		policies []*Authorization
		want     Verdict
	}{
		{"no policies", nil, Verdict{Allowed: true, Rule: -1}},
		{"only denials that do not match", []*Authorization{denyOther}, Verdict{Allowed: true, Rule: -1}},
		{"allowed", []*Authorization{denyOther, allowOther, allow}, Verdict{
			Allowed: true, Policy: allow, Rule: 0,
			Decisions: []Decision{{allow, 0, "destination_ports", "allow policy match"}},
		}},
		{"none allowed", []*Authorization{allowOther}, Verdict{
			Rule: -1, Text: "allow policies exist, but none allowed",
			Decisions: []Decision{{nil, -1, "", "no allow policies matched"}},
		}},
		{"denial beats allowance", []*Authorization{allow, deny}, Verdict{
			Policy: deny, Rule: 1, Text: "explicitly denied by: ns1/deny",
			Decisions: []Decision{{deny, 1, "", "deny policy match"}},
		}},
		{"the first denial decides", []*Authorization{deny, policy("later", ActionDeny, false, everything)}, Verdict{
			Policy: deny, Rule: 1, Text: "explicitly denied by: ns1/deny",
			Decisions: []Decision{{deny, 1, "", "deny policy match"}},
		}},
		{"dry-run denial has no effect", []*Authorization{dryDeny}, Verdict{
			Allowed: true, Rule: -1, DryRunDenied: true,
			Decisions: []Decision{
				{dryDeny, 0, "", "dry-run: deny policy match"},
				{nil, -1, "", "no allow policies, allow"},
			},
		}},
		{"dry-run denial comes first and is not told of a denied connection", []*Authorization{deny, dryDeny}, Verdict{
			Policy: deny, Rule: 1, Text: "explicitly denied by: ns1/deny",
			Decisions: []Decision{
				{dryDeny, 0, "", "dry-run: deny policy match"},
				{deny, 1, "", "deny policy match"},
			},
		}},
		{"dry-run allowance does not allow", []*Authorization{dryAllow, allowOther}, Verdict{
			Rule: -1, Text: "allow policies exist, but none allowed",
			Decisions: []Decision{
				{dryAllow, 0, "destination_ports", "dry-run: allow policy match"},
				{nil, -1, "", "no allow policies matched"},
			},
		}},
		{"dry-run allowance alone", []*Authorization{dryAllow}, Verdict{
			Allowed: true, Rule: -1,
			Decisions: []Decision{
				{dryAllow, 0, "destination_ports", "dry-run: allow policy match"},
				{nil, -1, "", "no allow policies, allow"},
			},
		}},
		{"dry-run allowances of which none matches", []*Authorization{dryAllowOther}, Verdict{
			Allowed: true, Rule: -1, DryRunDenied: true,
			Decisions: []Decision{
				{nil, -1, "", "dry-run: no allow policies match"},
				{nil, -1, "", "no allow policies, allow"},
			},
		}},
		{"an enforced allowance silences the dry-run summary", []*Authorization{dryAllowOther, allow}, Verdict{
			Allowed: true, Policy: allow, Rule: 0,
			Decisions: []Decision{{allow, 0, "destination_ports", "allow policy match"}},
		}},
		{"dry-run and enforced", []*Authorization{dryDeny, dryAllow, allow}, Verdict{
			Allowed: true, Policy: allow, Rule: 0, DryRunDenied: true,
			Decisions: []Decision{
				{dryDeny, 0, "", "dry-run: deny policy match"},
				{dryAllow, 0, "destination_ports", "dry-run: allow policy match"},
				{allow, 0, "destination_ports", "allow policy match"},
			},
		}},
		{"a denied connection is not dry-run denied", []*Authorization{dryDeny, allowOther}, Verdict{
			Rule: -1, Text: "allow policies exist, but none allowed",
			Decisions: []Decision{
				{dryDeny, 0, "", "dry-run: deny policy match"},
				{nil, -1, "", "no allow policies matched"},
			},
		}},
		{"a policy without rules never matches but counts", []*Authorization{policy("empty", ActionAllow, false)}, Verdict{
			Rule: -1, Text: "allow policies exist, but none allowed",
			Decisions: []Decision{{nil, -1, "", "no allow policies matched"}},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Evaluate(tc.policies, conn)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEvaluateUnparsable(t *testing.T) {
	bad := Match{Unparsable: true, DestinationPorts: []uint16{1}}
	good := Match{DestinationPorts: []uint16{8080}}
	for _, tc := range []struct {
		name   string
		action Action
		rule   Rule
		want   bool
	}{
		{"an allowance never matches", ActionAllow, Rule{Clause{bad}}, false},
		{"a denial always does", ActionDeny, Rule{Clause{bad}}, true},
		{"an allowance's other alternative still may", ActionAllow, Rule{Clause{bad, good}}, true},
		{"an allowance's other clause can't make up for it", ActionAllow, Rule{Clause{bad}, Clause{good}}, false},
		{"a denial's other clause still must", ActionDeny, Rule{Clause{bad}, Clause{{DestinationPorts: []uint16{2}}}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, field, ok := policy("p", tc.action, false, tc.rule).Match(tlsConn())
			if ok != tc.want {
				t.Errorf("matches %v, want %v", ok, tc.want)
			}
			if ok && tc.action == ActionDeny && field != FieldUnparsable {
				t.Errorf("field %q, want %q", field, FieldUnparsable)
			}
		})
	}
}

func TestEvaluateDoesNotAllocateWhenNothingMatches(t *testing.T) {
	conn := plaintextConn()
	policies := []*Authorization{
		policy("a", ActionDeny, false, onPort(1)),
		policy("b", ActionDeny, true, Rule{Clause{{Principals: []StringMatch{{Kind: MatchExact, Value: "x"}}}}}),
	}
	if n := testing.AllocsPerRun(100, func() { Evaluate(policies, conn) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestEvaluateAgainstOracle compares with the definition written out naively.
func TestEvaluateAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policies := rapid.SliceOfN(drawPolicy(), 0, 6).Draw(t, "policies")
		conn := drawConnection().Draw(t, "connection")
		got := Evaluate(policies, conn)
		allowed, dryDenied := oracle(policies, conn)
		if got.Allowed != allowed || got.DryRunDenied != dryDenied {
			t.Fatalf("allowed %v, dry-run denied %v; want %v, %v", got.Allowed, got.DryRunDenied, allowed, dryDenied)
		}
		if got.Allowed != (got.Text == "") {
			t.Fatalf("text %q of a verdict with allowed %v", got.Text, got.Allowed)
		}
		if got.Policy != nil {
			if _, _, ok := got.Policy.Match(conn); !ok || got.Policy.DryRun || got.Rule < 0 {
				t.Fatalf("decided by %v, rule %d, which does not match", got.Policy, got.Rule)
			}
		}
	})
}

func oracle(policies []*Authorization, c *Connection) (allowed, dryDenied bool) {
	var enforcedAllow, matchedAllow, denied, dryDeny, dryAllow, dryAllowMatched bool
	for _, p := range policies {
		m := oracleMatches(p, c)
		switch {
		case p.Action == ActionDeny && p.DryRun:
			dryDeny = dryDeny || m
		case p.Action == ActionDeny:
			denied = denied || m
		case p.DryRun:
			dryAllow, dryAllowMatched = true, dryAllowMatched || m
		default:
			enforcedAllow, matchedAllow = true, matchedAllow || m
		}
	}
	allowed = !denied && (!enforcedAllow || matchedAllow)
	return allowed, allowed && (dryDeny || dryAllow && !dryAllowMatched && !enforcedAllow)
}

func oracleMatches(p *Authorization, c *Connection) bool {
	anyRule := false
	for _, r := range p.Rules {
		all := true
		for _, cl := range r {
			one := len(cl) == 0
			for _, m := range cl {
				one = one || m.Unparsable && p.Action == ActionDeny || !m.Unparsable && oracleMatch(m, c)
			}
			all = all && one
		}
		anyRule = anyRule || all
	}
	return anyRule
}

func oracleMatch(m Match, c *Connection) bool {
	id := c.SrcIdentity
	empty, result := true, true
	list := func(n int, negated bool, matches func(i int) bool) {
		if n == 0 {
			return
		}
		empty = false
		found := false
		for i := range n {
			found = found || matches(i)
		}
		result = result && found != negated
	}
	text := func(l []StringMatch, negated, possible bool, v string) {
		list(len(l), negated, func(i int) bool { return possible && l[i].Matches(v) })
	}
	ips := func(l []netip.Prefix, negated bool, ip netip.Addr) {
		list(len(l), negated, func(i int) bool { return l[i].Contains(ip) })
	}
	ports := func(l []uint16, negated bool) {
		list(len(l), negated, func(i int) bool { return l[i] == c.Dst.Port() })
	}
	accounts := func(l []ServiceAccountMatch, negated bool) {
		list(len(l), negated, func(i int) bool {
			return !id.IsZero() && l[i].Namespace == id.Namespace && l[i].ServiceAccount == id.ServiceAccount
		})
	}
	text(m.Namespaces, false, true, id.Namespace)
	text(m.NotNamespaces, true, true, id.Namespace)
	text(m.Principals, false, !id.IsZero(), id.Principal())
	text(m.NotPrincipals, true, !id.IsZero(), id.Principal())
	ips(m.SourceIPs, false, c.SrcIP)
	ips(m.NotSourceIPs, true, c.SrcIP)
	ips(m.DestinationIPs, false, c.Dst.Addr())
	ips(m.NotDestinationIPs, true, c.Dst.Addr())
	ports(m.DestinationPorts, false)
	ports(m.NotDestinationPorts, true)
	accounts(m.ServiceAccounts, false)
	accounts(m.NotServiceAccounts, true)
	return result && !empty
}

func drawPolicy() *rapid.Generator[*Authorization] {
	return rapid.Custom(func(t *rapid.T) *Authorization {
		rule := rapid.Custom(func(t *rapid.T) Rule {
			clause := rapid.Custom(func(t *rapid.T) Clause {
				return rapid.SliceOfN(drawMatch(), 0, 2).Draw(t, "matches")
			})
			return rapid.SliceOfN(clause, 0, 2).Draw(t, "clauses")
		})
		return policy("p", Action(rapid.IntRange(0, 1).Draw(t, "action")), rapid.Bool().Draw(t, "dry run"),
			rapid.SliceOfN(rule, 0, 2).Draw(t, "rules")...)
	})
}

func drawMatch() *rapid.Generator[Match] {
	return rapid.Custom(func(t *rapid.T) Match {
		text := rapid.SliceOfN(rapid.SampledFrom([]StringMatch{
			{MatchExact, "a"}, {MatchPrefix, "td/"}, {MatchPrefix, ""}, {MatchSuffix, "sa/x"}, {MatchPresence, ""},
		}), 0, 2)
		nets := rapid.SliceOfN(rapid.SampledFrom([]netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.0.1.1/32"), netip.MustParsePrefix("::/0"),
		}), 0, 2)
		ports := rapid.SliceOfN(rapid.SampledFrom([]uint16{80, 8080}), 0, 2)
		accounts := rapid.SliceOfN(rapid.SampledFrom([]ServiceAccountMatch{{"a", "x"}, {"b", "x"}}), 0, 2)
		return Match{
			Namespaces: text.Draw(t, "ns"), NotNamespaces: text.Draw(t, "not ns"),
			ServiceAccounts: accounts.Draw(t, "sa"), NotServiceAccounts: accounts.Draw(t, "not sa"),
			Principals: text.Draw(t, "principals"), NotPrincipals: text.Draw(t, "not principals"),
			SourceIPs: nets.Draw(t, "src"), NotSourceIPs: nets.Draw(t, "not src"),
			DestinationIPs: nets.Draw(t, "dst"), NotDestinationIPs: nets.Draw(t, "not dst"),
			DestinationPorts: ports.Draw(t, "ports"), NotDestinationPorts: ports.Draw(t, "not ports"),
			Unparsable: rapid.IntRange(0, 9).Draw(t, "unparsable") == 0,
		}
	})
}

func drawConnection() *rapid.Generator[*Connection] {
	return rapid.Custom(func(t *rapid.T) *Connection {
		ip := rapid.SampledFrom([]netip.Addr{
			netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.0.1.1"), netip.MustParseAddr("fd00::1"),
		})
		return &Connection{
			SrcIdentity: rapid.SampledFrom([]Identity{{}, {"td", "a", "x"}, {"td", "b", "y"}, {"other", "", "x"}}).Draw(t, "id"),
			SrcIP:       ip.Draw(t, "src"),
			SrcPort:     1234,
			Dst:         netip.AddrPortFrom(ip.Draw(t, "dst"), rapid.SampledFrom([]uint16{80, 8080, 9090}).Draw(t, "port")),
		}
	})
}
