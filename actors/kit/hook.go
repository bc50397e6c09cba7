package kit

import "github.com/asynkron/protoactor-go/actor"

// Target is the actor that a message is for.
type Target struct {
	Role string
	PID  *actor.PID
}

// FaultHook is told of every user message, so that it can make things go wrong. Messages come without their envelope.
type FaultHook interface {
	// Post is called instead of delivering, on the sender's goroutine. It may call deliver at once or later, from any
	// goroutine, once, several times, with another message, or not at all; then it must call Undeliver on msg.
	Post(to Target, msg any, deliver func(msg any))
	// Handling is called on the receiver's goroutine just before it handles msg. If it panics the actor fails; while it
	// waits the actor is slow.
	Handling(to Target, msg any)
}

// Delivery is a message on its way.
type Delivery struct {
	To      Target
	Message any
	// System says that it is one of the library's: the start of an actor, and what the library says to a mailbox
	// itself, are delivered at once; the others come here and must be delivered in order for each target.
	System bool
	// Deliver delivers it and must be called once.
	Deliver func()
}

// Scheduler decides when messages are delivered. Post is called on the sender's goroutine.
type Scheduler interface {
	Post(d Delivery)
}

// hooks are what stands between a sender and a mailbox.
type hooks struct {
	faults    FaultHook
	scheduler Scheduler
}

func (h *hooks) post(c *cell, msg any, generation uint32) {
	if h.faults == nil || internal(msg) {
		h.schedule(c, msg, generation)
		return
	}
	env, _ := msg.(*actor.MessageEnvelope)
	h.faults.Post(c.target(), actor.UnwrapEnvelopeMessage(msg), func(body any) {
		switch {
		case env == nil:
			h.schedule(c, body, generation)
		case body == env.Message:
			h.schedule(c, env, generation)
		default:
			h.schedule(c, &actor.MessageEnvelope{Header: env.Header, Message: body, Sender: env.Sender}, generation)
		}
	})
}

func (h *hooks) schedule(c *cell, msg any, generation uint32) {
	if h.scheduler == nil {
		c.admit(msg, generation)
		return
	}
	h.scheduler.Post(Delivery{
		To: c.target(), Message: actor.UnwrapEnvelopeMessage(msg), Deliver: func() { c.admit(msg, generation) },
	})
}

// postSystem reports whether the scheduler has taken a message of the library.
func (h *hooks) postSystem(c *cell, msg any) bool {
	if h.scheduler == nil {
		return false
	}
	switch msg.(type) {
	case *actor.Started, actor.MailboxMessage:
		return false
	}
	h.scheduler.Post(Delivery{To: c.target(), Message: msg, System: true, Deliver: func() { c.admitSystem(msg) }})
	return true
}

func (h *hooks) handling(c *cell, body any) {
	if h.faults != nil && !internal(body) {
		h.faults.Handling(c.target(), body)
	}
}

// internal reports whether a message is the kit's or the library's own.
func internal(msg any) bool {
	switch msg.(type) {
	case *tick, *workFailure, *Undelivered, *TooLate, actor.AutoReceiveMessage, *actor.ReceiveTimeout:
		return true
	default:
		return false
	}
}
