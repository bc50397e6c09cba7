package sim

import (
	"errors"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/messages"
)

var errMishap = errors.New("a mishap of the simulation")

// longDelay is beyond the deadline of a stage.
const longDelay = 20 * time.Second

// mishaps makes a node's actors faulty from now on. What may get lost or come twice are questions, their answers and
// what a stage says at its end; whatever happens in one process's memory can't lose or repeat the rest, but can crash.
func mishaps(f *fault.Faults, c circumstances) {
	fault.On[any](f, "*").Chance(c.panics).Panic(errMishap)
	fault.On[any](f, "*").Where(losable).Chance(c.losses).Drop()
	fault.On[any](f, "*").Where(losable).Chance(c.losses).Delay(300 * time.Millisecond)
	if c.slow {
		fault.On[any](f, "*").Where(losable).Chance(c.losses / 2).Delay(longDelay)
	}
	fault.On[any](f, "*").Where(repeatable).Chance(c.losses).Duplicate()
}

func losable(msg *any) bool {
	switch m := (*msg).(type) {
	case *messages.StageDone, *messages.StageFailed:
		return true
	case interface{ QuestionID() uint64 }:
		return true
	case interface{ AnswerID() uint64 }:
		_ = m
		return true
	}
	return false
}

func repeatable(msg *any) bool {
	if _, owns := (*msg).(messages.Undeliverable); owns {
		return false
	}
	if _, owes := (*msg).(*messages.AcquireTunnel); owes {
		return false
	}
	return losable(msg)
}
