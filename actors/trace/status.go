package trace

import (
	"github.com/troupe-mesh/troupe/messages"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// isError reports whether a span that ended for a reason is an error. Deliberate ends are not (TRACING §8).
func isError(r messages.Reason) bool {
	switch r {
	case messages.ReasonNone, messages.ReasonDrained, messages.ReasonCancelled:
		return false
	default:
		return true
	}
}

// setStatus sets the status of a span: Error with error.type for errors, also on a server's CONNECT that was denied,
// where HTTP's rule would leave it unset; people search for error=true. A caller that left is an event.
func setStatus(span oteltrace.Span, m *made) {
	if m.reason == messages.ReasonCancelled {
		span.AddEvent(messages.EventCancelled, oteltrace.WithTimestamp(m.end))
	}
	if !isError(m.reason) {
		return
	}
	text := m.text
	if text == "" {
		text = m.reason.ErrorType()
	}
	span.SetAttributes(attribute.String(messages.AttrErrorType, m.reason.ErrorType()))
	span.SetStatus(codes.Error, text)
}
