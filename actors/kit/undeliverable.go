package kit

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

// Undelivered tells whoever sent a message with ctx.Request that nobody took it, or that its handler panicked, so that
// it need not wait for its deadline. [Asks] turns it into [TooLate] for its own questions.
type Undelivered struct {
	// Message is what was sent; what it carried is closed.
	Message any
}

// AlwaysAdmitted says that there is at most one for each request.
func (*Undelivered) AlwaysAdmitted() {}

// Undeliver closes what a message carries, if anything. Whoever drops a message must call it.
func Undeliver(msg any) {
	if u, ok := actor.UnwrapEnvelopeMessage(msg).(messages.Undeliverable); ok {
		u.Undeliver()
	}
}

// undeliver closes what a message carries and tells its sender.
func (s *System) undeliver(msg any) {
	if env, ok := msg.(*actor.MessageEnvelope); ok {
		s.reject(env.Message, env.Sender)
		return
	}
	s.reject(msg, nil)
}

// reject closes what a message without its envelope carries, and tells its sender, if there is one. A panic of the
// message is reported: it must not hurt whoever gets rid of it.
func (s *System) reject(body any, sender *actor.PID) {
	if u, ok := body.(messages.Undeliverable); ok {
		s.close(u)
	}
	if sender != nil {
		s.Send(sender, &Undelivered{Message: body})
	}
}

func (s *System) close(u messages.Undeliverable) {
	defer func() {
		if r := recover(); r != nil {
			s.emit(PanickedInUndeliver{Message: typeOf(u), Reason: fmt.Sprint(r), Stack: panicStack()})
		}
	}()
	u.Undeliver()
}

// dead counts the letters to actors that do not exist.
type dead struct {
	letters  throttle
	messages counter
}

// onEvent takes what the library publishes: messages to actors that do not exist. It runs on the sender's goroutine.
func (s *System) onEvent(event any) {
	letter, ok := event.(*actor.DeadLetterEvent)
	if !ok {
		return
	}
	switch m := letter.Message.(type) {
	case *actor.Watch:
		s.terminated(m.Watcher, letter.PID)
		return
	case actor.SystemMessage, actor.MailboxMessage, actor.AutoReceiveMessage, *actor.ReceiveTimeout, *tick, *Undelivered:
		return
	}
	s.letters.messages.Add(1)
	if n := s.letters.letters.pass(s.Nanos()); n > 0 {
		s.emit(DeadLetter{PID: letter.PID, Message: typeOf(letter.Message), Count: n})
	}
	s.reject(letter.Message, letter.Sender)
}

// terminated tells a watcher that the actor it watches does not exist.
func (s *System) terminated(watcher, who *actor.PID) {
	if p, ok := s.actors.ProcessRegistry.Get(watcher); ok {
		p.SendSystemMessage(watcher, &actor.Terminated{Who: who, Why: actor.TerminatedReason_NotFound})
	}
}
