package oracle

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupe-mesh/troupe/messages"
)

// TestPoliciesAgree holds the policy store and the evaluation against the oracle (spec/dataplane.md §7).
func TestPoliciesAgree(t *testing.T) {
	var kinds tally
	worlds(t, func(t *rapid.T) {
		m := newMaker(t)
		h := newHouse(t.Fatalf, 0, nil)
		defer h.close()
		h.deliver(h.Policies, &messages.UpdatePolicies{})
		var all PolicyBook
		for range batches {
			u := m.policyUpdate(all.Policies)
			all.Update(u)
			h.deliver(h.Policies, u)
			for range asked {
				w := &messages.Workload{Namespace: pick(m, namespaces)}
				m.some(3, func() { w.AuthorizationPolicies = append(w.AuthorizationPolicies, pick(m, policyKeys)) })
				found, ok := h.ask(h.Policies, &messages.FindPolicies{Workload: w}).(*messages.PoliciesFound)
				if !ok {
					t.Fatal("no policies were found")
				}
				applying, unknown := all.For(w)
				if !samePolicies(found.Policies, applying) || !slices.Equal(found.Unknown, unknown) {
					t.Fatalf("for %+v apply %v, unknown %v; want %v, %v", w, found.Policies, found.Unknown, applying, unknown)
				}
				c := m.connection()
				rules(t, applying, c, messages.Evaluate(found.Policies, c), applying.Rule(c))
				kinds.count(fmt.Sprintf("allowed %v", applying.Rule(c).Allowed))
			}
		}
	})
	kinds.need(t, "allowed true", "allowed false")
}

// rules holds a verdict against a ruling: the outcome, its text, and every line that is told.
func rules(t *rapid.T, applying Policies, c *messages.Connection, got messages.Verdict, want Ruling) {
	fail := func(what string) {
		t.Fatalf("%s: %+v\nwant %+v\nof %s\non %+v", what, got, want, describePolicies(applying), *c)
	}
	if got.Allowed != want.Allowed || got.DryRunDenied != want.DryRunDenied {
		fail("outcome")
	}
	if got.Allowed && got.Text != "" || !got.Allowed && !slices.Contains(want.Texts, got.Text) {
		fail("text")
	}
	lines := map[string]Policies{}
	for _, d := range got.Decisions {
		lines[d.Text] = append(lines[d.Text], d.Policy)
	}
	if !samePolicies(lines["dry-run: deny policy match"], want.DryDenying) {
		fail("dry-run denials")
	}
	switch {
	case len(want.Denying) > 0:
		one := lines["deny policy match"]
		if len(one) != 1 || one[0] != got.Policy || !slices.Contains(want.Denying, got.Policy) {
			fail("denial")
		}
		return // nothing else is evaluated
	case len(want.Allowing) > 0:
		one := lines["allow policy match"]
		if len(one) != 1 || one[0] != got.Policy || !slices.Contains(want.Allowing, got.Policy) {
			fail("allowance")
		}
	case got.Policy != nil:
		fail("decided by a policy")
	case !want.Allowed && len(lines["no allow policies matched"]) != 1:
		fail("no word of the denial")
	}
	if !samePolicies(lines["dry-run: allow policy match"], want.DryAllowing) {
		fail("dry-run allowances")
	}
}

func samePolicies(a, b []*messages.Authorization) bool {
	if len(a) != len(b) {
		return false
	}
	for _, p := range a {
		if !slices.Contains(b, p) {
			return false
		}
	}
	return true
}

func describePolicies(all Policies) string {
	text := ""
	for _, p := range all {
		text += fmt.Sprintf("\n  %+v", *p)
	}
	return text
}

var policyKeys = []string{"a/one", "a/two", "a/three", "b/four", "b/five", "root/six", "root/seven"}

