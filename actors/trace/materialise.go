package trace

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"go.opentelemetry.io/otel/attribute"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// materialise makes the spans of a connection's set-up from its marks. It runs on the worker.
func (t *Telemetry) materialise(f *frozen) {
	if len(f.spans) == 0 {
		f.spans = []messages.SpanMark{wholeSetup(f)}
	}
	t.emitMarks(f, func(m *made) { t.root(f, m) }, func(mark messages.SpanMark, m *made) {
		if mark.Name == messages.SpanConnect {
			m.attrs = clientAttributes(f, mark)
		}
	})
}

// emitMarks makes one span for each mark. root completes the first, child the others.
func (t *Telemetry) emitMarks(f *frozen, root func(*made), child func(messages.SpanMark, *made)) {
	containChildren(f.spans)
	ids := t.assignIDs(f)
	for i, mark := range f.spans {
		m := made{
			name:   mark.Name,
			kind:   kindOf(mark),
			trace:  f.TraceID,
			span:   ids[i],
			start:  f.Start.Add(mark.Start),
			end:    f.Start.Add(mark.End),
			reason: mark.Reason,
		}
		if i == 0 {
			root(&m)
		} else {
			m.parent = ids[parentOf(mark, i)]
			child(mark, &m)
		}
		if m.reason != messages.ReasonNone && m.reason == f.Reason() {
			m.text = f.Failure.Text
		}
		f.marksOf(messages.SpanRef(i), &m)
		t.provider.emit(&m)
	}
}

// parentOf is the index of the parent of mark i: an earlier one. Marks without parent belong to the first.
func parentOf(mark messages.SpanMark, i int) int {
	if mark.Parent < 0 || int(mark.Parent) >= i {
		return 0
	}
	return int(mark.Parent)
}

// root makes the first span of a set-up: it has what is known of the whole connection.
func (t *Telemetry) root(f *frozen, m *made) {
	m.parent, m.remote = f.ParentID, !f.ParentID.IsZero()
	if m.reason == messages.ReasonNone {
		m.reason = f.Reason()
	}
	m.attrs = recordAttributes(&f.Record)
	if m.name == messages.SpanConnect {
		m.attrs = append(m.attrs,
			attribute.String(messages.AttrHTTPMethod, "CONNECT"),
			attribute.Int(messages.AttrHTTPStatus, f.Reason().Status()))
	}
	m.attrs = append(m.attrs, verdictAttributes(f.Verdict)...)
	if !f.RemoteTraceID.IsZero() {
		m.attrs = append(m.attrs, attribute.String(messages.AttrRemoteTraceID, f.RemoteTraceID.String()))
		m.links = append(m.links, link(f.RemoteTraceID, f.RemoteSpanID))
	}
	if f.Dropped > 0 {
		m.attrs = append(m.attrs, attribute.Int(messages.AttrDropped, f.Dropped))
	}
}

// marksOf adds the attributes, events and links that were marked for a span.
func (f *frozen) marksOf(ref messages.SpanRef, m *made) {
	for _, a := range f.Attrs() {
		if a.Span == ref {
			m.attrs = append(m.attrs, keyValue(a.Attr))
		}
	}
	for _, e := range f.Events() {
		if e.Span == ref {
			m.events = append(m.events, event{e.Name, f.Start.Add(e.At), keyValues(e.Attrs)})
		}
	}
	for _, l := range f.Links() {
		if l.Span == ref && !l.TraceID.IsZero() {
			m.links = append(m.links, link(l.TraceID, l.SpanID))
		}
	}
}

// assignIDs gives the first span and the first CONNECT below it the ids that were fixed at accept; others may be any.
func (t *Telemetry) assignIDs(f *frozen) []messages.SpanID {
	ids := make([]messages.SpanID, len(f.spans))
	connected := false
	for i, mark := range f.spans {
		switch {
		case i == 0:
			ids[i] = f.RootID
		case !connected && (mark.Name == messages.SpanConnect || mark.Name == messages.SpanDial && f.handedOver()):
			ids[i], connected = f.ConnectID, true
		default:
			ids[i] = t.ids.span()
		}
	}
	return ids
}

// handedOver says that the connection was handed to another pod of this process: its dial is the parent of the other half.
func (f *frozen) handedOver() bool {
	return f.Mode == messages.ModeLocal && f.Direction == messages.Outbound
}

// wholeSetup stands for a set-up of which nothing was marked.
func wholeSetup(f *frozen) messages.SpanMark {
	name := messages.SpanOutbound
	switch {
	case f.Direction == messages.Inbound && (f.HBONEAddr.IsZero() || f.Mode == messages.ModeLocal):
		name = messages.SpanInbound
	case f.Direction == messages.Inbound:
		name = messages.SpanConnect
	}
	return messages.SpanMark{Name: name, Parent: messages.NoSpan, Reason: f.Reason(), End: f.age}
}

// containChildren lets every parent last until its last child ended. Marks end at least a nanosecond after they began,
// so that a child which took no time may end just after its parent. A span still open ends with its last child.
func containChildren(spans []messages.SpanMark) {
	for i := len(spans) - 1; i >= 0; i-- {
		s := &spans[i]
		s.End = max(s.End, s.Start)
		if i > 0 {
			parent := &spans[parentOf(*s, i)]
			parent.End = max(parent.End, s.End)
			parent.Start = min(parent.Start, s.Start)
		}
	}
}

func kindOf(m messages.SpanMark) oteltrace.SpanKind {
	switch m.Name {
	case messages.SpanOutbound, messages.SpanInbound, messages.SpanDNSQuery:
		return oteltrace.SpanKindServer
	case messages.SpanDial, messages.SpanDNSForward:
		return oteltrace.SpanKindClient
	case messages.SpanConnect:
		if m.Parent == messages.NoSpan {
			return oteltrace.SpanKindServer
		}
		return oteltrace.SpanKindClient
	default:
		return oteltrace.SpanKindInternal
	}
}

// elapsed is the time since a record began, as an attribute.
func elapsed(r *messages.Record, now time.Time) attribute.KeyValue {
	return attribute.Int64(messages.AttrDuration, now.Sub(r.Start).Milliseconds())
}
