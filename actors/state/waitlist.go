package state

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// waitlist holds questions that can't be answered yet, each until a deadline of its own, with one timer for all.
type waitlist struct {
	limit int
	items []*waiting
	due   int64 // when the timer fires, 0 for none
	timer *kit.Timer
}

// waiting is one question that is held.
type waiting struct {
	asker        *actor.PID
	since, until int64 // System.Nanos
	// answer makes the answer; it is nil while there is none yet.
	answer func() any
	// late is the answer when the deadline has passed.
	late func() any
}

// overdue is what a waitlist's timer sends to its store.
type overdue struct{ list *waitlist }

// add holds a question for as long as d. It is false when too many are held already.
func (l *waitlist) add(ctx actor.Context, d time.Duration, answer, late func() any) bool {
	if len(l.items) >= l.limit {
		return false
	}
	now := kit.SystemOf(ctx).Nanos()
	l.items = append(l.items, &waiting{
		asker: ctx.Sender(), since: now, until: now + int64(d), answer: answer, late: late,
	})
	l.arm(ctx, now)
	return true
}

// arm sees to it that the timer fires at the earliest deadline.
func (l *waitlist) arm(ctx actor.Context, now int64) {
	var earliest int64
	for _, w := range l.items {
		if earliest == 0 || w.until < earliest {
			earliest = w.until
		}
	}
	if earliest == l.due {
		return
	}
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.due = earliest; earliest != 0 {
		l.timer = kit.After(ctx, time.Duration(earliest-now), &overdue{l})
	}
}

// expire gives every question whose time is up its late answer.
func (l *waitlist) expire(ctx actor.Context) {
	l.due, l.timer = 0, nil
	now := kit.SystemOf(ctx).Nanos()
	l.settle(ctx, func(w *waiting) any {
		if w.until > now {
			return nil
		}
		return w.late()
	})
}

// release gives every question its answer, if there is one now.
func (l *waitlist) release(ctx actor.Context) {
	l.settle(ctx, func(w *waiting) any { return w.answer() })
}

// settle sends what answer returns for each question, and goes on holding those for which it returns nil.
func (l *waitlist) settle(ctx actor.Context, answer func(*waiting) any) {
	items := l.items
	l.items = nil
	var kept []*waiting
	for _, w := range items {
		if a := answer(w); a != nil {
			send(ctx, w.asker, a)
		} else {
			kept = append(kept, w)
		}
	}
	l.items = append(kept, l.items...)
	l.arm(ctx, kit.SystemOf(ctx).Nanos())
}

func send(ctx actor.Context, to *actor.PID, msg any) {
	if to != nil {
		ctx.Send(to, msg)
	}
}
