package kit

import "sync/atomic"

// FlowDispatcher runs the actors of one connection one after another on one goroutine, which exists only while one of
// them has something to do. Handing over from one to another wakes nobody. The zero value is ready; it has no timers.
type FlowDispatcher struct {
	head atomic.Pointer[cell]
	// after is where the goroutine that runs the flow finds what it does next. It belongs to that goroutine and is nil when
	// there is none.
	after *task
}

// flowPatience is how often the actors of a flow have their turn before what the flow has left to its goroutine goes to another.
const flowPatience = 32

// busy marks a dispatcher whose goroutine runs and for which nothing has come since; nil means that none runs.
var busy cell

// NewFlowDispatcher makes the dispatcher of one connection.
func NewFlowDispatcher() *FlowDispatcher { return new(FlowDispatcher) }

func (d *FlowDispatcher) schedule(c *cell) {
	for {
		old := d.head.Load()
		c.next = old
		if d.head.CompareAndSwap(old, c) {
			if old == nil {
				c.sys.begin()
				c.sys.launch(task{flow: d})
			}
			return
		}
	}
}

// lead makes the calling goroutine the one that runs the flow, if none does: it must call run then.
func (d *FlowDispatcher) lead(s *System) bool {
	if !d.head.CompareAndSwap(nil, &busy) {
		return false
	}
	s.begin()
	return true
}

// run runs the flow's actors until none has anything to do. Work that they leave for this goroutine is in after then.
func (d *FlowDispatcher) run(s *System, after *task) {
	defer s.end()
	ample(false)
	d.after = after
	for rounds := 0; ; rounds++ {
		var ready *cell
		for c := d.head.Swap(&busy); c != nil && c != &busy; {
			next := c.next
			c.next = ready
			ready = c
			c = next
		}
		if ready == nil {
			d.after = nil // once the head says so another may run the flow
			if d.head.CompareAndSwap(&busy, nil) {
				return
			}
			d.after = after
			continue
		}
		for c := ready; c != nil; {
			next := c.next
			c.next = nil
			c.serve(nil, 0)
			c = next
		}
		if rounds >= flowPatience && after.some() {
			s.launch(*after)
			*after = task{}
		}
	}
}

// leave has the goroutine that runs the flow do t when the flow's turn is over: it has nothing else to do then, and nobody
// need be woken. It reports false when there is no such goroutine or it has something to do already.
func (d *FlowDispatcher) leave(t task) bool {
	if d == nil || d.after == nil || d.after.some() {
		return false
	}
	*d.after = t
	return true
}
