package sim

import (
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/troupe-mesh/troupe/messages"
)

// checkSpans checks that every flow that has a line has its one first span, ended.
func (l *life) checkSpans() {
	if l.plan.trouble.actors { // an actor that crashes takes the span that it had in hand with it
		return
	}
	for _, node := range meshed {
		flows := 0
		for _, s := range l.nodes[node].Spans() {
			if s.EndTime.IsZero() {
				l.fail("%s: span %s has no end", node, s.Name)
			}
			switch s.Name {
			case messages.SpanOutbound.String(), messages.SpanInbound.String():
				flows++
			case messages.SpanConnect.String():
				if s.SpanKind == trace.SpanKindServer {
					flows++
				}
			}
		}
		lines := 0
		for _, line := range l.out.Access[node] {
			if !isSession(line) {
				lines++
			}
		}
		if flows != lines {
			l.fail("%s: %d flows have a span, and %d a line", node, flows, lines)
		}
	}
}

// isSession reports whether a line is about a peer's tunnel that did not come about, which is no flow.
func isSession(line string) bool {
	return strings.Contains(line, "\tconnection failed\t") && strings.Contains(line, `direction="inbound"`) &&
		strings.HasPrefix(field(line, "error"), "tls handshake error")
}
