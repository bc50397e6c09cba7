package trace

import (
	"slices"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
)

// SetupEnded is called once, when the tunnel is established or the set-up failed (r.Failure says which). It ends marks
// that are still open, decides whether the spans are kept, hands them to the worker if so, and releases the marks.
// Further calls do nothing.
func (t *Telemetry) SetupEnded(r *messages.Record) {
	if r.SetupOver {
		return
	}
	r.SetupOver = true
	r.Established = r.Failure == nil
	if r.Dropped > 0 {
		t.metrics.marksCut.Add(uint64(r.Dropped))
	}
	if t.keep(r) {
		r.EndOpen(r.Reason())
		if !t.submit(r, t.materialise) {
			r.Sampled, r.Keep = false, false // nothing may name a parent that is not exported
		}
	}
	r.Release()
}

// submit hands a copy of the record to the worker: the flow goes on with its own.
func (t *Telemetry) submit(r *messages.Record, job func(*frozen)) bool {
	f := &frozen{Record: *r, spans: slices.Clone(r.Spans()), age: time.Since(r.Start)}
	return t.worker.submit(func() { job(f) })
}

// frozen is a copy of a record that the worker may read at leisure. spans are the marks: those inside of the copied
// recorder still belong to the flow.
type frozen struct {
	messages.Record
	spans []messages.SpanMark
	// age is how old the record was when it was copied.
	age time.Duration
}

// Closed counts and logs the end of a connection that was opened, and makes its tunnel.close span. s is what Opened
// returned; c may be nil when nothing was relayed. A failure set after SetupEnded was counts as the connection's.
func (t *Telemetry) Closed(r *messages.Record, s *Series, c *relay.Counters) {
	now := time.Now()
	t.metrics.traffic.closed(s, r.Reason())
	t.failed(r)
	t.policyClosed(r)
	t.logClosed(r, s, c, now.Sub(r.Start))
	t.socketEnded(r)
	t.closeSpan(r, c, now)
}

// EarlyDenied ends a connection that was refused before its stats were built: a warning, spans, and none of the reference's
// traffic metrics (spec/dataplane.md §11.5), but troupe_connection_failures. SetupEnded may have been called before.
func (t *Telemetry) EarlyDenied(r *messages.Record) {
	t.SetupEnded(r)
	t.failed(r)
	t.logDenied(r)
	t.socketEnded(r)
}

// failed counts a failure under its reason.
func (t *Telemetry) failed(r *messages.Record) {
	if r.Failure != nil {
		t.metrics.failures.With(r.Direction.Reporter(), r.Reason().String()).Add(1)
	}
}
