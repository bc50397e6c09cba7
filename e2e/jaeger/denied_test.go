package jaeger

import (
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

const denied = `node-a outbound ✗ policy_denied
  node-a accept
  node-a authorize
  node-a classify
  node-a tunnel ✗ policy_denied
    node-a CONNECT ✗ policy_denied
      node-b CONNECT ✗ policy_denied
        node-b accept
        node-b authorize ✗ policy_denied
        node-b classify
    node-a pool.acquire
`

// Nothing is sampled: the denied connection is kept because it was denied, by both nodes, and the allowed one is not.
func TestDeniedCallIsFoundByItsErrorType(t *testing.T) {
	b := backendFor(t)
	service := b.service("denied")
	startProcesses(t, b.environ(service, "parentbased_always_off"))
	if _, err := Call(t.Context(), ShopPort); err != nil {
		t.Fatal(err)
	}
	if text, err := Call(t.Context(), AdminPort); err == nil {
		t.Fatalf("the call is answered %q, want none", text)
	}
	found := b.await(t, service, Search{Tags: "error.type=policy_denied"}, 1, looksLike(denied))[0]
	names := map[string]string{messages.AttrRuleName: Policy, messages.AttrRuleIndex: "0", messages.AttrRuleCategory: "deny"}
	found.span(t, NodeB, "CONNECT").want(t, names)
	decision := found.span(t, NodeB, "authorize").event(messages.EventPolicyDecision)
	if decision == nil {
		t.Fatalf("authorize has no event %s", messages.EventPolicyDecision)
	}
	names[messages.AttrRuleField] = "destination_ports"
	for name, value := range names {
		if decision.attributes[name] != value {
			t.Errorf("%s: %s is %q, want %q", messages.EventPolicyDecision, name, decision.attributes[name], value)
		}
	}
	// What is searched for by policy is the same trace.
	byPolicy := b.await(t, service, Search{Tags: messages.AttrRuleName + "=" + Policy}, 1, looksLike(denied))[0]
	if byPolicy.id != found.id {
		t.Errorf("%s=%s finds trace %s, want %s", messages.AttrRuleName, Policy, byPolicy.id, found.id)
	}
	b.await(t, service, Search{Operation: messages.SpanOutbound.String()}, 1, looksLike(denied))
	b.wantWhole(t, service)
}
