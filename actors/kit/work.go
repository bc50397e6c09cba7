package kit

import (
	"context"

	"github.com/asynkron/protoactor-go/actor"
)

// workFailure brings the panic of a goroutine to the actor that it worked for.
type workFailure struct{ failure *Failure }

// work is a goroutine that works for an actor.
type work struct {
	cell       *cell
	generation uint32
	do         func(context.Context) any
}

// Go does what waits: it runs do on a goroutine of its own and sends what do returns, unless nil, to ctx's actor, whose
// mailbox never refuses it. The context that do gets ends when the actor stops or restarts; do must return soon after
// that, for Shutdown waits for it. What comes after the end of the actor, or for an earlier life of it, is undelivered.
// When do panics, the actor fails.
func Go(ctx actor.Context, do func(context.Context) any) {
	c := cellOf(ctx)
	b := c.belong()
	if b.work == nil {
		b.work, b.cancel = context.WithCancel(context.Background())
		if c.ended {
			b.cancel()
		}
	}
	c.startWork(b.work, do)
}

// Do is Go for work that the actor ends in another way than by a context: an actor that never used Go carries none.
func Do(ctx actor.Context, do func() any) {
	cellOf(ctx).startWork(context.Background(), func(context.Context) any { return do() })
}

// Afresh is what the do of Go, Do and DoLong may return to go on, in what Afresh does, on a new goroutine with the smallest of
// stacks. It is no message: what Afresh returns takes its place.
type Afresh func() any

// DoLong is Do for work that mostly waits, for as long as a connection lives: its goroutine is a new one with the smallest of
// stacks, and ends with it.
func DoLong(ctx actor.Context, do func() any) {
	w := cellOf(ctx).begin(func(context.Context) any { return do() })
	go w.alone(context.Background())
}

func (c *cell) startWork(ctx context.Context, do func(context.Context) any) {
	t := task{work: c.begin(do), ctx: ctx}
	if !c.run.flow.leave(t) {
		c.sys.launch(t)
	}
}

func (c *cell) begin(do func(context.Context) any) work {
	c.sys.begin()
	c.role.working.Add(1)
	return work{cell: c, generation: c.generation + 1, do: do}
}

// start does the work on a worker, to which after belongs.
func (w work) start(ctx context.Context, after *task) {
	if msg := (&w).run(ctx); !w.again(ctx, msg) {
		w.end(msg, after)
	}
}

// alone does the work on a goroutine of its own.
func (w work) alone(ctx context.Context) {
	if msg := (&w).run(ctx); !w.again(ctx, msg) {
		after := new(task)
		w.end(msg, after)
		after.run(w.cell.sys)
	}
}

// again goes on with what has to be done afresh, if msg is that.
func (w work) again(ctx context.Context, msg any) bool {
	next, ok := msg.(Afresh)
	if ok {
		w.do = func(context.Context) any { return next() }
		go w.alone(ctx)
	}
	return ok
}

func (w *work) end(msg any, after *task) {
	defer w.cell.sys.end()
	w.cell.role.working.Add(-1)
	if msg == nil {
		return
	}
	// This goroutine has nothing else to do: where nobody runs the flow it does, and nobody need be woken.
	flow := w.cell.run.flow
	leads := flow != nil && flow.lead(w.cell.sys)
	w.cell.postOwn(msg, w.generation)
	if leads {
		flow.run(w.cell.sys, after)
	}
}

func (w *work) run(ctx context.Context) (msg any) {
	defer func() {
		if r := recover(); r != nil {
			f := newFailure(w.cell, r, nil)
			f.Message = "work of Go"
			msg = &workFailure{f}
		}
	}()
	return w.do(ctx)
}
