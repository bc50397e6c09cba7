package trace

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// joined is an inbound record below a parent of ours that was not sampled.
func joined(n *testNode) *messages.Record {
	r := inboundRecord()
	n.StartStream(r)
	n.Join(r, unsampledParent, []string{"troupe=1"}, true)
	r.Begin(messages.SpanConnect, messages.NoSpan)
	return r
}

func TestWantsKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nodeOptions{})
		healthy := joined(n)
		if n.WantsKeep(healthy) || healthy.Kept {
			t.Error("a healthy connection is kept")
		}
		denied := joined(n)
		denied.Failure = messages.Fail(messages.ReasonPolicyDenied, "no")
		wants, again := n.WantsKeep(denied), n.WantsKeep(denied)
		if !wants || !again || !denied.Kept {
			t.Error("a denied connection is not kept")
		}
		slow := joined(n)
		pass(DefaultSlow)
		if !n.WantsKeep(slow) {
			t.Error("a slow connection is not kept")
		}
		dry := joined(n)
		dry.Verdict = &messages.Verdict{Allowed: true, DryRunDenied: true}
		if !n.WantsKeep(dry) {
			t.Error("a connection that a dry run denies is not kept")
		}
		sampled := inboundRecord()
		n.StartStream(sampled)
		n.Join(sampled, sampledParent, []string{"troupe=1"}, true)
		sampled.Failure = denied.Failure
		if n.WantsKeep(sampled) {
			t.Error("a peer that sampled is told to keep")
		}
		rust := inboundRecord()
		n.StartStream(rust)
		n.Join(rust, unsampledParent, nil, true)
		rust.Failure = denied.Failure
		if n.WantsKeep(rust) {
			t.Error("a peer that is not ours is told to keep")
		}
		for _, r := range []*messages.Record{healthy, denied, slow, dry, sampled, rust} {
			n.EarlyDenied(r)
		}
		spans := n.exported(t)
		parents := 0
		for _, s := range spans {
			if s.Parent().IsValid() {
				parents++
			}
		}
		// healthy is slow by the time it ends: it could not tell its peer any more, and has a trace of its own.
		if len(spans) != 6 || parents != 4 {
			t.Errorf("%d spans, %d with a parent; want 6 and 4", len(spans), parents)
		}
		if healthy.TraceID == denied.TraceID || healthy.RemoteTraceID != denied.TraceID {
			t.Error("a connection kept too late is not in a trace of its own with a link")
		}
	})
}

func TestLateKeepsAreLimitedWhereTheirReasonArises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nodeOptions{telemetry: Options{LatePerSec: 3}})
		for range 10 {
			r := outboundRecord()
			n.Start(r)
			r.Begin(messages.SpanOutbound, messages.NoSpan)
			r.Failure = messages.Fail(messages.ReasonPolicyDenied, "no")
			n.EarlyDenied(r)
		}
		for range 10 { // told by the peer: free
			r := outboundRecord()
			n.Start(r)
			r.Begin(messages.SpanOutbound, messages.NoSpan)
			n.KeepTold(r, "keep")
			r.Failure = messages.Fail(messages.ReasonPolicyDeniedByPeer, "no")
			n.EarlyDenied(r)
		}
		if got := len(n.exported(t)); got != 13 {
			t.Errorf("%d connections kept, want 3 and 10", got)
		}
		if got := n.metrics.lateCut[causeDenied].Value(); got != 7 {
			t.Errorf("%d counted as cut, want 7", got)
		}
		r := outboundRecord()
		n.Start(r)
		n.KeepTold(r, "yes")
		if r.Keep {
			t.Error("a header with another value is believed")
		}
		n.EarlyDenied(r)
	})
}

func TestAFailureAfterSetUpHasItsOwnTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nodeOptions{})
		r := outboundRecord()
		n.Start(r)
		s := n.Opened(r)
		r.Begin(messages.SpanOutbound, messages.NoSpan)
		n.SetupEnded(r)
		pass(time.Minute)
		r.Failure, r.ClosedBy = messages.Fail(messages.ReasonPolicyChanged, "connection closed due to policy change"), "proxy"
		n.Closed(r, s, nil)
		spans := n.exported(t)
		if len(spans) != 1 || spans[0].Name() != "tunnel.close" || spans[0].Parent().IsValid() ||
			value(spans[0], messages.AttrErrorType) != "policy_changed" || value(spans[0], messages.AttrSourceWorkload) != "cart-1" {
			t.Fatalf("got %v", spans)
		}
		checkSpans(t, spans)
	})
}
