package state

import (
	"fmt"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func policy(key string, scope messages.PolicyScope, action messages.Action, rules ...messages.Rule) *messages.Authorization {
	k := host(key)
	return &messages.Authorization{Key: key, Namespace: k.Namespace, Name: k.Hostname, Scope: scope, Action: action, Rules: rules}
}

func setPolicies(t *PolicyTable, policies ...*messages.Authorization) {
	t.Apply(&messages.UpdatePolicies{Set: policies})
}

func inNamespace(namespace string, listed ...string) *messages.Workload {
	return &messages.Workload{Namespace: namespace, AuthorizationPolicies: listed}
}

func keysFor(t *PolicyTable, w *messages.Workload) (keys, unknown []string) {
	f := t.FindPolicies(&messages.FindPolicies{Workload: w})
	keys = []string{}
	for _, p := range f.Policies {
		keys = append(keys, p.Key)
	}
	return keys, f.Unknown
}

func TestFindPolicies(t *testing.T) {
	table := NewPolicyTable()
	setPolicies(table,
		policy("ns1/b", messages.ScopeNamespace, messages.ActionAllow),
		policy("ns1/a", messages.ScopeNamespace, messages.ActionAllow),
		policy("root/global", messages.ScopeGlobal, messages.ActionDeny),
		policy("ns1/selected", messages.ScopeWorkloadSelector, messages.ActionDeny),
		policy("ns2/other", messages.ScopeNamespace, messages.ActionAllow))
	for _, tc := range []struct {
		name     string
		workload *messages.Workload
		want     []string
		unknown  []string
	}{
		{"namespace and global", inNamespace("ns1"), []string{"ns1/a", "ns1/b", "root/global"}, nil},
		{"global only", inNamespace("ns3"), []string{"root/global"}, nil},
		{"without a namespace", inNamespace(""), []string{"root/global"}, nil},
		{
			"listed, unknown and listed twice", inNamespace("ns3", "ns1/selected", "ns1/none", "ns1/selected", "ns1/none"),
			[]string{"root/global", "ns1/selected"},
			[]string{"ns1/none"},
		},
		{
			"listed whatever its scope, but once", inNamespace("ns1", "ns2/other", "ns1/a"),
			[]string{"ns1/a", "ns1/b", "root/global", "ns2/other"},
			nil,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			keys, unknown := keysFor(table, tc.workload)
			sameList(t, "policies", keys, tc.want)
			sameList(t, "unknown", unknown, tc.unknown)
		})
	}
}

func TestRBACChangeScope(t *testing.T) {
	table := NewPolicyTable()
	setPolicies(table, policy("ns/p", messages.ScopeNamespace, messages.ActionAllow))
	keys, _ := keysFor(table, inNamespace("ns"))
	sameList(t, "namespace scope", keys, []string{"ns/p"})
	setPolicies(table, policy("ns/p", messages.ScopeWorkloadSelector, messages.ActionAllow))
	keys, _ = keysFor(table, inNamespace("ns"))
	sameList(t, "selector scope", keys, []string{})
	if len(table.byNamespace) != 0 {
		t.Error("the namespace index still has it")
	}
	setPolicies(table, policy("ns/p", messages.ScopeGlobal, messages.ActionAllow))
	keys, _ = keysFor(table, inNamespace("elsewhere"))
	sameList(t, "global scope", keys, []string{"ns/p"})
	table.Apply(&messages.UpdatePolicies{Remove: []string{"ns/p", "ns/never"}})
	keys, _ = keysFor(table, inNamespace("elsewhere"))
	sameList(t, "removed", keys, []string{})
}

func TestPolicyReset(t *testing.T) {
	table := NewPolicyTable()
	setPolicies(table, policy("ns/a", messages.ScopeNamespace, messages.ActionAllow), policy("ns/b", messages.ScopeGlobal, messages.ActionAllow))
	table.Apply(&messages.UpdatePolicies{Reset: true, Set: []*messages.Authorization{policy("ns/c", messages.ScopeNamespace, messages.ActionAllow)}})
	keys, _ := keysFor(table, inNamespace("ns"))
	sameList(t, "after the reset", keys, []string{"ns/c"})
}

