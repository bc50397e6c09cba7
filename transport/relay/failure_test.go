package relay

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
)

func TestCopyErrorText(t *testing.T) {
	timedOut := os.NewSyscallError("read", syscall.ETIMEDOUT)
	tests := []struct {
		err  CopyError
		want string
	}{
		{CopyError{Direction: Send, Err: timedOut}, "send: io error: Connection timed out (os error 110)"},
		{CopyError{Direction: Receive, Err: timedOut}, "receive: io error: Connection timed out (os error 110)"},
		{CopyError{Direction: Send, Err: ErrDisconnected}, "send: destination disconnected before all data was written"},
		{CopyError{Direction: Receive, Err: ErrDisconnected}, "receive: client disconnected before all data was written"},
		{
			CopyError{Direction: Send, Closing: true, Err: os.NewSyscallError("shutdown", syscall.EPIPE)},
			"while closing connection: send: io error: Broken pipe (os error 32)",
		},
		{CopyError{Direction: Send, Closing: true, Err: syscall.EPIPE}, "while closing connection: send: io error: broken pipe"},
		{CopyError{Direction: Receive, Err: errors.New("odd")}, "receive: io error: odd"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestBenign(t *testing.T) {
	tests := []struct {
		err           error
		copy, closing bool
	}{
		{syscall.ECONNRESET, true, false},
		{os.NewSyscallError("write", syscall.EPIPE), true, false},
		{syscall.ENOTCONN, true, true},
		{io.ErrUnexpectedEOF, true, true},
		{io.EOF, true, false},
		{syscall.ETIMEDOUT, false, false},
		{syscall.EHOSTUNREACH, false, false},
	}
	for _, tt := range tests {
		if benign(tt.err) != tt.copy || benignClose(tt.err) != tt.closing {
			t.Errorf("%v: %v while copying, %v while closing", tt.err, benign(tt.err), benignClose(tt.err))
		}
	}
}
