package kit

import "sync/atomic"

// FlowDispatcher runs the actors of one connection one after another on one goroutine, which exists only while one of
// them has something to do. Handing over from one to another wakes nobody. The zero value is ready; it has no timers.
type FlowDispatcher struct {
	head atomic.Pointer[cell]
}

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

func (d *FlowDispatcher) run(s *System) {
	defer s.end()
	ample(false)
	for {
		var ready *cell
		for c := d.head.Swap(&busy); c != nil && c != &busy; {
			next := c.next
			c.next = ready
			ready = c
			c = next
		}
		if ready == nil {
			if d.head.CompareAndSwap(&busy, nil) {
				return
			}
			continue
		}
		for c := ready; c != nil; {
			next := c.next
			c.next = nil
			c.serve(nil, 0)
			c = next
		}
	}
}
