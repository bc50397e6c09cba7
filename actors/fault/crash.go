package fault

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// InjectedError is what an actor panics with because of a rule.
type InjectedError struct {
	Actor *actor.PID
	Role  string
	// Message is the type of the message that was being handled, empty when the actor was starting.
	Message string
	// Err is what the rule was given.
	Err error
}

// Error says who was made to panic, over what, and why.
func (e *InjectedError) Error() string {
	over := "its start"
	if e.Message != "" {
		over = e.Message
	}
	return fmt.Sprintf("fault injected in %s (%s) over %s: %v", e.Actor.GetId(), e.Role, over, e.Err)
}

// Unwrap is what the rule was given.
func (e *InjectedError) Unwrap() error { return e.Err }

// CrashLoop lets the actor panic with an *InjectedError around err over the first message selected and again each time
// that it is started anew, until the rule is released or the actor's supervisor gives it up. It panics itself when err
// is nil.
func (s *Selector[T]) CrashLoop(err error) *Rule {
	s.notNil("CrashLoop", err)
	r := s.make(CrashLoop, fmt.Sprintf("CrashLoop(%q)", err))
	r.looping, r.loop = make(map[string]bool), err
	return r.inHandler(func(to kit.Target, msg any) {
		r.mu.Lock()
		if r.looping != nil {
			r.looping[to.PID.Id] = true
		}
		r.mu.Unlock()
		r.strike(to, msg)
		panic(&InjectedError{Actor: to.PID, Role: to.Role, Message: nameOf(msg), Err: err})
	})
}

// starting lets an actor panic that crashes again and again.
func (r *Rule) starting(who kit.Target) {
	if r.kind != CrashLoop {
		return
	}
	r.mu.Lock()
	looping := r.looping[who.PID.Id]
	r.mu.Unlock()
	if looping {
		r.strike(who, nil)
		panic(&InjectedError{Actor: who.PID, Role: who.Role, Err: r.loop})
	}
}

// forget is told that an actor has stopped for good.
func (r *Rule) forget(pid *actor.PID) {
	if r.kind != CrashLoop {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.looping, pid.Id)
}
