package socket

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// handle is a handle of a namespace, with its descriptor.
func handle(t *testing.T, fd int) *Namespace {
	t.Helper()
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := NewNamespace(own)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ns.Close() })
	return ns
}

func TestNamespaceHandles(t *testing.T) {
	fd, other := namespace(t), namespace(t)
	ns := handle(t, fd)
	if again := handle(t, fd); again.ID() != ns.ID() || again.ID() == handle(t, other).ID() {
		t.Error("the id doesn't tell namespaces apart")
	}
	shared := ns.Share().(*Namespace)
	for range 2 { // the second time does nothing
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := ns.Do(func() error { return nil }); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed handle gives %v", err)
	}
	if err := ns.Share().(*Namespace).Do(func() error { return nil }); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a handle of a closed one gives %v", err)
	}
	if err := shared.Do(func() error { return nil }); err != nil {
		t.Errorf("the other handle gives %v", err)
	}
	_ = shared.Close()
	if err := shared.shared.file.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the descriptor is open after the last handle: %v", err)
	}
}

func TestNewNamespaceOfNothing(t *testing.T) {
	if _, err := NewNamespace(1 << 20); !errors.Is(err, unix.EBADF) {
		t.Errorf("got %v", err)
	}
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := NewNamespace(null) // it is found out when it is entered
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ns.Close() }()
	n, done := In(ns, Config{})
	defer done()
	if _, err := n.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), ListenOptions{}); err == nil {
		t.Error("listened in /dev/null")
	}
	if _, err := n.Dial(t.Context(), netip.MustParseAddrPort("127.0.0.1:1"), DialOptions{}); err == nil {
		t.Error("dialled in /dev/null")
	}
}

// elsewhereIn is the network of a namespace whose loopback has the documentation networks.
func elsewhereIn(t *testing.T, cfg Config) Network {
	t.Helper()
	n, done := In(handle(t, loopbackWorld(t)), cfg)
	t.Cleanup(done)
	return n
}

func TestElsewhere(t *testing.T) {
	n := elsewhereIn(t, Config{Keepalive: DefaultKeepalive, UserTimeout: true, Mark: 1337, MarkListeners: true})
	for _, at := range []string{"192.0.2.1:0", "[::1]:0"} {
		l := listen(t, n, at, ListenOptions{Keepalive: true})
		c := dial(t, n, l.Addr(), DialOptions{})
		a := accept(t, l)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := a.Conn.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		for which, conn := range map[string]Conn{"dialled": c, "accepted": a.Conn} {
			tcp, _ := AsTCP(conn)
			for o, want := range map[[2]int]int{
				{unix.SOL_SOCKET, unix.SO_KEEPALIVE}: 1, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}: 180,
				{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}: 1_800_000, {unix.IPPROTO_TCP, unix.TCP_NODELAY}: 1,
				{unix.SOL_SOCKET, unix.SO_MARK}: 1337,
			} {
				if got := option(t, tcp, o[0], o[1]); got != want {
					t.Errorf("%s: option %v is %d, want %d", which, o, got, want)
				}
			}
		}
		if _, err := New(Config{DialTimeout: time.Second}).Dial(t.Context(), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), l.Addr().Port()), DialOptions{}); err == nil {
			t.Error("the listener is in our own namespace")
		}
	}
}

// TestElsewhereIPv6Loopback switches IPv6 off there, and only there.
func TestElsewhereIPv6Loopback(t *testing.T) {
	n := elsewhereIn(t, Config{})
	for value, want := range map[string]bool{"1": false, "0": true} {
		err := n.(*elsewhere).ns.Do(func() error { return os.WriteFile(loopbackIPv6Off, []byte(value), 0) })
		if err != nil {
			t.Fatal(err)
		}
		if got := n.(LoopbackProbe).HasIPv6Loopback(); got != want {
			t.Errorf("disable_ipv6 is %s, but there is a loopback: %v", value, got)
		}
	}
	err := n.(*elsewhere).ns.Do(func() error { return os.WriteFile(loopbackIPv6Off, []byte("1"), 0) })
	if home := New(Config{}).(LoopbackProbe); err != nil || !home.HasIPv6Loopback() {
		t.Errorf("at home IPv6 is off too, or %v", err)
	}
}

func TestElsewhereWithoutKeepalive(t *testing.T) {
	n := elsewhereIn(t, Config{})
	l := listen(t, n, "127.0.0.1:0", ListenOptions{})
	tcp, _ := AsTCP(dial(t, n, l.Addr(), DialOptions{}))
	if got := option(t, tcp, unix.SOL_SOCKET, unix.SO_KEEPALIVE); got != 0 {
		t.Error("keepalive is on")
	}
}

func TestElsewhereBorrowsTheSource(t *testing.T) {
	n := elsewhereIn(t, Config{Warn: func(err error) { t.Error(err) }})
	for at, source := range map[string]string{"192.0.2.1:0": "192.0.2.77", "[::1]:0": "2001:db8::77"} {
		l := listen(t, n, at, ListenOptions{})
		dial(t, n, l.Addr(), DialOptions{Source: netip.MustParseAddr(source)})
		if got := accept(t, l).Peer.Addr(); got != netip.MustParseAddr(source) {
			t.Errorf("the server sees %s, want %s", got, source)
		}
	}
}

func TestElsewhereFails(t *testing.T) {
	n := elsewhereIn(t, Config{Backlog: 1, DialTimeout: 200 * time.Millisecond})
	l := listen(t, n, "192.0.2.1:0", ListenOptions{})
	var timedOut error
	for range 16 {
		c, err := n.Dial(t.Context(), l.Addr(), DialOptions{})
		if err != nil {
			timedOut = err
			break
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	if !errors.Is(timedOut, ErrDeadline) || Classify(timedOut) != FaultTimedOut {
		t.Errorf("no answer gives %v", timedOut)
	}
	_, err := n.Listen(t.Context(), l.Addr(), ListenOptions{})
	var bind *BindError
	if !errors.As(err, &bind) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a taken port gives %v", err)
	}
	_ = l.Close()
	_, err = n.Dial(t.Context(), l.Addr(), DialOptions{})
	if Classify(err) != FaultRefused || Text(err) != "Connection refused (os error 111)" {
		t.Errorf("nobody listening gives %v", err)
	}
	if _, err := n.Dial(t.Context(), l.Addr(), DialOptions{Source: netip.MustParseAddr("::1")}); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("a source of another family gives %v", err)
	}
	if _, err := n.Dial(t.Context(), netip.MustParseAddrPort("[fe80::1%nowhere]:1"), DialOptions{}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a zone of nowhere gives %v", err)
	}
}

func TestElsewhereAfterTheEnd(t *testing.T) {
	ns := handle(t, loopbackWorld(t))
	n, done := In(ns, Config{})
	l := listen(t, n, "192.0.2.1:0", ListenOptions{})
	c := dial(t, n, l.Addr(), DialOptions{})
	a := accept(t, l)
	_ = ns.Close() // the network has a handle of its own
	dial(t, n, l.Addr(), DialOptions{})
	done()
	if _, err := n.Dial(t.Context(), l.Addr(), DialOptions{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dialled after the end: %v", err)
	}
	if _, err := n.Listen(t.Context(), l.Addr(), ListenOptions{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("listened after the end: %v", err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := a.Conn.Read(make([]byte, 1)); err != nil {
		t.Errorf("what is open does not stay: %v", err)
	}
}

func TestCheckPrivileges(t *testing.T) {
	namespace(t) // skips where there are none
	if err := CheckPrivileges(1337); err != nil {
		t.Error(err)
	}
}