func (m *maker) policyUpdate(all Policies) *messages.UpdatePolicies {
	u := &messages.UpdatePolicies{Reset: m.chance(16), More: m.chance(4)}
	m.some(4, func() {
		if len(all) > 0 && m.chance(4) {
			moved := *pick(m, all)
			moved.Scope = messages.PolicyScope(m.n(3))
			u.Set = append(u.Set, &moved)
			return
		}
		u.Set = append(u.Set, m.policy(pick(m, policyKeys)))
	})
	m.some(2, func() { u.Remove = append(u.Remove, pick(m, policyKeys)) })
	return u
}

func (m *maker) policy(key string) *messages.Authorization {
	p := &messages.Authorization{
		Key: key, Name: key[len(key)-3:], Namespace: pick(m, []string{"a", "b", "root"}), Scope: messages.PolicyScope(m.n(3)),
		Action: messages.Action(m.n(2)), DryRun: m.chance(3),
	}
	m.some(3, func() {
		r := messages.Rule{}
		m.some(2, func() {
			cl := messages.Clause{}
			m.some(3, func() { cl = append(cl, m.match()) })
			r = append(r, cl)
		})
		p.Rules = append(p.Rules, r)
	})
	return p
}

// match has few attributes, so that it holds now and then.
func (m *maker) match() messages.Match {
	var a messages.Match
	for range m.n(4) {
		switch m.n(12) {
		case 0:
			a.Namespaces = several(m, texts)
		case 1:
			a.NotNamespaces = several(m, texts)
		case 2:
			a.Principals = several(m, texts)
		case 3:
			a.NotPrincipals = several(m, texts)
		case 4:
			a.ServiceAccounts = several(m, accounts)
		case 5:
			a.NotServiceAccounts = several(m, accounts)
		case 6:
			a.SourceIPs = several(m, nets)
		case 7:
			a.NotSourceIPs = several(m, nets)
		case 8:
			a.DestinationIPs = several(m, nets)
		case 9:
			a.NotDestinationIPs = several(m, nets)
		case 10:
			a.DestinationPorts = several(m, ports)
		case 11:
			a.NotDestinationPorts = several(m, ports)
		}
	}
	a.Unparsable = m.chance(16)
	return a
}

func several[T any](m *maker, from []T) []T {
	var all []T
	m.some(3, func() { all = append(all, pick(m, from)) })
	return all
}

var (
	texts = []messages.StringMatch{
		{Kind: messages.MatchExact, Value: "a"},
		{Kind: messages.MatchExact, Value: "td/ns/a/sa/x"},
		{Kind: messages.MatchExact},
		{Kind: messages.MatchPrefix, Value: "td/"},
		{Kind: messages.MatchPrefix},
		{Kind: messages.MatchPrefix, Value: "spiffe://td/"},
		{Kind: messages.MatchSuffix, Value: "sa/x"},
		{Kind: messages.MatchSuffix},
		{Kind: messages.MatchPresence},
	}
	accounts = []messages.ServiceAccountMatch{{Namespace: "a", ServiceAccount: "x"}, {Namespace: "b", ServiceAccount: "x"}, {}}
	nets     = prefixes("10.0.0.0/24", "10.0.1.1/32", "0.0.0.0/0", "::/0", "fd00::1/128", "::ffff:10.0.0.0/120")
)

func (m *maker) connection() *messages.Connection {
	ips := addrs("10.0.0.7", "10.0.1.1", "fd00::1")
	return &messages.Connection{
		SrcIdentity: pick(m, []messages.Identity{
			{},
			{TrustDomain: "td", Namespace: "a", ServiceAccount: "x"},
			{TrustDomain: "td", Namespace: "b", ServiceAccount: "y"},
			{TrustDomain: "other", Namespace: "a", ServiceAccount: "x"},
		}),
		SrcIP: pick(m, ips), SrcPort: 1234, DstNetwork: pick(m, m.networks),
		Dst: netip.AddrPortFrom(pick(m, ips), pick(m, []uint16{80, 443, 9999})),
	}
}
