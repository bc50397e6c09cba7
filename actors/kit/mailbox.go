package kit

import "github.com/asynkron/protoactor-go/actor"

// AlwaysAdmitted is implemented by messages that a full mailbox takes all the same, since their number is bounded by
// what the receiver itself has begun. A peer or a pod must not be able to cause them.
type AlwaysAdmitted interface {
	AlwaysAdmitted()
}

// PostUserMessage takes a user message in, or refuses it.
func (c *cell) PostUserMessage(msg any) {
	if h := c.sys.hooks; h != nil && !h.absent() {
		c.sys.hooks.post(c, msg, 0)
		return
	}
	c.admit(msg, 0)
}

// postOwn takes in what the actor itself has begun: it is not refused, and dropped when the actor was restarted since.
func (c *cell) postOwn(msg any, generation uint32) {
	if h := c.sys.hooks; h != nil && !h.absent() {
		c.sys.hooks.post(c, msg, generation)
		return
	}
	c.admit(msg, generation)
}

// PostSystemMessage takes a message of the library in.
func (c *cell) PostSystemMessage(msg any) {
	if c.sys.hooks != nil && c.sys.hooks.postSystem(c, msg) {
		return
	}
	c.admitSystem(msg)
}

func (c *cell) admit(msg any, generation uint32) {
	if c.run.kind == callerRuns && c.inbox.claim() {
		c.serve(msg, generation)
		return
	}
	if !c.enter(msg, generation) {
		return
	}
	c.put(c.sys.envelopes.write(msg, generation))
}

// enter counts a user message in, or refuses it.
func (c *cell) enter(msg any, generation uint32) bool {
	n := c.depth.Add(1)
	if n > c.capacity && generation == 0 && !alwaysAdmitted(msg) {
		c.depth.Add(-1)
		c.refuse(msg)
		return false
	}
	c.role.reached(n)
	return true
}

func (c *cell) admitSystem(msg any) {
	l := c.sys.envelopes.write(msg, 0)
	l.system = true
	c.put(l)
}

func (c *cell) put(l *letter) {
	switch c.inbox.push(l) {
	case &idle:
		c.schedule()
	case &closed:
		if !l.system {
			c.depth.Add(-1)
		}
		c.leave(l)
		c.sys.envelopes.discard(l)
	}
}

func alwaysAdmitted(msg any) bool {
	switch m := msg.(type) {
	case *actor.PoisonPill, *actor.ReceiveTimeout, AlwaysAdmitted:
		return true
	case *actor.MessageEnvelope:
		return alwaysAdmitted(m.Message)
	default:
		return false
	}
}

func (c *cell) refuse(msg any) {
	c.role.refused.Add(1)
	if n := c.role.refusals.pass(c.sys.Nanos()); n > 0 {
		c.sys.emit(Refused{Role: c.role.name, PID: c.pid.Load(), Message: typeOf(msg), Capacity: int(c.capacity), Count: n})
	}
	c.sys.undeliver(msg)
}

// leave gets rid of a letter that the actor will not see, because it stops or has stopped, or was restarted.
func (c *cell) leave(l *letter) {
	if l.system {
		if w, ok := l.msg.(*actor.Watch); ok {
			c.sys.terminated(w.Watcher, c.pid.Load())
		}
		return
	}
	switch m := l.msg.(type) {
	case *actor.PoisonPill, *actor.ReceiveTimeout, *Undelivered, *TooLate, *tick:
		return
	case *workFailure:
		c.sys.emit(m.failure.whileEnding())
		return
	}
	c.role.undelivered.Add(1)
	if l.generation == 0 {
		if n := c.role.leftovers.pass(c.sys.Nanos()); n > 0 {
			c.sys.emit(LeftBehind{Role: c.role.name, PID: c.pid.Load(), Message: typeOf(l.msg), Count: n})
		}
	}
	c.sys.undeliver(l.msg)
}

// close takes nothing in any more, and leaves what has come.
func (c *cell) close() {
	c.ended = true
	c.release()
	c.role.leave(c)
	if c.suspended {
		c.sys.delays.forget(c)
	}
	c.inbox.close(&c.systems, &c.users)
	for l := c.systems.pop(); l != nil; l = c.systems.pop() {
		c.leave(l)
		c.sys.envelopes.discard(l)
	}
	for l := c.users.pop(); l != nil; l = c.users.pop() {
		c.depth.Add(-1)
		c.leave(l)
		c.sys.envelopes.discard(l)
	}
}
