package kit

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// patience is how many user messages one goroutine handles before it lets others have their turn.
const patience = 128

// Stamped is implemented by messages that want to know how long they waited in the mailbox. Zero means not stamped,
// and costs no look at the clock.
type Stamped interface {
	// SentAt is when the message was sent, by System.Nanos.
	SentAt() int64
	// ObserveWait is called on the receiver's goroutine before the message is handled.
	ObserveWait(d time.Duration)
}

// serve handles messages until none is left or the goroutine's turn is over. The caller must have claimed the queue.
// first is handled before all that is queued; nil means none.
func (c *cell) serve(first any, generation uint32) {
	for c.turn(first, generation) {
		first = nil
	}
}

// turn is serve up to the first panic; it returns true when there is more to do.
func (c *cell) turn(first any, generation uint32) (more bool) {
	var current any
	defer func() {
		if r := recover(); r != nil {
			c.fail(r, current)
			more = true
			if c.ended {
				more = c.finish()
			}
		}
	}()
	if first != nil {
		if c.suspended {
			if c.enter(first, generation) {
				c.users.push(c.sys.envelopes.write(first, generation))
			}
		} else {
			current = first
			c.handle(first, generation)
		}
	}
	for n := 0; ; {
		c.inbox.take(&c.systems, &c.users)
		if l := c.systems.pop(); l != nil {
			current = l.msg
			c.sys.envelopes.discard(l)
			c.handleSystem(current)
			if c.ended {
				return c.finish()
			}
			continue
		}
		if !c.suspended {
			if l := c.users.pop(); l != nil {
				if n++; n > patience && c.yield(l) {
					return false
				}
				c.depth.Add(-1)
				current = l.msg
				generation := l.generation
				c.sys.envelopes.discard(l)
				c.handle(current, generation)
				continue
			}
		}
		c.settle()
		if c.inbox.rest() {
			return false
		}
	}
}

// yield puts l back and lets another goroutine, or the flow's next actor, go on.
func (c *cell) yield(l *letter) bool {
	if c.run.kind == ownGoroutine {
		return false
	}
	l.next = c.users.first
	c.users.first = l
	if c.users.last == nil {
		c.users.last = l
	}
	c.settle()
	if c.run.kind == onFlow {
		c.schedule()
	} else {
		c.detach()
	}
	return true
}

func (c *cell) handle(msg any, generation uint32) {
	if c.stopping || generation != 0 && generation != c.generation+1 {
		c.leave(&letter{msg: msg, generation: generation})
		return
	}
	c.handled++
	body := msg
	if env, ok := msg.(*actor.MessageEnvelope); ok {
		body = env.Message
	}
	if s, ok := body.(Stamped); ok {
		if at := s.SentAt(); at != 0 {
			d := max(time.Duration(c.sys.Nanos()-at), 0)
			s.ObserveWait(d)
			c.role.waited(d)
		}
	}
	if c.sys.hooks != nil {
		c.sys.hooks.handling(c, msg, body)
	}
	c.invoker.InvokeUserMessage(msg)
}

func (c *cell) handleSystem(msg any) {
	switch msg.(type) {
	case *actor.SuspendMailbox:
		c.suspended = true
		return
	case *actor.ResumeMailbox:
		c.suspended = false
		return
	case *actor.Stop:
		c.stopping = true
	case *actor.Restart:
		if c.stopping {
			return
		}
		c.restarting = true
		c.generation++
		c.release()
		c.role.restarts.Add(1)
	}
	c.invoker.InvokeSystemMessage(msg)
}

// settle is called when a turn ends: what was counted is told, and questions that are still open get their timer.
func (c *cell) settle() {
	if c.handled != 0 {
		c.role.handled.Add(uint64(c.handled))
		c.handled = 0
	}
	if c.belongings != nil {
		c.belongings.settle()
	}
}

// finish is called when the actor has stopped for good: there is never more to do. Its Props may live on, but hold
// nothing of it.
func (c *cell) finish() (more bool) {
	c.settle()
	c.actor, c.belongings = nil, nil
	if c.sys.hooks != nil {
		c.sys.hooks.stopped(c)
	}
	if !c.brief {
		// The parent's list of children may keep the PID for long: this makes it forget the mailbox.
		c.sys.actors.Root.Stop(c.pid.Load())
	}
	if c.done != nil {
		c.sys.forgetRoot(c)
		close(c.done)
	}
	return false
}

// fail hands a panic to the parent. What the message carried is closed: its handler will not do it.
func (c *cell) fail(reason, msg any) {
	c.role.failures.Add(1)
	f := newFailure(c, reason, msg)
	c.sys.undeliver(msg)
	if c.ended {
		c.sys.emit(f.whileEnding())
		return
	}
	c.invoker.EscalateFailure(f, msg)
}
