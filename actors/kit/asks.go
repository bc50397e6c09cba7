package kit

import (
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

// Why a question is answered with TooLate.
var (
	ErrDeadline      = errors.New("no answer before the deadline")
	ErrUndelivered   = errors.New("the question could not be delivered")
	ErrTooManyOpen   = errors.New("too many open questions")
	errForeignAnswer = errors.New("the reply has another type")
)

// DefaultMaxOpen is how many questions an Asks keeps open when it names no other number.
const DefaultMaxOpen = 1024

// TooLate is the answer to a question that will not be answered: an actor that asks through [Asks] gets it through its
// mailbox, exactly once, in place of the answer.
type TooLate struct {
	// ID is the question's.
	ID uint64
	// Err is ErrDeadline, ErrUndelivered or ErrTooManyOpen.
	Err error
}

// AlwaysAdmitted says that there is at most one for each question.
func (*TooLate) AlwaysAdmitted() {}

// Asks are the open questions of one actor, which keeps it as a field and alone may use it. Each question gets one
// answer: the store's, or TooLate. The zero value is ready.
//
//	q := &messages.FindWorkload{Question: a.asks.Question(ctx, time.Second), UID: uid}
//	ctx.Request(workloads, q)
//	...
//	case *messages.WorkloadFound:
//		if a.asks.Answered(m) { a.found(ctx, m) }
//	case *kit.TooLate:
//		a.tooLate(ctx, m)
//
// A question that is answered before the actor's turn ends costs no timer; otherwise one timer serves all of them.
type Asks struct {
	// MaxOpen bounds the open questions; 0 means DefaultMaxOpen. One more is answered with TooLate at once.
	MaxOpen int

	cell   *cell
	next   *Asks
	open   []question
	inline [2]question
	timer  *time.Timer
	armed  int64 // the deadline that the timer waits for, 0 for none
	late   uint64
}

type question struct {
	id       uint64
	deadline int64
}

// tick says that a deadline has passed.
type tick struct{ asks *Asks }

// Question opens a question of ctx's actor, with its id and the time of now, that must be answered within timeout.
func (a *Asks) Question(ctx actor.Context, timeout time.Duration) messages.Question {
	c := cellOf(ctx)
	b := c.belong()
	if a.cell != c {
		a.cell, a.next, b.asks = c, b.asks, a
		a.open = a.inline[:0]
	}
	b.asked++
	id, now := b.asked, c.sys.Nanos()
	most := a.MaxOpen
	if most <= 0 {
		most = DefaultMaxOpen
	}
	if len(a.open) >= most {
		c.role.overasked.Add(1)
		c.postOwn(&TooLate{ID: id, Err: ErrTooManyOpen}, c.generation+1)
	} else {
		a.open = append(a.open, question{id, now + int64(timeout)})
	}
	return messages.Question{Stamp: messages.Stamp{Sent: now}, ID: id}
}

// Answered closes the question that m answers. It returns false when the answer came too late or was not asked for:
// then it is counted and undelivered, and the caller must drop it.
func (a *Asks) Answered(m interface{ AnswerID() uint64 }) bool {
	if a.close(m.AnswerID()) {
		return true
	}
	a.late++
	if a.cell != nil {
		a.cell.role.late.Add(1)
	}
	Undeliver(m)
	return false
}

// Forget closes a question whose answer is not wanted any more, without TooLate.
func (a *Asks) Forget(id uint64) { a.close(id) }

// Open is how many questions are open.
func (a *Asks) Open() int { return len(a.open) }

// Late is how many answers came too late.
func (a *Asks) Late() uint64 { return a.late }

func (a *Asks) close(id uint64) bool {
	for i := range a.open {
		if a.open[i].id == id {
			last := len(a.open) - 1
			a.open[i] = a.open[last]
			a.open = a.open[:last]
			return true
		}
	}
	return false
}

// settle sets the timer to the first deadline when the actor's turn ends.
func (a *Asks) settle() {
	if len(a.open) == 0 {
		a.disarm()
		return
	}
	first := a.open[0].deadline
	for _, q := range a.open[1:] {
		first = min(first, q.deadline)
	}
	if first == a.armed {
		return
	}
	a.armed = first
	d := time.Duration(first - a.cell.sys.Nanos())
	if a.timer == nil {
		c, t := a.cell, &tick{a}
		generation := c.generation + 1
		a.timer = time.AfterFunc(d, func() {
			c.sys.begin()
			defer c.sys.end()
			c.postOwn(t, generation)
		})
		return
	}
	a.timer.Reset(d)
}

func (a *Asks) disarm() {
	if a.armed != 0 {
		a.timer.Stop()
		a.armed = 0
	}
}

// drop forgets all questions: the actor ends.
func (a *Asks) drop() {
	a.open = a.open[:0]
	a.disarm()
	a.cell = nil
}

// expire answers the questions whose deadline has passed.
func (a *Asks) expire(c *cell) {
	a.armed = 0
	now := c.sys.Nanos()
	for i := 0; i < len(a.open); {
		q := a.open[i]
		if q.deadline > now {
			i++
			continue
		}
		a.close(q.id)
		c.role.expired.Add(1)
		c.postOwn(&TooLate{ID: q.id, Err: ErrDeadline}, c.generation+1)
	}
}

// giveUp answers the question that could not be delivered, if it is one of the actor's.
func (c *cell) giveUp(u *Undelivered) bool {
	q, ok := u.Message.(interface{ QuestionID() uint64 })
	if !ok || c.belongings == nil {
		return false
	}
	for a := c.belongings.asks; a != nil; a = a.next {
		if a.close(q.QuestionID()) {
			c.postOwn(&TooLate{ID: q.QuestionID(), Err: ErrUndelivered}, c.generation+1)
			return true
		}
	}
	return false
}

// Answer is what a store's answer to q begins with.
func (s *System) Answer(q *messages.Question, version uint64) messages.Answer {
	return messages.Answer{Stamp: messages.Stamp{Sent: s.Nanos()}, ID: q.ID, Version: version, Asked: q.Waited}
}
