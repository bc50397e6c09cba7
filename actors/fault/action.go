package fault

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// Kind is what a rule does, as reports and traces call it.
type Kind string

// The kinds of faults.
const (
	Drop      Kind = "drop"
	Delay     Kind = "delay"
	Duplicate Kind = "duplicate"
	Reorder   Kind = "reorder"
	Hold      Kind = "hold"
	LoseReply Kind = "lose_reply"
	Panic     Kind = "panic"
	CrashLoop Kind = "crash_loop"
	Slow      Kind = "slow"
)

// Drop loses the messages. Their senders are not told: they wait until their deadline. What a message carries is closed.
func (s *Selector[T]) Drop() *Rule {
	r := s.make(Drop, "Drop()")
	return r.onWay(func(d delivery, selected bool) bool {
		if !selected {
			return false
		}
		r.strike(d.to, d.msg)
		kit.Undeliver(d.msg)
		return true
	})
}

// Delay lets the messages arrive after d, d > 0, counted from when they were sent. Messages sent later may overtake them.
func (s *Selector[T]) Delay(d time.Duration) *Rule {
	s.positive("Delay", d)
	r := s.make(Delay, fmt.Sprintf("Delay(%s)", d))
	return r.onWay(func(msg delivery, selected bool) bool {
		if !selected || !r.park(msg, d) {
			return false
		}
		r.strike(msg.to, msg.msg)
		return true
	})
}

// Duplicate lets the messages arrive twice, one right after the other, to the same asker's address. The second is a
// shallow copy: a message that carries a connection or other room (messages.Undeliverable) has it in both.
func (s *Selector[T]) Duplicate() *Rule {
	r := s.make(Duplicate, "Duplicate()")
	return r.onWay(func(d delivery, selected bool) bool {
		if !selected {
			return false
		}
		second := shallow(d.msg)
		r.strike(d.to, d.msg)
		d.deliver(d.msg)
		d.deliver(second)
		return true
	})
}

// Reorder lets a message wait until the next one that the rule is about, selected or not, has been delivered to the same
// actor, and lets it arrive right after that. When none comes within d, d > 0, it goes on alone, and nothing was
// injected.
func (s *Selector[T]) Reorder(d time.Duration) *Rule {
	s.positive("Reorder", d)
	r := s.make(Reorder, fmt.Sprintf("Reorder(%s)", d))
	return r.onWay(func(msg delivery, selected bool) bool {
		if overtaken := r.firstFor(msg.to.PID); overtaken != nil {
			msg.deliver(msg.msg)
			r.unpark(overtaken, func() { r.strike(overtaken.to, overtaken.msg) })
			return true
		}
		return selected && r.park(msg, d)
	})
}

// Hold keeps the messages until the rule is released.
func (s *Selector[T]) Hold() *Rule {
	r := s.make(Hold, "Hold()")
	return r.onWay(func(d delivery, selected bool) bool {
		if !selected || !r.park(d, 0) {
			return false
		}
		r.strike(d.to, d.msg)
		return true
	})
}

// Panic lets the actor panic with an *InjectedError around err instead of handling the messages. Its supervisor decides
// what follows, as for any panic. It panics itself when err is nil.
func (s *Selector[T]) Panic(err error) *Rule {
	s.notNil("Panic", err)
	r := s.make(Panic, fmt.Sprintf("Panic(%q)", err))
	return r.inHandler(func(to kit.Target, msg any) {
		r.strike(to, msg)
		panic(&InjectedError{Actor: to.PID, Role: to.Role, Message: nameOf(msg), Err: err})
	})
}

// Slow lets the actor wait for d, d > 0, before it handles the messages. It handles nothing else meanwhile, and keeps its
// goroutine: for an actor that runs on its caller's that is the caller's, see the package's description. Releasing the
// rule ends the wait.
func (s *Selector[T]) Slow(d time.Duration) *Rule {
	s.positive("Slow", d)
	r := s.make(Slow, fmt.Sprintf("Slow(%s)", d))
	return r.inHandler(func(to kit.Target, msg any) {
		r.strike(to, msg)
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.done:
		}
	})
}

// make turns the selector into a rule that is not in force yet.
func (s *Selector[T]) make(k Kind, detail string) *Rule {
	if s.made {
		misuse("%s.%s: the selector has made a rule already; begin again with On", s, detail)
	}
	s.made = true
	s.rule.kind, s.rule.detail = k, detail
	return s.rule
}

func (s *Selector[T]) positive(method string, d time.Duration) {
	if d <= 0 {
		misuse("%s.%s(%s): the time must be positive", s, method, d)
	}
}

func (s *Selector[T]) notNil(method string, err error) {
	if err == nil {
		misuse("%s.%s(nil): the error is nil", s, method)
	}
}

func (r *Rule) onWay(do func(d delivery, selected bool) (taken bool)) *Rule {
	r.way = do
	return r.enforce()
}

func (r *Rule) inHandler(do func(to kit.Target, msg any)) *Rule {
	r.handler = do
	return r.enforce()
}

// enforce puts the rule in force.
func (r *Rule) enforce() *Rule {
	f := r.faults
	f.journal.enter(r)
	r.random = rand.New(rand.NewPCG(f.seed, uint64(r.number)))
	if !f.rules.add(r, MaxRules) {
		misuse("%s: %d rules are in force already; release those that are not needed", r, MaxRules)
	}
	f.active.Add(1)
	return r
}

// shallow is a copy of what msg points to, or msg itself, which was copied already when it is a value.
func shallow(msg any) any {
	v := reflect.ValueOf(msg)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return msg
	}
	c := reflect.New(v.Type().Elem())
	c.Elem().Set(v.Elem())
	return c.Interface()
}
