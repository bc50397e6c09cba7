package kit

import (
	"fmt"
	"path"
	"runtime"
	"strconv"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
)

// Failure is why an actor failed: what it panicked with, where, and over which message.
type Failure struct { //nolint:errname // the word that actors use
	Role string
	PID  *actor.PID
	// Value is what the actor panicked with.
	Value any
	// Message is the type of the message that it handled.
	Message string
	// Stack is the way from the actor's Receive to the panic, innermost first, without the kit's and the library's
	// frames.
	Stack string
	// Cause is the child's failure when it was escalated, nil otherwise.
	Cause *Failure

	cell *cell
}

var _ error = (*Failure)(nil)

func (f *Failure) Error() string {
	return fmt.Sprintf("actor %s (%s) panicked over %s: %s", name(f.PID), f.Role, f.Message, f.reason())
}

// Unwrap is the error that the actor panicked with, if it was one.
func (f *Failure) Unwrap() error {
	err, _ := f.Value.(error)
	return err
}

func (f *Failure) whileEnding() PanickedWhileEnding {
	return PanickedWhileEnding{Role: f.Role, PID: f.PID, Message: f.Message, Reason: f.reason(), Stack: f.Stack}
}

func (f *Failure) reason() string { return fmt.Sprint(f.Value) }

// newFailure must be called by the deferred function that recovered, or by what it calls.
func newFailure(c *cell, value, msg any) *Failure {
	if f, ok := value.(*Failure); ok && f.cell == c {
		return f
	}
	return &Failure{Role: c.role.name, PID: c.pid.Load(), Value: value, Message: typeOf(msg), Stack: panicStack(), cell: c}
}

// panicStack is the stack of the panic that is being recovered.
func panicStack() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	var b strings.Builder
	panicking := false
	for {
		frame, more := frames.Next()
		switch {
		case !panicking:
			panicking = frame.Function == "runtime.gopanic"
		case strings.HasPrefix(frame.Function, "runtime."):
		case isBottom(frame.Function):
			return b.String()
		default:
			dir, file := path.Split(frame.File)
			b.WriteString(frame.Function)
			b.WriteString(" (" + path.Base(dir) + "/" + file + ":" + strconv.Itoa(frame.Line) + ")\n")
		}
		if !more {
			return b.String()
		}
	}
}

// isBottom reports whether a function is where the kit calls an actor.
func isBottom(function string) bool {
	_, method, ok := strings.Cut(function, "/actors/kit.(*")
	if !ok {
		return false
	}
	switch method {
	case "cell).Receive", "cell).guard", "cell).turn", "work).run", "System).close":
		return true
	default:
		return false
	}
}

// typeOf names a message's type, without its envelope.
func typeOf(msg any) string {
	return fmt.Sprintf("%T", actor.UnwrapEnvelopeMessage(msg))
}

func name(pid *actor.PID) string {
	if pid == nil {
		return "nobody"
	}
	return pid.Id
}
