package trace

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// Applied is one response of the control plane that the stores have taken in.
type Applied struct {
	// Kind is what it was about: addresses or authorizations.
	Kind string
	// Start is when it was read, End when the stores had it.
	Start, End time.Time
	// Resources, Removed and Bytes are how much it was.
	Resources, Removed, Bytes int
	// Rejected are the resources that could not be understood, at most a handful of them; RejectedCount is how many they were.
	Rejected      []Rejected
	RejectedCount int
}

// Rejected is a resource that could not be understood.
type Rejected struct{ Name, Why string }

// appliesPerSec bounds the traces of responses in which all was understood: in a busy mesh there are many, each like the
// other.
const appliesPerSec = 1

// StateApplied makes the trace of a response, xds.apply: of each with rejected resources, and of others now and then.
func (t *Telemetry) StateApplied(a Applied) {
	if t.provider == nil || a.RejectedCount == 0 && !t.applies.allow(time.Now()) {
		return
	}
	r := messages.Recorder{Start: a.Start}
	t.StartRecorder(&r)
	root := r.BeginAt(messages.SpanXDSApply, messages.NoSpan, 0)
	for _, one := range a.Rejected {
		r.Event(root, messages.EventResourceRejected,
			messages.StringAttr(messages.AttrResource, one.Name), messages.StringAttr(messages.AttrRejection, one.Why))
	}
	r.Spans()[root].End = max(a.End.Sub(a.Start), 1)
	t.RootTrace(&r, nil,
		messages.StringAttr(messages.AttrResourceKind, a.Kind), messages.IntAttr(messages.AttrResources, int64(a.Resources)),
		messages.IntAttr(messages.AttrRemoved, int64(a.Removed)), messages.IntAttr(messages.AttrRejected, int64(a.RejectedCount)),
		messages.IntAttr(messages.AttrBytesReceived, int64(a.Bytes)))
}
