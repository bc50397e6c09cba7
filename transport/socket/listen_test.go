package socket

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// option reads an integer socket option of anything with a descriptor.
func option(t *testing.T, c any, level, name int) int {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var value int
	if err := control(raw, func(fd int) (err error) {
		value, err = unix.GetsockoptInt(fd, level, name)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestListenTakesBothFamiliesOnTheWildcard(t *testing.T) {
	n := New(Config{})
	l := listen(t, n, "[::]:0", ListenOptions{})
	for _, host := range []string{"127.0.0.1", "::1"} {
		addr := netip.AddrPortFrom(netip.MustParseAddr(host), l.Addr().Port())
		c := dial(t, n, addr, DialOptions{})
		a := accept(t, l)
		if a.Local != addr {
			t.Errorf("local is %s, want the canonical %s", a.Local, addr)
		}
		if want := LocalAddrPort(c); a.Peer != want {
			t.Errorf("peer is %s, want the canonical %s", a.Peer, want)
		}
		if got := PeerAddrPort(c); got != addr {
			t.Errorf("the client's peer is %s, want %s", got, addr)
		}
		if dst, ok := a.OriginalDst(); ok && dst != addr || !ok && dst != a.Local {
			t.Errorf("original destination is %s, %v", dst, ok)
		}
	}
}

func TestListenIPv4WildcardIsIPv4Only(t *testing.T) {
	n := New(Config{})
	l := listen(t, n, "0.0.0.0:0", ListenOptions{})
	_, err := n.Dial(t.Context(), netip.AddrPortFrom(netip.MustParseAddr("::1"), l.Addr().Port()), DialOptions{})
	if Classify(err) != FaultRefused {
		t.Errorf("dialling ::1 gives %v, want a refusal", err)
	}
}

func TestListenBusyPort(t *testing.T) {
	n := New(Config{})
	l := listen(t, n, "127.0.0.1:0", ListenOptions{})
	_, err := n.Listen(t.Context(), l.Addr(), ListenOptions{})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("a busy port gives %v", err)
	}
	want := "failed to bind to address " + l.Addr().String() + ": Address already in use (os error 98)"
	if err.Error() != want {
		t.Errorf("the error reads %q, want %q", err, want)
	}
}

func TestListenReusePort(t *testing.T) {
	n := New(Config{})
	l := listen(t, n, "127.0.0.1:0", ListenOptions{ReusePort: true})
	listen(t, n, l.Addr().String(), ListenOptions{ReusePort: true})
	if _, err := n.Listen(t.Context(), l.Addr(), ListenOptions{}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a third listener without SO_REUSEPORT gives %v, want a busy port", err)
	}
}

func TestAcceptedSocketOptions(t *testing.T) {
	keepalive := Keepalive{Enabled: true, Time: 10 * time.Second, Interval: 2 * time.Second, Retries: 5}
	tests := []struct {
		name    string
		cfg     Config
		options ListenOptions
		want    map[[2]int]int
	}{
		{"captured", Config{Keepalive: keepalive, UserTimeout: true}, ListenOptions{Keepalive: true}, map[[2]int]int{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE}:      1,
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}:     10,
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}:    2,
			{unix.IPPROTO_TCP, unix.TCP_KEEPCNT}:      5,
			{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}: 20_000,
			{unix.IPPROTO_TCP, unix.TCP_NODELAY}:      1,
		}},
		{"tunnel", Config{Keepalive: keepalive, UserTimeout: true}, ListenOptions{}, map[[2]int]int{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE}:      0,
			{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}: 0,
			{unix.IPPROTO_TCP, unix.TCP_NODELAY}:      1,
		}},
		{"keepalive off", Config{}, ListenOptions{Keepalive: true}, map[[2]int]int{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE}:      0,
			{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}: 0,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := New(tt.cfg)
			l := listen(t, n, "127.0.0.1:0", tt.options)
			dial(t, n, l.Addr(), DialOptions{})
			tcp, ok := AsTCP(accept(t, l).Conn)
			if !ok {
				t.Fatal("no TCP socket below")
			}
			for o, want := range tt.want {
				if got := option(t, tcp, o[0], o[1]); got != want {
					t.Errorf("option %v is %d, want %d", o, got, want)
				}
			}
		})
	}
}

func TestAcceptAfterClose(t *testing.T) {
	l := listen(t, New(Config{}), "127.0.0.1:0", ListenOptions{})
	result := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		result <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept on a closed listener gives %v", err)
	}
}
