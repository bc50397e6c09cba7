package socket

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
)

// ErrDeadline says that a dial took too long. It is a time-out to errors.Is(err, os.ErrDeadlineExceeded) and to
// net.Error; its text is the reference's (spec/dataplane.md §1.5).
var ErrDeadline error = deadlineError{}

type deadlineError struct{}

func (deadlineError) Error() string        { return "deadline has elapsed" }
func (deadlineError) Timeout() bool        { return true }
func (deadlineError) Temporary() bool      { return true }
func (deadlineError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// DialError says that a connection could not be opened. Err wraps the kernel's error number, ErrDeadline, or what
// ended the context.
type DialError struct {
	// Source is the address that was asked for; the zero value if the kernel chose.
	Source netip.Addr
	Addr   netip.AddrPort
	Err    error
}

func (e *DialError) Error() string {
	if e.Source.IsValid() {
		return fmt.Sprintf("dial %s as %s: %s", e.Addr, e.Source, e.Err)
	}
	return fmt.Sprintf("dial %s: %s", e.Addr, e.Err)
}

func (e *DialError) Unwrap() error { return e.Err }

// Timeout tells net.Error's users whether the dial took too long.
func (e *DialError) Timeout() bool { return Classify(e.Err) == FaultTimedOut }

// BindError says that a listener could not be opened; its text is the reference's (spec/dataplane.md §1.1).
type BindError struct {
	Addr netip.AddrPort
	Err  error
}

func (e *BindError) Error() string {
	return fmt.Sprintf("failed to bind to address %s: %s", e.Addr, Text(e.Err))
}

func (e *BindError) Unwrap() error { return e.Err }

// SpoofError says that a dial went on with the proxy's own address, since the source could not be preserved.
type SpoofError struct {
	Source netip.Addr
	Addr   netip.AddrPort
	Err    error
}

func (e *SpoofError) Error() string {
	return fmt.Sprintf("dial %s: source %s not preserved: %s", e.Addr, e.Source, e.Err)
}

func (e *SpoofError) Unwrap() error { return e.Err }

// Fault is the kind of a failure to connect.
type Fault uint8

// The faults. FaultOther is everything that has no kind of its own.
const (
	FaultOther               Fault = iota
	FaultRefused                   // nobody listens, or a firewall rejects
	FaultTimedOut                  // no answer within the dial's time
	FaultUnreachable               // no route to the host or its network
	FaultAddressNotAvailable       // no free port, or a source that is not ours
	FaultCancelled                 // the caller gave up
)

// Classify says what kind of failure err is.
func Classify(err error) Fault {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return FaultRefused
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return FaultTimedOut
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return FaultUnreachable
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return FaultAddressNotAvailable
	case errors.Is(err, context.Canceled):
		return FaultCancelled
	}
	return FaultOther
}

// Text is err as the reference's log words it: for a system call's error its message and number, as in "Connection
// refused (os error 111)"; "deadline has elapsed" for a dial that took too long; else err's own. An error number
// that no system call returned keeps its own text too: "broken pipe".
func Text(err error) string {
	var call *os.SyscallError
	var errno syscall.Errno
	if errors.As(err, &call) && errors.As(call.Err, &errno) {
		message := errno.Error()
		return fmt.Sprintf("%s%s (os error %d)", strings.ToUpper(message[:1]), message[1:], int(errno))
	}
	if errors.Is(err, ErrDeadline) {
		return ErrDeadline.Error()
	}
	return err.Error()
}
