package messages

import (
	"net/netip"
	"strings"
)

// PolicyScope says which workloads a policy applies to.
type PolicyScope uint8

// The scopes (spec/dataplane.md §7.1).
const (
	ScopeGlobal PolicyScope = iota
	ScopeNamespace
	ScopeWorkloadSelector
)

// String is the name in dumps.
func (s PolicyScope) String() string {
	return [...]string{"Global", "Namespace", "WorkloadSelector"}[s]
}

// Action is what a matching policy does.
type Action uint8

// The actions.
const (
	ActionAllow Action = iota
	ActionDeny
)

// String is the name in dumps.
func (a Action) String() string { return [...]string{"Allow", "Deny"}[a] }

// Authorization is one L4 policy, frozen. Key is the name it is stored and referenced under; Namespace and Name
// are what logs show. Rules are alternatives (spec/dataplane.md §7.1).
type Authorization struct {
	Key       string
	Name      string
	Namespace string
	Scope     PolicyScope
	Action    Action
	DryRun    bool
	Rules     []Rule
}

// String is "namespace/name", as logs and rejections show it.
func (a *Authorization) String() string { return a.Namespace + "/" + a.Name }

// Rule matches when all of its clauses do; one without clauses matches everything.
type Rule []Clause

// Clause matches when any of its matches does; one without matches is true.
type Clause []Match

// Match is true when all its attributes are; one without any attribute is false. Within a positive list one
// value must match, within a negated list none may (spec/dataplane.md §7.2).
type Match struct {
	Namespaces, NotNamespaces             []StringMatch
	ServiceAccounts, NotServiceAccounts   []ServiceAccountMatch
	Principals, NotPrincipals             []StringMatch
	SourceIPs, NotSourceIPs               []netip.Prefix
	DestinationIPs, NotDestinationIPs     []netip.Prefix
	DestinationPorts, NotDestinationPorts []uint16
	// Unparsable marks a match one of whose parts could not be understood: whatever it was, the policy must then
	// fail closed (it never allows, and as a denial it always matches).
	Unparsable bool
}

// StringMatchKind is how a string is compared.
type StringMatchKind uint8

// The kinds of comparison.
const (
	MatchExact StringMatchKind = iota
	MatchPrefix
	MatchSuffix
	MatchPresence
)

// StringMatch compares a string. Value is ignored for MatchPresence, which holds for every non-empty string.
type StringMatch struct {
	Kind  StringMatchKind
	Value string
}

// Matches reports whether s satisfies m.
func (m StringMatch) Matches(s string) bool {
	switch m.Kind {
	case MatchExact:
		return s == m.Value
	case MatchPrefix:
		return strings.HasPrefix(s, m.Value)
	case MatchSuffix:
		return strings.HasSuffix(s, m.Value)
	case MatchPresence:
		return s != ""
	}
	return false
}

// ServiceAccountMatch names a service account in any trust domain.
type ServiceAccountMatch struct {
	Namespace, ServiceAccount string
}
