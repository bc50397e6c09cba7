package socket

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"testing"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		err  error
		want Fault
		text string
	}{
		{syscall.ECONNREFUSED, FaultRefused, "Connection refused (os error 111)"},
		{ErrDeadline, FaultTimedOut, "deadline has elapsed"},
		{context.DeadlineExceeded, FaultTimedOut, "context deadline exceeded"},
		{syscall.ETIMEDOUT, FaultTimedOut, "Connection timed out (os error 110)"},
		{syscall.EHOSTUNREACH, FaultUnreachable, "No route to host (os error 113)"},
		{syscall.ENETUNREACH, FaultUnreachable, "Network is unreachable (os error 101)"},
		{syscall.EADDRNOTAVAIL, FaultAddressNotAvailable, "Cannot assign requested address (os error 99)"},
		{context.Canceled, FaultCancelled, "context canceled"},
		{syscall.EPERM, FaultOther, "Operation not permitted (os error 1)"},
		{errors.New("odd"), FaultOther, "odd"},
	}
	for _, tt := range tests {
		for _, err := range []error{
			tt.err,
			&DialError{Addr: netip.MustParseAddrPort("192.0.2.1:80"), Err: tt.err},
			fmt.Errorf("io error: %w", os.NewSyscallError("connect", tt.err)),
		} {
			if got := Classify(err); got != tt.want {
				t.Errorf("%v is %d, want %d", err, got, tt.want)
			}
		}
		err := tt.err
		if errno := syscall.Errno(0); errors.As(tt.err, &errno) {
			if got := Text(errno); got != errno.Error() {
				t.Errorf("without a system call %v reads %q", errno, got)
			}
			err = fmt.Errorf("io error: %w", os.NewSyscallError("connect", errno))
		}
		if got := Text(err); got != tt.text {
			t.Errorf("%v reads %q, want %q", err, got, tt.text)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	addr, source := netip.MustParseAddrPort("[2001:db8::1]:80"), netip.MustParseAddr("2001:db8::7")
	tests := []struct {
		err  error
		want string
	}{
		{&DialError{Addr: addr, Err: ErrDeadline}, "dial [2001:db8::1]:80: deadline has elapsed"},
		{&DialError{Source: source, Addr: addr, Err: ErrDeadline}, "dial [2001:db8::1]:80 as 2001:db8::7: deadline has elapsed"},
		{&SpoofError{Source: source, Addr: addr, Err: syscall.EPERM}, "dial [2001:db8::1]:80: source 2001:db8::7 not preserved: operation not permitted"},
		{&BindError{Addr: addr, Err: os.NewSyscallError("bind", syscall.EACCES)}, "failed to bind to address [2001:db8::1]:80: Permission denied (os error 13)"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
