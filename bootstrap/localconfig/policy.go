package localconfig

import (
	"net/netip"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
	"go.yaml.in/yaml/v3"
)

// policy reads one entry of policies.
func (r *reader) policy(i item) *messages.Authorization {
	o := r.object(i.node, i.path)
	a := &messages.Authorization{
		Name:      o.text("name", required),
		Namespace: o.text("namespace", required),
		Scope: choice(o, "scope", required,
			messages.ScopeGlobal, messages.ScopeNamespace, messages.ScopeWorkloadSelector),
		Action: choice(o, "action", required, messages.ActionAllow, messages.ActionDeny),
		DryRun: o.boolean("dryRun", required),
	}
	for _, rule := range o.list("rules", required) {
		a.Rules = append(a.Rules, r.rule(rule))
	}
	o.done()
	a.Key = a.String()
	r.once(i.node, i.path+".name", "policy", a.Key)
	return a
}

func (r *reader) rule(i item) messages.Rule {
	rule := messages.Rule{}
	for _, clause := range r.list(i.node, i.path) {
		matches := messages.Clause{}
		for _, m := range r.list(clause.node, clause.path) {
			matches = append(matches, r.match(m))
		}
		rule = append(rule, matches)
	}
	return rule
}

func (r *reader) match(i item) messages.Match {
	o := r.object(i.node, i.path)
	m := messages.Match{
		Namespaces:          o.strings("namespaces"),
		NotNamespaces:       o.strings("notNamespaces"),
		ServiceAccounts:     o.serviceAccounts("serviceAccounts"),
		NotServiceAccounts:  o.serviceAccounts("notServiceAccounts"),
		Principals:          o.strings("principals"),
		NotPrincipals:       o.strings("notPrincipals"),
		SourceIPs:           o.prefixes("sourceIps"),
		NotSourceIPs:        o.prefixes("notSourceIps"),
		DestinationIPs:      o.prefixes("destinationIps"),
		NotDestinationIPs:   o.prefixes("notDestinationIps"),
		DestinationPorts:    o.portList("destinationPorts"),
		NotDestinationPorts: o.portList("notDestinationPorts"),
	}
	o.done()
	return m
}

func (o *object) strings(key string) []messages.StringMatch {
	var all []messages.StringMatch
	for _, i := range o.list(key, optional) {
		all = append(all, o.r.stringMatch(i))
	}
	return all
}

func (o *object) prefixes(key string) []netip.Prefix {
	var all []netip.Prefix
	for _, i := range o.list(key, optional) {
		all = append(all, o.r.prefix(i))
	}
	return all
}

func (o *object) portList(key string) []uint16 {
	var all []uint16
	for _, i := range o.list(key, optional) {
		all = append(all, uint16(o.r.number(i.node, i.path, 16)))
	}
	return all
}

func (o *object) serviceAccounts(key string) []messages.ServiceAccountMatch {
	var all []messages.ServiceAccountMatch
	for _, i := range o.list(key, optional) {
		a := o.r.object(i.node, i.path)
		all = append(all, messages.ServiceAccountMatch{
			Namespace:      a.text("namespace", required),
			ServiceAccount: a.text("serviceAccount", required),
		})
		a.done()
	}
	return all
}

var matchKinds = map[string]messages.StringMatchKind{
	"Exact": messages.MatchExact, "Prefix": messages.MatchPrefix,
	"Suffix": messages.MatchSuffix, "Presence": messages.MatchPresence,
}

const matchRemedy = "want !Exact text, !Prefix text, !Suffix text or !Presence [], or the same as a map: {Exact: text}"

// stringMatch reads a tagged scalar (!Exact foo, !Presence []) or a map of one key.
func (r *reader) stringMatch(i item) messages.StringMatch {
	n, name := i.node, strings.TrimPrefix(i.node.Tag, "!")
	if n.Kind == yaml.MappingNode && n.ShortTag() == "!!map" && len(n.Content) == 2 {
		name = n.Content[0].Value
		n = r.visit(n.Content[1], i.path)
		if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!str" {
			r.reject(i.node, i.path, matchRemedy)
			return messages.StringMatch{}
		}
	}
	kind, known := matchKinds[name]
	switch {
	case !known:
	case kind == messages.MatchPresence && n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		return messages.StringMatch{Kind: kind}
	case kind != messages.MatchPresence && n.Kind == yaml.ScalarNode:
		return messages.StringMatch{Kind: kind, Value: n.Value}
	}
	r.reject(i.node, i.path, matchRemedy)
	return messages.StringMatch{}
}
