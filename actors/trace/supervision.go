package trace

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// ActorFault is what supervision did about an actor that failed.
type ActorFault struct {
	// Role is what the actor does, Name its path.
	Role, Name string
	// Directive is what its supervisor did: restart, stop, escalate or resume.
	Directive string
	// Restarts is how often it was restarted within its supervisor's window.
	Restarts int
	// Err says what failed, Stack where; Stack may be empty.
	Err   error
	Stack string
	// Connections are the recorders of the flows that were hit, if any: the trace links to their first spans.
	Connections []*messages.Recorder
}

// ActorEvent makes a supervision event visible: an error line, a metric, and a trace of its own (actor.restart).
func (t *Telemetry) ActorEvent(f ActorFault) {
	t.metrics.ActorRestarts.With(f.Role, f.Directive).Add(1)
	t.actors.Error("actor failed").
		Str(messages.FieldActor, f.Name).
		Str(messages.FieldDirective, f.Directive).
		Int(messages.FieldRestarts, int64(f.Restarts)).
		OptStr(messages.FieldStack, f.Stack).
		Err(f.Err).
		Send()
	if t.provider == nil {
		return
	}
	var r messages.Recorder
	r.Start = time.Now()
	t.StartRecorder(&r)
	root := r.BeginAt(messages.SpanActorRestart, messages.NoSpan, 0)
	for _, c := range f.Connections {
		r.Link(root, c.TraceID, c.RootID)
	}
	text := f.Directive
	if f.Err != nil {
		text = f.Err.Error()
	}
	t.RootTrace(&r, messages.Fail(messages.ReasonInternal, text),
		messages.StringAttr(messages.AttrRole, f.Role),
		messages.StringAttr(messages.AttrActorName, f.Name),
		messages.StringAttr(messages.AttrDirective, f.Directive),
		messages.IntAttr(messages.AttrRestarts, int64(f.Restarts)))
}
