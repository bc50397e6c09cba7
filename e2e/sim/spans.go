package sim

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/troupe-mesh/troupe/messages"
)

// checkSpans checks that every connection that has a line has its one first span, ended.
func (l *life) checkSpans() {
	if l.plan.trouble.actors { // an actor that crashes takes the span that it had in hand with it
		return
	}
	for _, node := range meshed {
		first := 0
		for _, s := range l.nodes[node].Spans() {
			if s.EndTime.IsZero() {
				l.fail("%s: span %s has no end", node, s.Name)
			}
			switch s.Name {
			case messages.SpanOutbound.String(), messages.SpanInbound.String():
				first++
			case messages.SpanConnect.String():
				if s.SpanKind == trace.SpanKindServer {
					first++
				}
			}
		}
		lines := len(l.out.Access[node])
		if first != lines {
			l.fail("%s: %d connections have a first span, and %d a line", node, first, lines)
		}
	}
}
