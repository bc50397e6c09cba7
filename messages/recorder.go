package messages

import "time"

// SpanRef refers to a span of one Recorder. NoSpan refers to none; marking it does nothing.
type SpanRef int8

// NoSpan is no span.
const NoSpan SpanRef = -1

// usualSpans is how many spans the set-up of an ordinary connection has: room for them is made at once.
const usualSpans = 13

// maxSpans bounds the spans that one connection's set-up records; further ones are counted and left out.
const maxSpans = 24

// maxEvents bounds the events that one connection's set-up records.
const maxEvents = 64

// SpanMark is one recorded span. Start and End are offsets from the recorder's start; End is zero while it is open.
type SpanMark struct {
	Name       SpanName
	Parent     SpanRef
	Reason     Reason
	Start, End time.Duration
}

// EventMark is something that happened in a span.
type EventMark struct {
	Span  SpanRef
	At    time.Duration
	Name  string
	Attrs []Attr
}

// AttrMark is an attribute of a span.
type AttrMark struct {
	Span SpanRef
	Attr Attr
}

// LinkMark says that a span has to do with a span of another trace.
type LinkMark struct {
	Span    SpanRef
	TraceID TraceID
	SpanID  SpanID
}

// Recorder notes what a connection's set-up went through, cheaply, without deciding whether it becomes a trace. It
// belongs to its flow: only the goroutine that runs the flow's stages may touch it. Its ids are fixed at accept.
type Recorder struct {
	TraceID TraceID
	// RootID is the id of the flow's first span (outbound, inbound or the server's CONNECT), ConnectID that of the
	// client's CONNECT, which goes out as traceparent.
	RootID, ConnectID SpanID
	// ParentID is the remote parent, a span of a peer that exports it; zero makes the first span a root.
	ParentID SpanID
	// RemoteTraceID and RemoteSpanID are a peer's context that is no parent, because nobody exports it or keeping its
	// spans can't be asked any more; the first span links to it. Zero means none.
	RemoteTraceID TraceID
	RemoteSpanID  SpanID
	// Sampled is the head decision.
	Sampled bool
	// Keep is set when the spans must be exported whatever the head decision was, and Kept when a peer was told so.
	Keep, Kept bool
	// SetupOver says that the set-up was reported as ended, Established that it went well.
	SetupOver, Established bool
	// Start is when the flow began.
	Start time.Time
	// Dropped counts spans and events beyond the bounds.
	Dropped int

	marks *marks // nil until something is marked
}

// marks are what a recorder has noted.
type marks struct {
	spans  []SpanMark
	events []EventMark
	attrs  []AttrMark
	links  []LinkMark
	usual  [usualSpans]SpanMark // room for the spans of an ordinary connection
}

// begin makes room for marks.
func (r *Recorder) begin() {
	if r.marks == nil {
		r.marks = new(marks)
		r.marks.spans = r.marks.usual[:0]
	}
}

// has reports whether anything was marked since the last release.
func (r *Recorder) has() bool { return r != nil && r.marks != nil }

// Begin records the start of a span under parent.
func (r *Recorder) Begin(name SpanName, parent SpanRef) SpanRef {
	if r == nil {
		return NoSpan
	}
	return r.BeginAt(name, parent, time.Since(r.Start))
}

// BeginAt records the start of a span at an offset from the recorder's start.
func (r *Recorder) BeginAt(name SpanName, parent SpanRef, at time.Duration) SpanRef {
	if r == nil {
		return NoSpan
	}
	r.begin()
	if len(r.marks.spans) >= maxSpans {
		r.Dropped++
		return NoSpan
	}
	r.marks.spans = append(r.marks.spans, SpanMark{Name: name, Parent: parent, Start: at})
	return SpanRef(len(r.marks.spans) - 1)
}

// End records the end of a span; a span ends once, later calls do nothing.
func (r *Recorder) End(s SpanRef) { r.Fail(s, ReasonNone) }

// Fail records the end of a span that failed for a reason.
func (r *Recorder) Fail(s SpanRef, reason Reason) {
	if !r.has() || s < 0 || int(s) >= len(r.marks.spans) || r.marks.spans[s].End != 0 {
		return
	}
	r.marks.spans[s].End = max(time.Since(r.Start), r.marks.spans[s].Start+1)
	r.marks.spans[s].Reason = reason
}

// Span records a whole span that took from start to end, both offsets from the recorder's start.
func (r *Recorder) Span(name SpanName, parent SpanRef, start, end time.Duration) SpanRef {
	s := r.BeginAt(name, parent, start)
	if s != NoSpan {
		r.marks.spans[s].End = max(end, start+1)
	}
	return s
}

// Blame says that a span which has ended failed for a reason.
func (r *Recorder) Blame(s SpanRef, reason Reason) {
	if r.has() && s >= 0 && int(s) < len(r.marks.spans) {
		r.marks.spans[s].Reason = reason
	}
}

// Event records that something happened in a span.
func (r *Recorder) Event(s SpanRef, name string, attrs ...Attr) {
	if r == nil || s == NoSpan {
		return
	}
	r.begin()
	if len(r.marks.events) >= maxEvents {
		r.Dropped++
		return
	}
	r.marks.events = append(r.marks.events, EventMark{Span: s, At: time.Since(r.Start), Name: name, Attrs: attrs})
}

// EventAt is Event for what happened earlier: at an offset from the recorder's start.
func (r *Recorder) EventAt(s SpanRef, at time.Duration, name string, attrs ...Attr) {
	if r == nil || s == NoSpan {
		return
	}
	r.begin()
	n := len(r.marks.events)
	if r.Event(s, name, attrs...); len(r.marks.events) > n {
		r.marks.events[n].At = at
	}
}

// Attr records an attribute of a span.
func (r *Recorder) Attr(s SpanRef, a Attr) {
	if !r.has() || s == NoSpan || len(r.marks.attrs) >= maxEvents {
		return
	}
	r.marks.attrs = append(r.marks.attrs, AttrMark{Span: s, Attr: a})
}

// Link records that a span has to do with a span of another trace.
func (r *Recorder) Link(s SpanRef, trace TraceID, span SpanID) {
	if !r.has() || s == NoSpan || len(r.marks.links) >= maxEvents {
		return
	}
	r.marks.links = append(r.marks.links, LinkMark{Span: s, TraceID: trace, SpanID: span})
}

// EndOpen ends every span that is still open with a reason, the innermost first.
func (r *Recorder) EndOpen(reason Reason) {
	if !r.has() {
		return
	}
	for i := len(r.marks.spans) - 1; i >= 0; i-- {
		r.Fail(SpanRef(i), reason)
	}
}

// Spans, Events, Attrs and Links are what was recorded, in order. They may be read only after the last mark.
func (r *Recorder) Spans() []SpanMark {
	if !r.has() {
		return nil
	}
	return r.marks.spans
}

// Events are the recorded events in order.
func (r *Recorder) Events() []EventMark {
	if !r.has() {
		return nil
	}
	return r.marks.events
}

// Attrs are the recorded attributes in order.
func (r *Recorder) Attrs() []AttrMark {
	if !r.has() {
		return nil
	}
	return r.marks.attrs
}

// Links are the recorded links in order.
func (r *Recorder) Links() []LinkMark {
	if !r.has() {
		return nil
	}
	return r.marks.links
}

// Release forgets the marks, once they were exported or are not wanted, so that a long-lived connection does not
// carry them. Ids and decisions stay.
func (r *Recorder) Release() {
	r.marks = nil
}
