package trace

import (
	"testing"

	"go.opentelemetry.io/otel/codes"

	"github.com/troupe-mesh/troupe/messages"
)

// The map of TRACING §8: reason, status, error.type, and the status that an HBONE peer is answered.
func TestStatusOfEveryReason(t *testing.T) {
	deliberate := map[messages.Reason]bool{messages.ReasonDrained: true, messages.ReasonCancelled: true}
	for _, reason := range messages.Reasons() {
		n := newNode(t, nodeOptions{})
		r := inboundRecord()
		n.StartStream(r)
		r.Begin(messages.SpanConnect, messages.NoSpan)
		r.Failure = messages.Fail(reason, "because of it")
		n.EarlyDenied(r)
		spans := n.exported(t)
		if len(spans) != 1 {
			t.Fatalf("%s: %d spans", reason, len(spans))
		}
		s := spans[0]
		want, kind, text := codes.Error, reason.ErrorType(), "because of it"
		if deliberate[reason] {
			want, kind, text = codes.Unset, "", ""
		}
		if s.Status().Code != want || s.Status().Description != text || value(s, messages.AttrErrorType) != kind {
			t.Errorf("%s: status %v, error.type %q", reason, s.Status(), value(s, messages.AttrErrorType))
		}
		if cancelled := len(s.Events()) == 1 && s.Events()[0].Name == messages.EventCancelled; cancelled != (reason == messages.ReasonCancelled) {
			t.Errorf("%s: events %v", reason, s.Events())
		}
	}
}
