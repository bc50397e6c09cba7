package fault

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

func TestNotesGoToWhomTheyConcern(t *testing.T) {
	f := New()
	On[any](f, "*").Drop()
	pid := func(name string) *actor.PID { return actor.NewPID("", name) }
	flow, other, store := pid("pod/tunnel/1"), pid("pod/tunnel/12"), pid("store")
	send := func(to, from *actor.PID, msg any) {
		f.Post(kit.Target{Role: "a role", PID: to, Sender: from}, msg, func(any) {})
	}
	send(store, pid("pod/tunnel/1/classify/1"), &find{}) // asked by a stage of the flow
	send(flow, nil, &jot{})                              // told to the flow
	send(store, other, &find{})
	send(other, nil, &jot{})
	send(store, nil, &jot{}) // nobody's

	notes := f.Notes(flow)
	if len(notes) != 2 || notes[0].Message != "fault.find" || notes[0].Fault != "drop" || notes[0].Actor != store ||
		notes[1].Message != "fault.jot" || notes[1].Actor != flow || notes[0].At.Before(f.start) {
		t.Errorf("notes %+v", notes)
	}
	if again := f.Notes(flow); len(again) != 0 {
		t.Errorf("told again: %+v", again)
	}
	if notes := f.Notes(other); len(notes) != 2 {
		t.Errorf("notes %+v", notes)
	}
	if n := len(f.journal.notes); n != 1 {
		t.Errorf("%d notes are left", n)
	}
}
