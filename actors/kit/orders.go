package kit

import (
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

const (
	// orderPause is how long an order that could not be delivered rests, so that whoever crashes over it is not kept busy
	// by it.
	orderPause = 100 * time.Millisecond
	// orderTries is how many of the last tries an answer may be to.
	orderTries = 4
)

// Orders are commands that an actor repeats until they are answered: those without which everything would wait for ever,
// and which do no harm when they come twice. The actor keeps Orders as a field and alone may use it. The zero value is
// ready.
//
//	a.orders.Give(ctx, pid, time.Second, func(q messages.Question) any { return &messages.StartAccepting{Question: q} })
//	...
//	case *messages.AcceptingStarted:
//		if a.orders.Done(m) { a.acceptingStarted(ctx) }
//	case *kit.TooLate:
//		a.orders.Repeat(ctx, m)
type Orders struct {
	asks Asks
	// open are the orders by the ids of their last tries; count is how many they are.
	open  map[uint64]*order
	count int
}

// order is a command that is not answered.
type order struct {
	to     *actor.PID
	within time.Duration
	make   func(messages.Question) any
	tries  []uint64
	// resting says that nobody was told the last time.
	resting bool
}

// Give gives an order: what make makes of a question is sent to an actor, and sent again each time that no answer came
// within that time, a little sooner when nobody took it.
func (o *Orders) Give(ctx actor.Context, to *actor.PID, within time.Duration, make func(messages.Question) any) {
	if o.open == nil {
		o.open = map[uint64]*order{}
	}
	o.count++
	o.try(ctx, &order{to: to, within: within, make: make})
}

func (o *Orders) try(ctx actor.Context, one *order) {
	wait := one.within
	if one.resting {
		wait = orderPause
	}
	q := o.asks.Question(ctx, wait)
	o.open[q.ID] = one
	one.tries = append(one.tries, q.ID)
	if len(one.tries) > orderTries {
		delete(o.open, one.tries[0])
		one.tries = one.tries[1:]
	}
	if !one.resting {
		ctx.Request(one.to, one.make(q))
	}
}

// Done closes the order that m answers. It returns false for an answer that is not awaited any more, which the caller must
// drop.
func (o *Orders) Done(m interface{ AnswerID() uint64 }) bool {
	one := o.open[m.AnswerID()]
	if one == nil {
		return false
	}
	o.count--
	for _, id := range one.tries {
		delete(o.open, id)
		o.asks.Forget(id)
	}
	return true
}

// Repeat gives an order again that was not answered in time, or that nobody took. It returns false when m is of none.
func (o *Orders) Repeat(ctx actor.Context, m *TooLate) bool {
	one := o.open[m.ID]
	if one == nil {
		return false
	}
	one.resting = !one.resting && !errors.Is(m.Err, ErrDeadline)
	o.try(ctx, one)
	return true
}

// Forget repeats nothing any more.
func (o *Orders) Forget() {
	for id := range o.open {
		o.asks.Forget(id)
	}
	clear(o.open)
	o.count = 0
}

// Open is how many orders are not answered.
func (o *Orders) Open() int { return o.count }
