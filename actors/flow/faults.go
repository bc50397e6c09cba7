package flow

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

// markFaults marks the faults that were injected into the flow since it was last asked, so that its trace tells what a
// test did to it: in the span of the stage of that time, or in the close span once the set-up is over.
func (t *tunnel) markFaults(ctx actor.Context) {
	if t.marks == nil {
		return
	}
	for _, n := range t.System.FaultNotes(ctx.Self()) {
		at := n.At.Sub(t.rec.Start)
		t.marks.EventAt(t.spanAt(at), at, messages.EventFault,
			messages.StringAttr(messages.AttrFault, n.Fault),
			messages.StringAttr(messages.AttrQuestion, n.Message),
			messages.StringAttr(messages.AttrActorName, n.Actor.GetId()))
	}
}

// spanAt is the span of the stage that the flow was in at an offset from its start, its first span when it was in none.
func (t *tunnel) spanAt(at time.Duration) messages.SpanRef {
	if t.setUp {
		return t.root
	}
	found := t.root
	for _, s := range t.stageSpan {
		if s != messages.NoSpan && t.began(s) <= at {
			found = s
		}
	}
	return found
}
