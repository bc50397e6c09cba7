package fault

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// Selector says which messages suffer. Its methods that name a fault make a rule of it, once.
type Selector[T any] struct {
	rule *Rule
	made bool
}

// On selects the messages of type T, or *T, that are sent to the actors whose role or whole name matches the pattern. It
// panics when faults is nil or the pattern can't be read.
func On[T any](faults *Faults, actors string) *Selector[T] {
	what := fmt.Sprintf("On[%s](%q)", typeName[T](), actors)
	if faults == nil {
		misuse("%s: faults is nil", what)
	}
	p, err := newPattern(actors)
	if err != nil {
		misuse("%s: %v", what, err)
	}
	return &Selector[T]{rule: &Rule{
		faults: faults, message: typeName[T](), actors: p, done: make(chan struct{}),
		is: func(_ kit.Target, msg any) bool { _, ok := as[T](msg); return ok },
	}}
}

// Always lets all messages suffer, which they do anyway.
func (s *Selector[T]) Always() *Selector[T] { return s.window("Always()", 1, 0) }

// Once lets the next message suffer.
func (s *Selector[T]) Once() *Selector[T] { return s.window("Once()", 1, 1) }

// Nth lets the n-th message from now suffer, n ≥ 1.
func (s *Selector[T]) Nth(n int) *Selector[T] { return s.window(fmt.Sprintf("Nth(%d)", n), n, 1) }

// Next lets the next n messages suffer, n ≥ 1.
func (s *Selector[T]) Next(n int) *Selector[T] {
	s.atLeastOne(fmt.Sprintf("Next(%d)", n), n)
	return s.window(fmt.Sprintf("Next(%d)", n), 1, n)
}

// Chance lets each of the messages that are selected otherwise suffer with probability p, 0 to 1, as the seed decides.
func (s *Selector[T]) Chance(p float64) *Selector[T] {
	if !(p >= 0 && p <= 1) {
		misuse("%s.Chance(%v): a probability is 0 to 1", s, p)
	}
	s.rule.chance, s.rule.chancy = p, true
	return s
}

// From leaves only messages that wait for an answer to an actor whose whole name matches the pattern.
func (s *Selector[T]) From(askers string) *Selector[T] {
	p, err := newPattern(askers)
	if err != nil {
		misuse("%s.From: %v", s, err)
	}
	s.rule.from = &p
	return s
}

// Where leaves only messages for which match returns true. It is called on any goroutine and must not keep or change the
// message.
func (s *Selector[T]) Where(match func(*T) bool) *Selector[T] {
	if match == nil {
		misuse("%s.Where: match is nil", s)
	}
	is := s.rule.is
	s.rule.is = func(to kit.Target, msg any) bool {
		m, ok := as[T](msg)
		return ok && is(to, msg) && match(m)
	}
	return s
}

// String is the selector as it is written.
func (s *Selector[T]) String() string { return s.rule.selection() }

func (s *Selector[T]) window(text string, first, count int) *Selector[T] {
	s.atLeastOne(text, first)
	s.rule.first, s.rule.count, s.rule.window = uint64(first), uint64(count), text
	return s
}

func (s *Selector[T]) atLeastOne(text string, n int) {
	if n < 1 {
		misuse("%s.%s: n must be at least 1", s, text)
	}
}

// selection is what a rule selects, as it is written.
func (r *Rule) selection() string {
	var b strings.Builder
	fmt.Fprintf(&b, "On[%s](%q)", r.message, r.actors.text)
	if r.from != nil {
		fmt.Fprintf(&b, ".From(%q)", r.from.text)
	}
	if r.window != "" && r.count != 0 {
		b.WriteString("." + r.window)
	}
	if r.chancy {
		fmt.Fprintf(&b, ".Chance(%v)", r.chance)
	}
	return b.String()
}

// as is msg as a T, if it is one or points to one.
func as[T any](msg any) (*T, bool) {
	if m, ok := msg.(*T); ok {
		return m, true
	}
	if m, ok := msg.(T); ok {
		return &m, true
	}
	return nil, false
}

func typeName[T any]() string { return strings.TrimPrefix(reflect.TypeFor[T]().String(), "*") }
