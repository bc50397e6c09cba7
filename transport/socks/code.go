package socks

import "fmt"

// Code is what a reply says (RFC 1928 §6). The reference uses four of them: it has replied before it knows its upstream.
type Code byte

// The codes.
const (
	Succeeded           Code = 0
	GeneralFailure      Code = 1 // the connection broke or took too long
	NotAllowed          Code = 2 // only where the caller knows its upstream before it replies: a policy denies
	HostUnreachable     Code = 4 // the name does not resolve
	ConnectionRefused   Code = 5 // only where the caller knows its upstream before it replies
	CommandNotSupported Code = 7 // and everything else that is wrong with the protocol
)

// Error says why a negotiation failed and what the client was answered.
type Error struct {
	Code Code
	// Problem is what was wrong with the protocol; empty if reading or writing failed.
	Problem string
	// Err is the failure to read or write, if that was it.
	Err error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("failed to negotiate socks connection: %s", e.Err)
	}
	return fmt.Sprintf("failed to negotiate socks connection: %s", e.Problem)
}

func (e *Error) Unwrap() error { return e.Err }

func invalid(format string, args ...any) *Error {
	return &Error{Code: CommandNotSupported, Problem: fmt.Sprintf(format, args...)}
}
