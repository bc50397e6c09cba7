package trace

import (
	"slices"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func TestPolicyDecisionsAreLoggedInOrder(t *testing.T) {
	verdict := &messages.Verdict{Decisions: []messages.Decision{
		{Policy: denyPolicy, Rule: 1, Field: "namespaces", Text: "deny policy match"},
		{Rule: -1, Text: "no allow policies matched"},
	}}
	for level, info := range map[string]bool{"debug": false, "info": true} {
		n := newNode(t, nodeOptions{name: "a", telemetry: Options{PolicyInfo: info}})
		r := inboundRecord()
		n.StartStream(r)
		root := r.Begin(messages.SpanAuthorize, messages.NoSpan)
		n.PolicyDecisions(r, root, verdict)
		n.PolicyDecisions(nil, messages.NoSpan, verdict) // a re-evaluation belongs to no set-up
		one := []string{level + "\tstate\tdeny policy match\tpolicy=\"shop/deny-cart\"", level + "\tstate\tno allow policies matched\t"}
		if got, want := n.logged(t), append(one, one...); !slices.Equal(got, want) {
			t.Errorf("at %s: got %q, want %q", level, got, want)
		}
		events := r.Events()
		if len(events) != 2 || events[0].Name != messages.EventPolicyDecision || events[0].Attrs[0].Str != "shop/deny-cart" ||
			events[1].Attrs[0].Str != "no allow policies matched" {
			t.Errorf("events %+v", events)
		}
	}
}

func TestUnknownPoliciesAreCountedAndWarnedOfOnce(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	for range 5 {
		n.UnknownPolicies(inboundRecord(), []string{"shop/gone", "shop/other"})
	}
	n.UnknownPolicies(inboundRecord(), nil)
	want := []string{"warn\tstate\ta workload names a policy that is not known\tpolicy=\"shop/gone\" dst.workload=\"pay-7\" dst.namespace=\"shop\""}
	if got := n.logged(t); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := n.metrics.policiesUnknown.Value(); got != 10 {
		t.Errorf("counted %d, want 10", got)
	}
}
