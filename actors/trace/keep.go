package trace

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// KeepHeader and KeepValue are the response header by which an inbound node tells a peer of ours to keep the spans of a
// connection that neither side's head decision kept (TRACING §10).
const (
	KeepHeader = "troupe-trace"
	KeepValue  = "keep"
)

// cause is why spans are kept late.
type cause uint8

const (
	causeNone cause = iota
	causeDenied
	causeFailed
	causeSlow
	causeRoot // traces that belong to no connection
	causeCount
)

func (c cause) String() string { return [...]string{"none", "denied", "failed", "slow", "root"}[c] }

// causeOf says whether a record, as it stands after took, deserves to be kept although nobody sampled it.
func (t *Telemetry) causeOf(r *messages.Record, took time.Duration) cause {
	switch r.Reason() {
	case messages.ReasonNone:
	case messages.ReasonPolicyDenied, messages.ReasonPolicyChanged, messages.ReasonPolicyDeniedByPeer,
		messages.ReasonWaypointBypassed, messages.ReasonLoopRejected:
		return causeDenied
	default:
		return causeFailed
	}
	switch {
	case r.Verdict != nil && r.Verdict.DryRunDenied:
		return causeDenied
	case t.options.Slow > 0 && took >= t.options.Slow:
		return causeSlow
	}
	return causeNone
}

// allowLate takes a token for a late keep; what is refused is counted.
func (t *Telemetry) allowLate(c cause) bool {
	if t.late[c].allow(time.Now()) {
		return true
	}
	t.metrics.lateCut[c].Add(1)
	return false
}

// WantsKeep says, before the answer to a CONNECT is written, whether it must carry KeepHeader: the spans of the record
// are going to be kept, and the peer, one of ours, did not sample. Asking decides: the spans are kept if it is true.
func (t *Telemetry) WantsKeep(r *messages.Record) bool {
	if t.provider == nil || r.ParentID.IsZero() || r.Sampled {
		return false
	}
	if r.Kept {
		return true
	}
	c := t.causeOf(r, time.Since(r.Start))
	if !r.Keep && (c == causeNone || !t.allowLate(c)) {
		return false
	}
	r.Keep, r.Kept = true, true
	return true
}

// KeepTold notes what the answer to our CONNECT said: the peer keeps its spans, so ours, which are their parents, are
// kept too, whatever the limits say. Values other than KeepValue mean nothing.
func (t *Telemetry) KeepTold(r *messages.Record, header string) {
	if header == KeepValue {
		r.Keep = true
	}
}

// keep is the decision at the end of set-up.
func (t *Telemetry) keep(r *messages.Record) bool {
	if t.provider == nil {
		return false
	}
	if !r.Sampled && !r.Keep {
		c := t.causeOf(r, time.Since(r.Start))
		if c == causeNone || !t.allowLate(c) {
			return false
		}
	}
	if !r.ParentID.IsZero() && !r.Sampled && !r.Kept {
		t.orphan(r)
	}
	r.Keep = true
	return true
}

// orphan gives a record a trace of its own, linked to the peer's: the peer can't be told any more to keep the parent.
func (t *Telemetry) orphan(r *messages.Record) {
	r.RemoteTraceID, r.RemoteSpanID = r.TraceID, r.ParentID
	r.TraceID, r.ParentID = t.ids.trace(), messages.SpanID{}
}
