package kit

import "runtime"

// Dispatch says on which goroutines an actor runs.
type Dispatch struct {
	kind kind
	flow *FlowDispatcher
}

type kind uint8

const (
	ownGoroutine kind = iota
	callerRuns
	onFlow
)

// Own lets an actor run on a goroutine that starts when a message comes and ends when none is left.
func Own() Dispatch { return Dispatch{} }

// CallerRuns lets an actor run on the goroutine that posts to it, or, when it is running already, on the one that runs
// it: for actors that never wait and answer quickly. A goroutine that has run it for 128 messages hands over to
// a new one, so that a poster is not held for ever. Whoever posts must hold no lock that the actor, or an actor that it
// posts to, may want.
func CallerRuns() Dispatch { return Dispatch{kind: callerRuns} }

// OnFlow lets an actor run on a flow's goroutine, in turn with the others of that flow.
func OnFlow(d *FlowDispatcher) Dispatch { return Dispatch{kind: onFlow, flow: d} }

// schedule sees to it that the cell is served. It must have been claimed, or not have begun.
func (c *cell) schedule() {
	switch c.run.kind {
	case callerRuns:
		c.serve(nil, 0)
	case onFlow:
		c.run.flow.schedule(c)
	default:
		c.detach()
	}
}

// detach serves the cell on a goroutine of its own.
func (c *cell) detach() {
	c.sys.begin()
	c.sys.launch(task{cell: c})
}

func (c *cell) serveAlone() {
	defer c.sys.end()
	ample(false)
	c.serve(nil, 0)
}

// room is a little less than the stack that actors need on top of the smallest one.
const room = 5 << 10

// ample makes a new goroutine's stack large enough for what actors do. It grows anyway, but here it is shallow: later,
// with twenty frames to move, it costs as much as spawning an actor.
//
//go:noinline
func ample(use bool) {
	if use { // never: the frame is what counts, and it is not cleared unless it is used
		var frame [room]byte
		runtime.KeepAlive(&frame)
	}
}
