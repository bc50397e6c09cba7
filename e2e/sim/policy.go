package sim

import (
	"slices"

	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// policy is a policy as the model sees it: one rule about who calls which port.
type policy struct {
	key    string
	scope  messages.PolicyScope
	deny   bool
	dryRun bool
	// empty says that it has no rule and never matches.
	empty bool
	// from are the workloads it is about, notFrom those it is not about; nobody named means everybody. Who calls without
	// an identity is "" and in neither.
	from, notFrom []string
	ports         []uint16
}

// matches reports whether the policy is about a call.
func (p *policy) matches(who string, port uint16) bool {
	switch {
	case p.empty,
		len(p.from) > 0 && (who == "" || !slices.Contains(p.from, who)),
		who != "" && slices.Contains(p.notFrom, who),
		len(p.ports) > 0 && !slices.Contains(p.ports, port):
		return false
	}
	return true
}

// appliesTo reports whether a workload that lists selected is subject to the policy.
func (p *policy) appliesTo(selected []string) bool {
	return p.scope != messages.ScopeWorkloadSelector || slices.Contains(selected, p.key)
}

// allows says what policies mean for a call: a denial denies, and where anything is allowed something must allow it.
func allows(policies map[string]*policy, selected []string, who string, port uint16) bool {
	someAllow, allowed := false, false
	for _, p := range policies {
		switch {
		case p.dryRun || !p.appliesTo(selected):
		case p.deny && p.matches(who, port):
			return false
		case !p.deny:
			someAllow = true
			allowed = allowed || p.matches(who, port)
		}
	}
	return !someAllow || allowed
}

// message is the policy as the control plane sends it.
func (p *policy) message() *messages.Authorization {
	a := &messages.Authorization{Key: p.key, Name: p.key[len("ns/"):], Namespace: "ns", Scope: p.scope, DryRun: p.dryRun}
	if p.deny {
		a.Action = messages.ActionDeny
	}
	switch {
	case p.empty:
		return a
	case len(p.from)+len(p.notFrom)+len(p.ports) == 0:
		a.Rules = []messages.Rule{nil}
		return a
	}
	m := messages.Match{DestinationPorts: p.ports}
	for _, who := range p.from {
		m.Principals = append(m.Principals, messages.StringMatch{Value: bubble.Identity(who).Principal()})
	}
	for _, who := range p.notFrom {
		m.NotPrincipals = append(m.NotPrincipals, messages.StringMatch{Value: bubble.Identity(who).Principal()})
	}
	a.Rules = []messages.Rule{{messages.Clause{m}}}
	return a
}
