package admin

import (
	"cmp"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

func dumpPolicies(policies []*messages.Authorization) []object {
	sorted := slices.SortedStableFunc(slices.Values(policies), func(a, b *messages.Authorization) int { return cmp.Compare(a.Key, b.Key) })
	return list(sorted, func(a *messages.Authorization) object {
		return object{
			"name": a.Name, "namespace": a.Namespace, "scope": a.Scope.String(), "action": a.Action.String(), "dryRun": a.DryRun,
			"rules": list(a.Rules, func(r messages.Rule) [][]object {
				return list(r, func(c messages.Clause) []object { return list(c, dumpMatch) })
			}),
		}
	})
}

// dumpUnknownPolicies shows which policies workloads name and nobody has told of, with the UIDs of those workloads. They count
// for nothing, or deny everything when the node is told so.
func dumpUnknownPolicies(workloads []*messages.Workload, policies []*messages.Authorization) map[string][]string {
	known := make(map[string]struct{}, len(policies))
	for _, p := range policies {
		known[p.Key] = struct{}{}
	}
	unknown := map[string][]string{}
	for _, w := range workloads {
		for i, key := range w.AuthorizationPolicies {
			if _, is := known[key]; !is && !slices.Contains(w.AuthorizationPolicies[:i], key) {
				unknown[key] = append(unknown[key], w.UID)
			}
		}
	}
	for _, uids := range unknown {
		slices.Sort(uids)
	}
	return unknown
}

func dumpMatch(m messages.Match) object {
	o := object{}
	optList(o, "namespaces", m.Namespaces, dumpString)
	optList(o, "notNamespaces", m.NotNamespaces, dumpString)
	optList(o, "serviceAccounts", m.ServiceAccounts, dumpServiceAccount)
	optList(o, "notServiceAccounts", m.NotServiceAccounts, dumpServiceAccount)
	optList(o, "principals", m.Principals, dumpString)
	optList(o, "notPrincipals", m.NotPrincipals, dumpString)
	optList(o, "sourceIps", m.SourceIPs, texted)
	optList(o, "notSourceIps", m.NotSourceIPs, texted)
	optList(o, "destinationIps", m.DestinationIPs, texted)
	optList(o, "notDestinationIps", m.NotDestinationIPs, texted)
	optList(o, "destinationPorts", m.DestinationPorts, same)
	optList(o, "notDestinationPorts", m.NotDestinationPorts, same)
	o.opt("unparsable", true, !m.Unparsable)
	return o
}

func optList[T, U any](o object, key string, values []T, dump func(T) U) {
	if len(values) > 0 {
		o[key] = list(values, dump)
	}
}

func dumpString(m messages.StringMatch) object {
	switch m.Kind {
	case messages.MatchExact:
		return object{"Exact": m.Value}
	case messages.MatchPrefix:
		return object{"Prefix": m.Value}
	case messages.MatchSuffix:
		return object{"Suffix": m.Value}
	case messages.MatchPresence:
	}
	return object{"Presence": []string{}}
}

func dumpServiceAccount(m messages.ServiceAccountMatch) object {
	return object{"namespace": m.Namespace, "serviceAccount": m.ServiceAccount}
}
