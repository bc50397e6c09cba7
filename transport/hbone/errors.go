package hbone

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"golang.org/x/net/http2"
)

// Errors of connections and streams.
var (
	// ErrGoAway says that the peer did not process the stream, or takes no new ones: it is safe to try elsewhere.
	ErrGoAway = errors.New("connection is going away")
	// ErrClosed says that this end closed the connection.
	ErrClosed = errors.New("connection closed")
	// ErrIDsExhausted says that the connection has no stream ids left.
	ErrIDsExhausted = errors.New("stream ids exhausted")
	// ErrPingTimeout says that the peer did not answer a keepalive PING in time.
	ErrPingTimeout = errors.New("ping timeout")
	// ErrPrefaceTimeout says that the peer's preface, SETTINGS or acknowledgement did not come in time.
	ErrPrefaceTimeout = errors.New("timeout waiting for the peer's preface and settings")
	// ErrHeaderTimeout says that a header block was not completed in time.
	ErrHeaderTimeout = errors.New("timeout waiting for the rest of a header block")
	// ErrConnectTimeout says that the peer did not answer a CONNECT in time.
	ErrConnectTimeout = errors.New("timeout waiting for the answer to CONNECT")
	// ErrWriteClosed is what a write gets when the stream accepts no more data: it was reset, its connection is
	// lost, or this end has ended its side (spec/dataplane.md §3.8: a zero-length write).
	ErrWriteClosed = errors.New("stream accepts no more data")
	// ErrHandshakeIncomplete says that a TLS connection was given before its handshake was done.
	ErrHandshakeIncomplete = errors.New("TLS handshake is not complete")

	// errBrokenPipe and errStreamBrokenPipe are syscall.EPIPE to errors.Is, in the reference's words: of a stream
	// that was reset, and of one whose connection ended without an error of its own.
	errBrokenPipe       error = brokenPipeError("broken pipe")
	errStreamBrokenPipe error = brokenPipeError("stream closed because of a broken pipe")
)

type brokenPipeError string

func (e brokenPipeError) Error() string { return string(e) }

// Is makes it what the kernel calls a broken pipe.
func (brokenPipeError) Is(target error) bool { return target == syscall.EPIPE }

// ConnError is why a connection ended.
type ConnError struct {
	// Code is the error code of the GOAWAY that was sent or received.
	Code http2.ErrCode
	// Remote says that the peer ended it.
	Remote bool
	// Cause is what happened.
	Cause error
}

// Error implements error.
func (e *ConnError) Error() string {
	if e.Remote {
		return fmt.Sprintf("http2 connection ended by the peer (%v): %v", e.Code, e.Cause)
	}
	return fmt.Sprintf("http2 connection failed (%v): %v", e.Code, e.Cause)
}

// Unwrap returns the cause.
func (e *ConnError) Unwrap() error { return e.Cause }

// StreamError is why a stream was reset.
type StreamError struct {
	Code http2.ErrCode
	// Remote says that the peer reset it.
	Remote bool
	// Reason says what was wrong, if this end reset it.
	Reason string
}

// Error implements error.
func (e *StreamError) Error() string {
	switch {
	case e.Remote:
		return fmt.Sprintf("stream reset by the peer (%v)", e.Code)
	case e.Reason != "":
		return fmt.Sprintf("stream reset (%v): %s", e.Code, e.Reason)
	}
	return fmt.Sprintf("stream reset (%v)", e.Code)
}

// connErrorf is a violation by the peer that ends the connection.
func connErrorf(code http2.ErrCode, format string, args ...any) error {
	return &ConnError{Code: code, Cause: fmt.Errorf(format, args...)}
}

// readError is what a reader sees after the peer reset the stream with code (spec/dataplane.md §3.8).
func readError(code http2.ErrCode) error {
	switch code {
	case http2.ErrCodeNo, http2.ErrCodeCancel:
		return io.EOF
	case http2.ErrCodeStreamClosed:
		return errBrokenPipe
	default:
		return &StreamError{Code: code, Remote: true}
	}
}

// finishError is what ending the sending side gives after the peer reset the stream with code.
func finishError(code http2.ErrCode) error {
	switch code {
	case http2.ErrCodeNo:
		return nil
	case http2.ErrCodeCancel, http2.ErrCodeStreamClosed:
		return errBrokenPipe
	default:
		return &StreamError{Code: code, Remote: true}
	}
}

// lostRead is what a reader sees when the connection ended with err.
func lostRead(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// lostFinish is what ending the sending side gives when the connection ended with err. On a server that went away
// by itself it succeeds.
func lostFinish(server bool, err error) error {
	var ce *ConnError
	if errors.As(err, &ce) && ce.Code == http2.ErrCodeNo && server && !ce.Remote {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, ErrClosed) {
		return errStreamBrokenPipe
	}
	return err
}
