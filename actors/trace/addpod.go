package trace

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// PodAdded is one start of a pod's proxy, asked for by the CNI agent.
type PodAdded struct {
	UID        string
	Info       messages.WorkloadInfo
	Start, End time.Time
	// Err is why it could not be started.
	Err error
}

// PodAdded makes the trace of a pod's start: zds.add_pod.
func (t *Telemetry) PodAdded(p PodAdded) {
	if t.provider == nil {
		return
	}
	r := messages.Recorder{Start: p.Start}
	t.StartRecorder(&r)
	root := r.BeginAt(messages.SpanZDSAddPod, messages.NoSpan, 0)
	r.Spans()[root].End = max(p.End.Sub(p.Start), 1)
	var failure *messages.Failure
	if p.Err != nil {
		failure = messages.Fail(messages.ReasonInternal, p.Err.Error())
		r.Spans()[root].Reason = failure.Reason
	}
	t.RootTrace(&r, failure,
		messages.StringAttr(messages.AttrPodUID, p.UID), messages.StringAttr(messages.AttrPodName, p.Info.Name),
		messages.StringAttr(messages.AttrPodNamespace, p.Info.Namespace))
}
