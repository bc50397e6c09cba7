package kit

import (
	"reflect"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Target is the actor that a message is for.
type Target struct {
	Role string
	PID  *actor.PID
	// Sender is whom the actor is to answer; nil when the message was sent without asking for an answer.
	Sender *actor.PID
}

// FaultHook is told of every user message, so that it can make things go wrong. Messages come without their envelope.
type FaultHook interface {
	// Post is called instead of delivering, on the sender's goroutine. It may call deliver at once or later, from any
	// goroutine, once, several times, with another message, or not at all; then it must call Undeliver on msg. A message
	// that is delivered in an envelope of its own is answered to that envelope's sender.
	Post(to Target, msg any, deliver func(msg any))
	// Handling is called on the receiver's goroutine just before it handles msg. If it panics the actor fails; while it
	// waits the actor is slow.
	Handling(to Target, msg any)
}

// FaultWatcher is implemented by a FaultHook that also wants to know of the actors' lives.
type FaultWatcher interface {
	// Serve is called once, when the system is made.
	Serve(s *System)
	// Idle reports that no message need be shown to the hook. It is asked for every message and must be quick.
	Idle() bool
	// Starting is called on an actor's goroutine before it handles Started; life counts the restarts before, 0 for the
	// first start. If it panics the actor fails.
	Starting(who Target, life uint32)
	// Stopped is called when an actor has stopped for good.
	Stopped(who Target)
	// Event is told every event before Config.Log is, under the same conditions.
	Event(e Event)
	// Shutdown is called when the roots have stopped, or did not stop in time: whatever is held must be let go.
	Shutdown()
	// Notes are the faults that an actor or one below it has suffered and that no earlier call has told.
	Notes(pid *actor.PID) []FaultNote
}

// FaultNote is an injected fault, for the trace of the connection that suffered it.
type FaultNote struct {
	At time.Time
	// Fault is what was done, Message the type of the message to which it was done, Actor the actor that it was for.
	Fault, Message string
	Actor          *actor.PID
}

// FaultNotes are the faults that an actor or one below it has suffered and that no earlier call has told; nil where no
// faults are injected.
func (s *System) FaultNotes(pid *actor.PID) []FaultNote {
	if s.hooks == nil || s.hooks.watcher == nil {
		return nil
	}
	return s.hooks.watcher.Notes(pid)
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
	watcher   FaultWatcher // faults, if it is one
	scheduler Scheduler
}

// newHooks returns nil when there are none.
func newHooks(s *System, cfg Config) *hooks {
	if cfg.Faults == nil && cfg.Scheduler == nil {
		return nil
	}
	h := &hooks{faults: cfg.Faults, scheduler: cfg.Scheduler}
	if w, ok := cfg.Faults.(FaultWatcher); ok {
		h.watcher = w
		w.Serve(s)
	}
	return h
}

// idle reports that messages need not be shown to the fault hook.
func (h *hooks) idle() bool { return h.faults == nil || h.watcher != nil && h.watcher.Idle() }

// absent reports that a message goes straight into its mailbox.
func (h *hooks) absent() bool { return h.scheduler == nil && h.idle() }

func (h *hooks) post(c *cell, msg any, generation uint32) {
	if h.idle() || internal(msg) || c.pid.Load() == nil {
		h.schedule(c, msg, generation)
		return
	}
	env, _ := msg.(*actor.MessageEnvelope)
	h.faults.Post(c.targetOf(env), actor.UnwrapEnvelopeMessage(msg), func(body any) {
		h.schedule(c, inEnvelope(env, body), generation)
	})
}

// inEnvelope is body in the envelope in which the message came, if it came in one.
func inEnvelope(env *actor.MessageEnvelope, body any) any {
	if env == nil {
		return body
	}
	if own, ok := body.(*actor.MessageEnvelope); ok {
		return &actor.MessageEnvelope{Header: env.Header, Message: own.Message, Sender: own.Sender}
	}
	if same(body, env.Message) {
		return env
	}
	return &actor.MessageEnvelope{Header: env.Header, Message: body, Sender: env.Sender}
}

// same reports whether two messages are one; those that can't be compared never are.
func same(a, b any) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
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

func (h *hooks) handling(c *cell, msg, body any) {
	if h.idle() || internal(body) {
		return
	}
	env, _ := msg.(*actor.MessageEnvelope)
	h.faults.Handling(c.targetOf(env), body)
}

func (h *hooks) starting(c *cell) {
	if h.watcher != nil {
		h.watcher.Starting(c.target(), c.generation)
	}
}

func (h *hooks) stopped(c *cell) {
	if h.watcher != nil {
		h.watcher.Stopped(c.target())
	}
}

func (h *hooks) event(e Event) {
	if h.watcher != nil {
		h.watcher.Event(e)
	}
}

func (h *hooks) shutdown() {
	if h != nil && h.watcher != nil {
		h.watcher.Shutdown()
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
