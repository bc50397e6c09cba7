package xds

import (
	"fmt"
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/wire/security"
)

// policyOf makes the model of a policy, stored under the name of its resource (spec/control.md §1.2).
func policyOf(key string, p *security.Authorization) (*messages.Authorization, error) {
	made := &messages.Authorization{Key: same(key), Name: p.Name, Namespace: same(p.Namespace), DryRun: p.DryRun}
	switch p.Scope {
	case security.Scope_GLOBAL:
		made.Scope = messages.ScopeGlobal
	case security.Scope_NAMESPACE:
		made.Scope = messages.ScopeNamespace
	case security.Scope_WORKLOAD_SELECTOR:
		made.Scope = messages.ScopeWorkloadSelector
	default:
		return nil, fmt.Errorf("scope %s is unknown", p.Scope)
	}
	switch p.Action {
	case security.Action_ALLOW:
		made.Action = messages.ActionAllow
	case security.Action_DENY:
		made.Action = messages.ActionDeny
	default:
		return nil, fmt.Errorf("action %s is unknown", p.Action)
	}
	for _, r := range p.Rules {
		rule := make(messages.Rule, 0, len(r.Clauses))
		for _, c := range r.Clauses {
			clause := make(messages.Clause, 0, len(c.Matches))
			for _, m := range c.Matches {
				clause = append(clause, matchOf(m))
			}
			rule = append(rule, clause)
		}
		made.Rules = append(made.Rules, rule)
	}
	return made, nil
}

// matchOf makes the model of a match. What it can't understand makes it unparsable, whatever list it stands in.
func matchOf(m *security.Match) messages.Match {
	var made messages.Match
	stringMatches(&made, &made.Namespaces, m.Namespaces)
	stringMatches(&made, &made.NotNamespaces, m.NotNamespaces)
	stringMatches(&made, &made.Principals, m.Principals)
	stringMatches(&made, &made.NotPrincipals, m.NotPrincipals)
	made.ServiceAccounts = serviceAccounts(m.ServiceAccounts)
	made.NotServiceAccounts = serviceAccounts(m.NotServiceAccounts)
	prefixes(&made, &made.SourceIPs, m.SourceIps)
	prefixes(&made, &made.NotSourceIPs, m.NotSourceIps)
	prefixes(&made, &made.DestinationIPs, m.DestinationIps)
	prefixes(&made, &made.NotDestinationIPs, m.NotDestinationIps)
	ports(&made, &made.DestinationPorts, m.DestinationPorts)
	ports(&made, &made.NotDestinationPorts, m.NotDestinationPorts)
	return made
}

func stringMatches(of *messages.Match, to *[]messages.StringMatch, all []*security.StringMatch) {
	for _, s := range all {
		switch t := s.MatchType.(type) {
		case *security.StringMatch_Exact:
			*to = append(*to, messages.StringMatch{Kind: messages.MatchExact, Value: t.Exact})
		case *security.StringMatch_Prefix:
			*to = append(*to, messages.StringMatch{Kind: messages.MatchPrefix, Value: t.Prefix})
		case *security.StringMatch_Suffix:
			*to = append(*to, messages.StringMatch{Kind: messages.MatchSuffix, Value: t.Suffix})
		case *security.StringMatch_Presence:
			*to = append(*to, messages.StringMatch{Kind: messages.MatchPresence})
		default:
			of.Unparsable = true
		}
	}
}

func serviceAccounts(all []*security.ServiceAccountMatch) []messages.ServiceAccountMatch {
	var made []messages.ServiceAccountMatch
	for _, s := range all {
		made = append(made, messages.ServiceAccountMatch{Namespace: s.Namespace, ServiceAccount: s.ServiceAccount})
	}
	return made
}

func prefixes(of *messages.Match, to *[]netip.Prefix, all []*security.Address) {
	for _, a := range all {
		addr, ok := netip.AddrFromSlice(a.Address)
		if !ok || a.Length > uint32(addr.BitLen()) {
			of.Unparsable = true
			continue
		}
		*to = append(*to, netip.PrefixFrom(addr, int(a.Length)))
	}
}

func ports(of *messages.Match, to *[]uint16, all []uint32) {
	for _, n := range all {
		p, err := port(n)
		if err != nil {
			of.Unparsable = true
			continue
		}
		*to = append(*to, p)
	}
}
