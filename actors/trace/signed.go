package trace

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// Signed is one finished attempt to have a certificate made.
type Signed struct {
	Identity messages.Identity
	Priority messages.CertificatePriority
	// Began is when it began, Took how long it lasted, Queued how long it had waited for its turn.
	Began        time.Time
	Took, Queued time.Duration
	// Err is why it failed; Retained says that an older certificate is still valid then, and Overdue that what is held nears
	// its end all the same.
	Err               error
	Retained, Overdue bool
}

// CertificateSigned makes the trace of an attempt, csr, and returns the ids of its root, for links to it.
func (t *Telemetry) CertificateSigned(s Signed) (messages.TraceID, messages.SpanID) {
	if t.provider == nil {
		return messages.TraceID{}, messages.SpanID{}
	}
	r := messages.Recorder{Start: s.Began}
	t.StartRecorder(&r)
	root := r.BeginAt(messages.SpanCSR, messages.NoSpan, 0)
	r.Spans()[root].End = max(s.Took, 1)
	attrs := []messages.Attr{
		messages.StringAttr(messages.AttrIdentity, s.Identity.String()), messages.StringAttr(messages.AttrPriority, s.Priority.String()),
		messages.IntAttr(messages.AttrWait, s.Queued.Microseconds()),
	}
	var failure *messages.Failure
	if s.Err != nil {
		failure = messages.Fail(messages.ReasonIdentityUnavailable, s.Err.Error())
		r.Spans()[root].Reason = failure.Reason
		attrs = append(attrs, messages.BoolAttr(messages.AttrRetained, s.Retained))
	}
	if s.Overdue {
		attrs = append(attrs, messages.BoolAttr(messages.AttrOverdue, true))
	}
	return t.RootTrace(&r, failure, attrs...)
}
