package kit

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Timer is a message that comes later.
type Timer struct {
	cell       *cell
	generation uint32
	msg        any
	timer      *time.Timer
	over       atomic.Bool
}

// After sends msg to ctx's actor when d is over; its mailbox never refuses it. It is not sent when the actor has stopped
// or was restarted meanwhile.
func After(ctx actor.Context, d time.Duration, msg any) *Timer {
	c := cellOf(ctx)
	t := &Timer{cell: c, generation: c.generation + 1, msg: msg}
	b := c.belong()
	if len(b.timers) == cap(b.timers) {
		b.timers = running(b.timers)
	}
	b.timers = append(b.timers, t)
	t.timer = time.AfterFunc(d, t.fire)
	if c.ended {
		t.Stop()
	}
	return t
}

// Stop takes the message back and lets go of it. It returns false when that is too late: it was sent or stopped already.
// Only the actor may call it.
func (t *Timer) Stop() bool {
	if !t.cancel() {
		return false
	}
	if b := t.cell.belongings; b != nil {
		if b.timers = slices.DeleteFunc(b.timers, func(u *Timer) bool { return u == t }); len(b.timers) == 0 {
			b.timers = nil
		}
	}
	return true
}

func (t *Timer) cancel() bool {
	if !t.over.CompareAndSwap(false, true) {
		return false
	}
	t.timer.Stop()
	return true
}

func (t *Timer) fire() {
	if !t.over.CompareAndSwap(false, true) {
		return
	}
	t.cell.sys.begin()
	defer t.cell.sys.end()
	t.cell.postOwn(t.msg, t.generation)
}

// running are the timers that are not over.
func running(timers []*Timer) []*Timer {
	kept := timers[:0]
	for _, t := range timers {
		if !t.over.Load() {
			kept = append(kept, t)
		}
	}
	clear(timers[len(kept):])
	return kept
}
