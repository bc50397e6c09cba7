package trace

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
	"go.opentelemetry.io/otel/attribute"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// freshAfter is the age from which a connection's further spans begin a trace of their own, because a search by start
// time would not find the old one any more (TRACING §6).
const freshAfter = time.Hour

// closeSpan makes tunnel.close: below the first span of a connection whose set-up was kept, and as a trace of its own
// when the connection is old, or when it failed late and nothing of it was kept before.
func (t *Telemetry) closeSpan(r *messages.Record, c *relay.Counters, now time.Time) {
	if t.provider == nil || !r.Established {
		return
	}
	previous := t.follows.end(r)
	kept := r.Sampled || r.Keep
	if !kept && (!isError(r.Reason()) || !t.allowLate(t.causeOf(r, 0))) {
		return
	}
	received, sent := totals(c)
	t.submit(r, func(f *frozen) {
		m := made{
			name: messages.SpanTunnelClose, kind: oteltrace.SpanKindInternal,
			span: t.ids.span(), start: now, end: now, reason: f.Reason(),
			attrs: append(bytesAttributes(received, sent), elapsed(&f.Record, now)),
		}
		if f.ClosedBy != "" {
			m.attrs = append(m.attrs, attribute.String(messages.AttrClosedBy, f.ClosedBy))
		}
		if f.CutBy != "" {
			m.attrs = append(m.attrs, attribute.String(messages.AttrCutBy, f.CutBy))
		}
		if f.Failure != nil {
			m.text = f.Failure.Text
		}
		m.attrs = append(m.attrs, closingVerdict(f.Verdict)...)
		f.marksOf(0, &m) // what was marked since the set-up was over
		t.place(&m, &f.Record, kept, now)
		if !previous.IsZero() {
			m.links = append(m.links, link(previous.trace, previous.span))
		}
		t.provider.emit(&m)
	})
}

// place puts a span of an established connection into the connection's trace, or into a fresh one.
func (t *Telemetry) place(m *made, r *messages.Record, kept bool, now time.Time) {
	switch {
	case !kept:
		m.trace = t.ids.trace()
	case now.Sub(r.Start) >= freshAfter:
		m.trace = t.ids.trace()
		m.links = append(m.links, link(r.TraceID, r.RootID))
	default:
		m.trace, m.parent = r.TraceID, r.RootID
		return
	}
	m.attrs = append(m.attrs, recordAttributes(r)...)
}

func bytesAttributes(received, sent uint64) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.Int64(messages.AttrBytesReceived, int64(received)),
		attribute.Int64(messages.AttrBytesSent, int64(sent)),
	}
}
