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
		var want []string
		for _, span := range []string{":proxy{wl=shop/pay-7}:inbound{id=" + r.TraceID.String() + " peer=" + r.Src.String() + "}", ""} {
			want = append(want, level+"\tstate"+span+"\tdeny policy match\tpolicy=\"shop/deny-cart\"", level+"\tstate"+span+"\tno allow policies matched\t")
		}
		if got := n.logged(t); !slices.Equal(got, want) {
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
	want := []string{"warn\tstate:proxy{wl=shop/pay-7}:inbound{id=00000000000000000000000000000000 peer=10.0.2.2:51000}\ta workload names a policy that is not known\tpolicy=\"shop/gone\" dst.workload=\"pay-7\" dst.namespace=\"shop\""}
	if got := n.logged(t); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := n.metrics.policiesUnknown.Value(); got != 10 {
		t.Errorf("counted %d, want 10", got)
	}
}

// A line names the proxy and the connection, by what is known of them (spec/ops.md §7.1).
func TestLinesOfAConnectionSayWhich(t *testing.T) {
	known := messages.TraceID{1, 2, 3}
	const id = "01020300000000000000000000000000"
	for _, test := range []struct {
		change func(*messages.Record)
		want   string
	}{
		{func(*messages.Record) {}, ":proxy{wl=shop/pay-7}:inbound{id=" + id + " peer=10.0.2.2:51000}"},
		{func(r *messages.Record) { r.Destination = nil }, ":inbound{id=" + id + " peer=10.0.2.2:51000}"},
		{func(r *messages.Record) { r.Direction = messages.Outbound }, ":proxy{wl=shop/cart-1}:outbound{id=" + id + "}"},
	} {
		n := newNode(t, nodeOptions{off: true})
		r := inboundRecord()
		r.TraceID = known
		r.Source = &messages.Workload{Namespace: "shop", Name: "cart-1"}
		test.change(r)
		n.stateOf(r).Warn("text").Send()
		if got := n.logged(t); len(got) != 1 || got[0] != "warn\tstate"+test.want+"\ttext\t" {
			t.Errorf("got %q, want the span %q", got, test.want)
		}
	}
}
