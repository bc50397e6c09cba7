package failure

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/socket"
)

func dialError(err error) error {
	return &socket.DialError{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Err: err}
}

func TestDial(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		reason messages.Reason
		text   string
	}{
		"refused":     {os.NewSyscallError("connect", syscall.ECONNREFUSED), messages.ReasonConnectionRefused, "io error: Connection refused (os error 111)"},
		"unreachable": {os.NewSyscallError("connect", syscall.EHOSTUNREACH), messages.ReasonHostUnreachable, "io error: No route to host (os error 113)"},
		"address":     {os.NewSyscallError("bind", syscall.EADDRNOTAVAIL), messages.ReasonAddressNotAvailable, "io error: Cannot assign requested address (os error 99)"},
		"timed out":   {socket.ErrDeadline, messages.ReasonTimedOut, "io error: deadline has elapsed"},
		"cancelled":   {context.Canceled, messages.ReasonCancelled, "io error: dial 10.0.0.1:80: context canceled"},
		"other":       {errors.New("the cat sat on the cable"), messages.ReasonConnectFailed, "io error: dial 10.0.0.1:80: the cat sat on the cable"},
	} {
		t.Run(name, func(t *testing.T) {
			err := dialError(test.err)
			f := Dial("io error: ", err)
			if f.Reason != test.reason || f.Text != test.text || !errors.Is(f, test.err) {
				t.Errorf("failure %v %q, want %v %q that wraps %v", f.Reason, f.Text, test.reason, test.text, test.err)
			}
		})
	}
}

func TestHBONEDialHintsAtNetworkPolicies(t *testing.T) {
	f := HBONEDial(dialError(socket.ErrDeadline))
	const want = "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: deadline has elapsed"
	if f.Reason != messages.ReasonNetworkPolicySuspected || f.Text != want {
		t.Errorf("failure %v %q, want %q", f.Reason, f.Text, want)
	}
	if f := HBONEDial(dialError(syscall.ECONNREFUSED)); f.Reason != messages.ReasonConnectionRefused {
		t.Errorf("failure %v, want connection refused", f.Reason)
	}
}

func TestHandshakeIsAnIOError(t *testing.T) {
	f := Handshake(errors.New("bad certificate"))
	if f.Reason != messages.ReasonTLSHandshake || f.Text != "io error: bad certificate" || f.Reason.Flag() != "CONNECT" {
		t.Errorf("failure %v %q with flag %s", f.Reason, f.Text, f.Reason.Flag())
	}
}

func TestIsTimeout(t *testing.T) {
	for err, want := range map[error]bool{
		hbone.ErrConnectTimeout:  true,
		context.DeadlineExceeded: true,
		os.ErrDeadlineExceeded:   true,
		context.Canceled:         false,
		hbone.ErrGoAway:          false,
	} {
		if got := IsTimeout(err); got != want {
			t.Errorf("IsTimeout(%v) = %v, want %v", err, got, want)
		}
	}
}
