package messages

import (
	"net/netip"
	"slices"
)

// FieldUnparsable is the field of a decision that was made because a part of the policy could not be understood.
const FieldUnparsable = "unparsable"

// Match reports whether one of the policy's rules matches c, which one, and the first attribute that did. A match that
// could not be understood holds in a denial and never in an allowance (spec/dataplane.md §7.1, §7.2).
func (a *Authorization) Match(c *Connection) (rule int, field string, ok bool) {
	s := subject{conn: c}
	return s.matches(a)
}

// subject is the connection that is asked about, with what is derived from it once.
type subject struct {
	conn      *Connection
	principal string // lazily; empty without an identity
}

func (s *subject) matches(a *Authorization) (rule int, field string, ok bool) {
	for i, r := range a.Rules {
		if field, ok := s.matchesRule(r, a.Action); ok {
			return i, field, true
		}
	}
	return -1, "", false
}

func (s *subject) matchesRule(r Rule, action Action) (field string, ok bool) {
	for _, clause := range r {
		f, ok := s.matchesClause(clause, action)
		if !ok {
			return "", false
		}
		if field == "" {
			field = f
		}
	}
	return field, true
}

func (s *subject) matchesClause(cl Clause, action Action) (field string, ok bool) {
	if len(cl) == 0 {
		return "", true
	}
	for i := range cl {
		if cl[i].Unparsable {
			if action == ActionDeny {
				return FieldUnparsable, true
			}
			continue
		}
		if field, ok := s.holds(&cl[i]); ok {
			return field, true
		}
	}
	return "", false
}

// attribute is one kind of list in a Match; each has a negated twin.
type attribute uint8

const (
	destinationIPs attribute = iota
	sourceIPs
	destinationPorts
	serviceAccounts
	principals
	namespaces
	attributeCount
)

var attributeNames = [attributeCount]struct{ yes, no string }{
	{"destination_ips", "not_destination_ips"},
	{"source_ips", "not_source_ips"},
	{"destination_ports", "not_destination_ports"},
	{"service_accounts", "not_service_accounts"},
	{"principals", "not_principals"},
	{"namespaces", "not_namespaces"},
}

// holds reports whether every attribute of m holds; field is the first that says anything. Without any, m is false.
func (s *subject) holds(m *Match) (field string, ok bool) {
	for a := range attributeCount {
		yes, no := s.test(m, a)
		if yes == missed || no == hit {
			return "", false
		}
		switch {
		case field != "":
		case yes == hit:
			field = attributeNames[a].yes
		case no == missed:
			field = attributeNames[a].no
		}
	}
	return field, field != ""
}

func (s *subject) test(m *Match, a attribute) (yes, no tested) {
	c := s.conn
	switch a {
	case destinationIPs:
		return containsIP(m.DestinationIPs, c.Dst.Addr()), containsIP(m.NotDestinationIPs, c.Dst.Addr())
	case sourceIPs:
		return containsIP(m.SourceIPs, c.SrcIP), containsIP(m.NotSourceIPs, c.SrcIP)
	case destinationPorts:
		return containsPort(m.DestinationPorts, c.Dst.Port()), containsPort(m.NotDestinationPorts, c.Dst.Port())
	case serviceAccounts:
		return s.containsAccount(m.ServiceAccounts), s.containsAccount(m.NotServiceAccounts)
	case principals:
		return s.containsPrincipal(m.Principals), s.containsPrincipal(m.NotPrincipals)
	case namespaces:
		// A peer without an identity has the namespace "".
		ns := c.SrcIdentity.Namespace
		return containsString(m.Namespaces, ns), containsString(m.NotNamespaces, ns)
	case attributeCount:
	}
	return absent, absent
}

// tested is what became of one list of values: there is none, one of the values matches, or none does.
type tested uint8

const (
	absent tested = iota
	hit
	missed
)

func test(found bool) tested {
	if found {
		return hit
	}
	return missed
}

func containsIP(list []netip.Prefix, ip netip.Addr) tested {
	if len(list) == 0 {
		return absent
	}
	return test(slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(ip) }))
}

func containsPort(list []uint16, port uint16) tested {
	if len(list) == 0 {
		return absent
	}
	return test(slices.Contains(list, port))
}

// containsAccount compares without the trust domain; no identity is no account.
func (s *subject) containsAccount(list []ServiceAccountMatch) tested {
	if len(list) == 0 {
		return absent
	}
	id := s.conn.SrcIdentity
	return test(!id.IsZero() &&
		slices.Contains(list, ServiceAccountMatch{Namespace: id.Namespace, ServiceAccount: id.ServiceAccount}))
}

// containsPrincipal compares the identity without its scheme; no identity matches nothing, not even presence.
func (s *subject) containsPrincipal(list []StringMatch) tested {
	if len(list) == 0 {
		return absent
	}
	id := s.conn.SrcIdentity
	if id.IsZero() {
		return missed
	}
	if s.principal == "" {
		s.principal = id.Principal()
	}
	return containsString(list, s.principal)
}

func containsString(list []StringMatch, v string) tested {
	if len(list) == 0 {
		return absent
	}
	return test(slices.ContainsFunc(list, func(m StringMatch) bool { return m.Matches(v) }))
}
