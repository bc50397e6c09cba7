package kit

import "github.com/asynkron/protoactor-go/actor"

// Receive gives the actor its messages. It makes the actor when it starts, keeps what belongs to the kit to itself,
// and lets nothing that an actor does while it ends keep it from ending.
func (c *cell) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.restarting = false
		c.actor = c.make()
		if c.sys.hooks != nil {
			c.sys.hooks.starting(c)
		}
		c.actor.Receive(ctx)
	case *actor.Restarting:
		c.guard(ctx)
	case *actor.Stopping:
		c.guard(ctx)
		c.release()
	case *actor.Stopped:
		c.guard(ctx)
		c.close()
	case *tick:
		m.asks.expire(c)
	case *actor.Terminated:
		c.belongings.ended(m.Who)
		if c.stopping || c.restarting {
			c.guard(ctx)
			return
		}
		c.actor.Receive(ctx)
	case *workFailure:
		panic(m.failure)
	case *Undelivered:
		if !c.giveUp(m) {
			c.actor.Receive(ctx)
		}
	default:
		if c.stopping || c.restarting {
			c.guard(ctx)
			return
		}
		c.actor.Receive(ctx)
	}
}

// guard lets the actor handle a message of its end, and reports a panic instead of failing: the library would bring
// the actor back, or never end it.
func (c *cell) guard(ctx actor.Context) {
	if c.actor == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			c.role.failures.Add(1)
			c.sys.emit(newFailure(c, r, ctx.Message()).whileEnding())
		}
	}()
	c.actor.Receive(ctx)
}

// Unknown reports and undelivers a user message that the actor has no case for; it belongs in the default case of every
// Receive. Messages of an actor's life that the actor does not care for are no news, nor are those that were reported already.
func Unknown(ctx actor.Context) {
	msg := ctx.Message()
	switch msg.(type) {
	case actor.SystemMessage, actor.AutoReceiveMessage, *actor.ReceiveTimeout, *Undelivered, *TooLate:
		return
	}
	c := cellOf(ctx)
	c.role.unknown.Add(1)
	if n := c.role.unknowns.pass(c.sys.Nanos()); n > 0 {
		c.sys.emit(UnknownMessage{Role: c.role.name, PID: c.pid.Load(), Message: typeOf(msg), Count: n})
	}
	c.sys.reject(msg, ctx.Sender())
}
