package oracle

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
)

// Policies are policies in any order.
type Policies []*messages.Authorization

// PolicyBook is all policies that discovery has delivered.
type PolicyBook struct {
	Policies
	// doomed are those that a full delivery that has begun has not named so far.
	doomed []string
}

// Update does what the message says.
func (b *PolicyBook) Update(u *messages.UpdatePolicies) {
	drop := func(key string) {
		b.Policies = slices.DeleteFunc(slices.Clone(b.Policies), func(p *messages.Authorization) bool { return p.Key == key })
	}
	if u.Reset {
		b.doomed = nil
		for _, p := range b.Policies {
			b.doomed = append(b.doomed, p.Key)
		}
	}
	for _, key := range u.Remove {
		drop(key)
	}
	for _, p := range u.Set {
		drop(p.Key)
		b.Policies = append(b.Policies, p)
		b.doomed = without(b.doomed, p.Key)
	}
	if !u.More {
		for _, key := range b.doomed {
			drop(key)
		}
		b.doomed = nil
	}
}

// For are the policies that apply to a workload, and the names it gives that are not known (§7.3).
func (all Policies) For(w *messages.Workload) (applying Policies, unknown []string) {
	for _, p := range all {
		global := p.Scope == messages.ScopeGlobal
		inNamespace := p.Scope == messages.ScopeNamespace && p.Namespace == w.Namespace
		if global || inNamespace || slices.Contains(w.AuthorizationPolicies, p.Key) {
			applying = append(applying, p)
		}
	}
	for _, key := range w.AuthorizationPolicies {
		known := slices.ContainsFunc(all, func(p *messages.Authorization) bool { return p.Key == key })
		if !known && !slices.Contains(unknown, key) {
			unknown = append(unknown, key)
		}
	}
	return applying, unknown
}

// Ruling is a verdict: whether the connection may be, and every line that may be told of it.
type Ruling struct {
	Allowed bool
	// Texts are the texts of which a denial has one.
	Texts []string
	// Denying and Allowing are the enforced policies that match; DryDenying and DryAllowing those that only would.
	Denying, Allowing, DryDenying, DryAllowing Policies
	// DryRunDenied says that an allowed connection would be denied if dry runs were not dry.
	DryRunDenied bool
}

// Rule is §7.4.
func (all Policies) Rule(c *messages.Connection) Ruling {
	var r Ruling
	enforced, dry := false, false
	for _, p := range all {
		deny := p.Action == messages.ActionDeny
		if !deny {
			enforced = enforced || !p.DryRun
			dry = dry || p.DryRun
		}
		if !policyMatches(p, c) {
			continue
		}
		switch {
		case deny && p.DryRun:
			r.DryDenying = append(r.DryDenying, p)
		case deny:
			r.Denying = append(r.Denying, p)
			r.Texts = append(r.Texts, "explicitly denied by: "+p.Namespace+"/"+p.Name)
		case p.DryRun:
			r.DryAllowing = append(r.DryAllowing, p)
		default:
			r.Allowing = append(r.Allowing, p)
		}
	}
	switch {
	case len(r.Denying) > 0:
	case !enforced || len(r.Allowing) > 0:
		r.Allowed = true
		r.DryRunDenied = len(r.DryDenying) > 0 || (dry && !enforced && len(r.DryAllowing) == 0)
	default:
		r.Texts = []string{"allow policies exist, but none allowed"}
	}
	return r
}

// policyMatches is the nesting of §7.1: any rule, all of its clauses, any match of each.
func policyMatches(p *messages.Authorization, c *messages.Connection) bool {
	for _, rule := range p.Rules {
		holding := 0
		for _, clause := range rule {
			for _, m := range clause {
				if m.Unparsable && p.Action == messages.ActionDeny || !m.Unparsable && matches(m, c) {
					holding++
					break
				}
			}
			if len(clause) == 0 {
				holding++
			}
		}
		if holding == len(rule) {
			return true
		}
	}
	return false
}

// matches is §7.2: of each list that is there one value must hold, of each negated list none may.
func matches(m messages.Match, c *messages.Connection) bool {
	lists := 0
	ok := true
	say := func(values, holding int, negated bool) {
		if values == 0 {
			return
		}
		lists++
		if (holding > 0) == negated {
			ok = false
		}
	}
	peer := c.SrcIdentity
	anonymous := peer == messages.Identity{}
	for _, negated := range []bool{false, true} {
		namespaces, accounts, principals := m.Namespaces, m.ServiceAccounts, m.Principals
		sources, destinations, ports := m.SourceIPs, m.DestinationIPs, m.DestinationPorts
		if negated {
			namespaces, accounts, principals = m.NotNamespaces, m.NotServiceAccounts, m.NotPrincipals
			sources, destinations, ports = m.NotSourceIPs, m.NotDestinationIPs, m.NotDestinationPorts
		}
		say(len(namespaces), count(namespaces, func(s messages.StringMatch) bool { return stringMatches(s, peer.Namespace) }), negated)
		say(len(accounts), count(accounts, func(a messages.ServiceAccountMatch) bool {
			return !anonymous && a.Namespace == peer.Namespace && a.ServiceAccount == peer.ServiceAccount
		}), negated)
		say(len(principals), count(principals, func(s messages.StringMatch) bool {
			return !anonymous && stringMatches(s, peer.TrustDomain+"/ns/"+peer.Namespace+"/sa/"+peer.ServiceAccount)
		}), negated)
		say(len(sources), count(sources, func(p netip.Prefix) bool { return within(p, c.SrcIP) }), negated)
		say(len(destinations), count(destinations, func(p netip.Prefix) bool { return within(p, c.Dst.Addr()) }), negated)
		say(len(ports), count(ports, func(port uint16) bool { return port == c.Dst.Port() }), negated)
	}
	return ok && lists > 0
}

func count[T any](all []T, is func(T) bool) int {
	n := 0
	for _, v := range all {
		n += one(is(v))
	}
	return n
}

func stringMatches(m messages.StringMatch, s string) bool {
	n := len(m.Value)
	switch m.Kind {
	case messages.MatchExact:
		return s == m.Value
	case messages.MatchPrefix:
		return len(s) >= n && s[:n] == m.Value
	case messages.MatchSuffix:
		return strings.HasSuffix(s, m.Value)
	case messages.MatchPresence:
		return s != ""
	}
	return false
}

// within compares bit by bit; the families are never mixed.
func within(p netip.Prefix, ip netip.Addr) bool {
	net, addr := p.Addr().AsSlice(), ip.AsSlice()
	if len(net) != len(addr) {
		return false
	}
	for bit := range p.Bits() {
		if mask := byte(0x80 >> (bit % 8)); net[bit/8]&mask != addr[bit/8]&mask {
			return false
		}
	}
	return true
}
