package trace

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// StartRecorder begins a recorder for a trace of its own that belongs to no connection: drain, csr, xds.apply and the
// like. Its first mark is the root. RootTrace ends it.
func (t *Telemetry) StartRecorder(r *messages.Recorder) {
	if r.Start.IsZero() {
		r.Start = time.Now()
	}
	t.ids.fill(r)
}

// RootTrace makes the spans of a recorder of StartRecorder and returns the ids of its root, for links to it. Such traces
// are rare and always kept, up to a limit a second; the ids are zero when nothing is exported, and a link to them is
// none. attrs go on the root; failure may be nil.
func (t *Telemetry) RootTrace(r *messages.Recorder, failure *messages.Failure, attrs ...messages.Attr) (messages.TraceID, messages.SpanID) {
	defer r.Release()
	if t.provider == nil || len(r.Spans()) == 0 || !t.allowLate(causeRoot) {
		return messages.TraceID{}, messages.SpanID{}
	}
	for _, a := range attrs {
		r.Attr(0, a)
	}
	record := messages.Record{Failure: failure}
	r.EndOpen(record.Reason())
	if r.Dropped > 0 {
		t.metrics.marksCut.Add(uint64(r.Dropped))
	}
	record.Recorder = *r
	if !t.submit(&record, t.materialiseRoot) {
		return messages.TraceID{}, messages.SpanID{}
	}
	return r.TraceID, r.RootID
}

// materialiseRoot makes the spans of a trace that belongs to no connection. It runs on the worker.
func (t *Telemetry) materialiseRoot(f *frozen) {
	root := func(m *made) {
		if m.reason == messages.ReasonNone {
			m.reason = f.Reason()
		}
	}
	t.emitMarks(f, root, func(messages.SpanMark, *made) {})
}