// TestAnswersAreFrozen keeps an answer over a change, as a connection that is being authorized does.
func TestAnswersAreFrozen(t *testing.T) {
	table := NewPolicyTable()
	setPolicies(table, policy("ns/b", messages.ScopeNamespace, messages.ActionAllow), policy("ns/c", messages.ScopeNamespace, messages.ActionAllow))
	before := table.FindPolicies(&messages.FindPolicies{Workload: inNamespace("ns")})
	setPolicies(table, policy("ns/a", messages.ScopeNamespace, messages.ActionDeny))
	table.Apply(&messages.UpdatePolicies{Remove: []string{"ns/b"}})
	if len(before.Policies) != 2 || before.Policies[0].Key != "ns/b" || before.Policies[1].Key != "ns/c" {
		t.Errorf("the answer changed: %v", before.Policies)
	}
	if after, _ := keysFor(table, inNamespace("ns")); len(after) != 2 || after[0] != "ns/a" {
		t.Errorf("policies now: %v", after)
	}
}

func TestPolicyAnswersAreBounded(t *testing.T) {
	table := NewPolicyTable()
	setPolicies(table, policy("ns/a", messages.ScopeGlobal, messages.ActionAllow))
	for i := range 3 * maxPolicyAnswers {
		if keys, _ := keysFor(table, inNamespace(fmt.Sprintf("ns%d", i))); len(keys) != 1 {
			t.Fatalf("policies %v", keys)
		}
		if len(table.answers) > maxPolicyAnswers {
			t.Fatalf("%d answers kept", len(table.answers))
		}
	}
	if table.Dropped == 0 {
		t.Error("nothing was counted")
	}
}

func TestKnownAnswersDoNotAllocate(t *testing.T) {
	table := NewPolicyTable()
	setPolicies(table, policy("ns/a", messages.ScopeGlobal, messages.ActionAllow))
	w := inNamespace("ns", "ns/a")
	if n := testing.AllocsPerRun(100, func() { table.applicable(w) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestAssertRBACLogicDenyAllow is the reference's test of that name, over table and evaluation.
func TestAssertRBACLogicDenyAllow(t *testing.T) {
	table := NewPolicyTable()
	from := func(ns string) messages.Rule {
		return messages.Rule{messages.Clause{{Namespaces: []messages.StringMatch{{Kind: messages.MatchExact, Value: ns}}}}}
	}
	allow := policy("ns1/allow", messages.ScopeNamespace, messages.ActionAllow, from("good"))
	deny := policy("ns1/deny", messages.ScopeNamespace, messages.ActionDeny, from("bad"))
	dry := policy("ns1/dry", messages.ScopeNamespace, messages.ActionDeny, messages.Rule{})
	dry.DryRun = true
	setPolicies(table, allow, deny, dry)
	for _, tc := range []struct {
		name, to, from string
		allowed        bool
		text           string
	}{
		{"no policy in the namespace", "ns2", "bad", true, ""},
		{"allowed", "ns1", "good", true, ""},
		{"not allowed", "ns1", "neutral", false, "allow policies exist, but none allowed"},
		{"denied", "ns1", "bad", false, "explicitly denied by: ns1/deny"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found := table.FindPolicies(&messages.FindPolicies{Workload: inNamespace(tc.to)})
			v := messages.Evaluate(found.Policies, &messages.Connection{
				SrcIdentity: messages.Identity{TrustDomain: "td", Namespace: tc.from, ServiceAccount: "sa"}, SrcIP: ip("10.0.0.1"),
			})
			if v.Allowed != tc.allowed || v.Text != tc.text {
				t.Errorf("allowed %v, %q; want %v, %q", v.Allowed, v.Text, tc.allowed, tc.text)
			}
		})
	}
}

// TestAssertRBACWithDestWorkloadInfo is the reference's test of that name: without policies everything is allowed.
func TestAssertRBACWithDestWorkloadInfo(t *testing.T) {
	found := NewPolicyTable().FindPolicies(&messages.FindPolicies{Workload: inNamespace("ns")})
	if v := messages.Evaluate(found.Policies, &messages.Connection{SrcIP: ip("10.0.0.1")}); !v.Allowed || len(found.Policies) != 0 {
		t.Errorf("verdict %+v of %v", v, found.Policies)
	}
}

func TestDumpPolicies(t *testing.T) {
	table := NewPolicyTable()
	setPolicies(table, policy("ns/b", messages.ScopeGlobal, messages.ActionAllow), policy("ns/a", messages.ScopeWorkloadSelector, messages.ActionDeny))
	d := table.DumpState(&messages.DumpState{})
	if len(d.Policies) != 2 || d.Policies[0].Key != "ns/a" {
		t.Errorf("dump %v", d.Policies)
	}
}
