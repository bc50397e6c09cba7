package socket

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestDialledSocketOptions(t *testing.T) {
	n := New(Config{Keepalive: DefaultKeepalive, UserTimeout: true})
	l := listen(t, n, "127.0.0.1:0", ListenOptions{})
	tcp, _ := AsTCP(dial(t, n, l.Addr(), DialOptions{}))
	for o, want := range map[[2]int]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE}:      1,
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}:     180,
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}:    180,
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT}:      9,
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}: 1_800_000,
		{unix.IPPROTO_TCP, unix.TCP_NODELAY}:      1,
		{unix.SOL_SOCKET, unix.SO_MARK}:           0,
	} {
		if got := option(t, tcp, o[0], o[1]); got != want {
			t.Errorf("option %v is %d, want %d", o, got, want)
		}
	}
}

func TestDialRefused(t *testing.T) {
	n := New(Config{})
	l := listen(t, n, "127.0.0.1:0", ListenOptions{})
	addr := l.Addr()
	_ = l.Close()
	_, err := n.Dial(t.Context(), addr, DialOptions{})
	if !errors.Is(err, syscall.ECONNREFUSED) || Classify(err) != FaultRefused {
		t.Fatalf("nobody listening gives %v", err)
	}
	if got, want := Text(err), "Connection refused (os error 111)"; got != want {
		t.Errorf("the reference's text is %q, want %q", got, want)
	}
	if got, want := err.Error(), "dial "+addr.String()+": connect: connection refused"; got != want {
		t.Errorf("the error reads %q, want %q", got, want)
	}
}

// fullListener is an address whose accept queue is full, so that dials to it get no answer.
func fullListener(t *testing.T) netip.AddrPort {
	t.Helper()
	l := listen(t, New(Config{Backlog: 1}), "127.0.0.1:0", ListenOptions{})
	impatient := New(Config{DialTimeout: 200 * time.Millisecond})
	for range 16 {
		c, err := impatient.Dial(t.Context(), l.Addr(), DialOptions{})
		if err != nil {
			return l.Addr()
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("a backlog of 1 took 16 connections")
	return netip.AddrPort{}
}

func TestDialTimesOut(t *testing.T) {
	addr := fullListener(t)
	t.Run("its own limit", func(t *testing.T) {
		_, err := New(Config{DialTimeout: 50 * time.Millisecond}).Dial(t.Context(), addr, DialOptions{})
		var timeout net.Error
		if !errors.Is(err, ErrDeadline) || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatalf("no answer gives %v", err)
		}
		if Classify(err) != FaultTimedOut || Text(err) != "deadline has elapsed" {
			t.Errorf("classified %d, worded %q", Classify(err), Text(err))
		}
	})
	t.Run("the caller's deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := New(Config{}).Dial(ctx, addr, DialOptions{}); Classify(err) != FaultTimedOut {
			t.Errorf("gives %v", err)
		}
	})
	t.Run("the caller cancels", func(t *testing.T) {
		gone := errors.New("the client has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
		if _, err := New(Config{}).Dial(ctx, addr, DialOptions{}); !errors.Is(err, gone) {
			t.Errorf("gives %v", err)
		}
	})
}

func TestDialSource(t *testing.T) {
	n := New(Config{Warn: func(err error) { t.Error(err) }})
	if os.Geteuid() != 0 {
		n = New(Config{}) // spoofing is refused, which the last case of TestDialGoesOnWithoutItsSource is about
	}
	l := listen(t, n, "127.0.0.1:0", ListenOptions{})
	self := dial(t, n, l.Addr(), DialOptions{Source: l.Addr().Addr()})
	if got := accept(t, l).Peer; got != LocalAddrPort(self) {
		t.Errorf("calling itself comes from %s", got)
	}
	_, err := n.Dial(t.Context(), l.Addr(), DialOptions{Source: netip.MustParseAddr("::1")})
	if !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("a source of another family gives %v", err)
	}
	mapped := netip.AddrPortFrom(netip.AddrFrom16(l.Addr().Addr().As16()), l.Addr().Port())
	dial(t, n, mapped, DialOptions{})
	if got := accept(t, l).Peer.Addr(); !got.Is4() {
		t.Errorf("a mapped destination is reached from %s", got)
	}
}

func TestDialGoesOnWithoutItsSource(t *testing.T) {
	var warning *SpoofError
	n := New(Config{Warn: func(err error) {
		if !errors.As(err, &warning) {
			t.Errorf("warned of %v", err)
		}
	}})
	l := listen(t, n, "[::1]:0", ListenOptions{})
	group := netip.MustParseAddr("ff02::1") // no TCP socket may be bound to it, whatever its rights
	dial(t, n, l.Addr(), DialOptions{Source: group})
	if got := accept(t, l).Peer.Addr(); got != l.Addr().Addr() {
		t.Errorf("the server sees %s", got)
	}
	if warning == nil || warning.Source != group || warning.Addr != l.Addr() {
		t.Errorf("warned of %v", warning)
	}
}

func TestDialFromLocal(t *testing.T) {
	l := listen(t, New(Config{}), "127.0.0.1:0", ListenOptions{Transparent: TransparentOff})
	n := New(Config{Local: netip.MustParseAddr("127.0.0.77")})
	c, err := n.Dial(t.Context(), l.Addr(), DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got := LocalAddrPort(c).Addr(); got != netip.MustParseAddr("127.0.0.77") {
		t.Errorf("dialled from %s, want 127.0.0.77", got)
	}
}
