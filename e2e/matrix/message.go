package matrix

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
)

// errInjected is what actors panic with.
var errInjected = errors.New("broken by the fault matrix")

// Message is what an actor is broken over, and what it says to it.
type Message struct {
	name, reply string
	// strike puts a fault in force; late is for Delay. lose loses what the actor says next to somebody else.
	strike func(faults *fault.Faults, role string, f Fault, late time.Duration) *fault.Rule
	lose   func(faults *fault.Faults) *fault.Rule
}

// Over is a message of type T. Its reply is the answer to its sender.
func Over[T any]() Message {
	return Message{
		name: nameOf[T](), reply: "its answer",
		strike: func(faults *fault.Faults, role string, f Fault, late time.Duration) *fault.Rule {
			return strike(fault.On[T](faults, role), f, late)
		},
	}
}

// OverOwn is a message of a package's own, by its type as it is printed: "identity.looked".
func OverOwn(kind string) Message {
	_, name, _ := strings.Cut(kind, ".")
	return Message{
		name: name, reply: "its answer",
		strike: func(faults *fault.Faults, role string, f Fault, late time.Duration) *fault.Rule {
			return strike(fault.On[any](faults, role).Where(func(m *any) bool { return kindOf(*m) == kind }), f, late)
		},
	}
}

func kindOf(msg any) string { return strings.TrimPrefix(fmt.Sprintf("%T", msg), "*") }

func strike[T any](on *fault.Selector[T], f Fault, late time.Duration) *fault.Rule {
	switch f {
	case PanicOnce:
		return on.Once().Panic(errInjected)
	case CrashLoop:
		return on.CrashLoop(errInjected)
	case Drop:
		return on.Once().Drop()
	case Delay:
		return on.Once().Delay(late)
	case Duplicate:
		return on.Duplicate()
	default:
		return on.Once().LoseReply()
	}
}

// named is a message of a package's own, for cells that are proved there.
func named(name string) Message { return Message{name: name, reply: "its answer"} }

// Saying is m for an actor that answers nobody: what it says to m is a message of type T to the actors of a role.
func Saying[T any](m Message, role string) Message { return SayingFrom[T](m, role, "") }

// SayingFrom is Saying where others say the same: askers is the pattern of the whole name of the one that is meant.
func SayingFrom[T any](m Message, role, askers string) Message {
	m.reply = nameOf[T]() + " to " + role
	m.lose = func(faults *fault.Faults) *fault.Rule {
		on := fault.On[T](faults, role).Once()
		if askers != "" {
			on.From(askers)
		}
		return on.Drop()
	}
	return m
}

// inject puts a fault in force.
func (m Message) inject(faults *fault.Faults, role string, f Fault, late time.Duration) *fault.Rule {
	if f == LoseReply && m.lose != nil {
		return m.lose(faults)
	}
	return m.strike(faults, role, f, late)
}

func nameOf[T any]() string { return reflect.TypeFor[T]().Name() }
