package socket

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// namespace makes an empty network namespace that lives as long as the test. Where the kernel refuses, the test
// is skipped, or fails if TROUPE_E2E says that it must not be.
func namespace(t *testing.T) (fd int) {
	t.Helper()
	type made struct {
		fd  int
		err error
	}
	result := make(chan made)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- made{-1, os.NewSyscallError("unshare", err)}
			return
		}
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		result <- made{fd, err}
	}()
	m := <-result
	if errors.Is(m.err, syscall.EPERM) && os.Getenv("TROUPE_E2E") != "required" {
		t.Skip("no right to make a network namespace: ", m.err)
	}
	if m.err != nil {
		t.Fatal(m.err)
	}
	t.Cleanup(func() { _ = unix.Close(m.fd) })
	return m.fd
}

// inside runs a test in a namespace.
func inside(t *testing.T, fd int, do func()) {
	t.Helper()
	if err := InNamespace(fd, func() error { do(); return nil }); err != nil {
		t.Error(err)
	}
}

// loopbackWorld is a namespace whose loopback takes all addresses of the documentation networks, so that spoofed
// sources find their way back.
func loopbackWorld(t *testing.T) (fd int) {
	t.Helper()
	fd = namespace(t)
	inside(t, fd, func() {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			t.Error(err)
			return
		}
		if err := netlink.LinkSetUp(lo); err != nil {
			t.Error(err)
		}
		for _, prefix := range []string{"192.0.2.0/24", "2001:db8::/32"} {
			dst, err := netlink.ParseIPNet(prefix)
			if err != nil {
				t.Error(err)
				continue
			}
			route := &netlink.Route{
				LinkIndex: lo.Attrs().Index, Dst: dst, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST,
			}
			if err := netlink.RouteAdd(route); err != nil {
				t.Errorf("route %s: %v", prefix, err)
			}
		}
	})
	return fd
}

func TestInNamespace(t *testing.T) {
	fd := namespace(t)
	home, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	there := home
	inside(t, fd, func() { there, _ = os.Readlink("/proc/thread-self/ns/net") })
	if there == home || !strings.HasPrefix(there, "net:[") {
		t.Errorf("ran in %s, home is %s", there, home)
	}
	failed := errors.New("failed")
	if err := InNamespace(fd, func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("an error comes back as %v", err)
	}
	if err := InNamespace(fd, func() error { runtime.Goexit(); return nil }); err == nil {
		t.Error("leaving the goroutine counts as success")
	}
	func() {
		defer func() {
			if p := recover(); p != "oops" {
				t.Errorf("a panic comes back as %v", p)
			}
		}()
		_ = InNamespace(fd, func() error { panic("oops") })
	}()
	if now, _ := os.Readlink("/proc/thread-self/ns/net"); now != home {
		t.Errorf("ended in %s", now)
	}
}

func TestInNamespaceRefuses(t *testing.T) {
	ran := func() error { t.Error("it ran"); return nil }
	if err := InNamespacePath("/nowhere/ns", ran); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such file gives %v", err)
	}
	if err := InNamespacePath("/dev/null", ran); err == nil {
		t.Error("a file that is no namespace is taken")
	}
	if err := InNamespace(-1, ran); !errors.Is(err, syscall.EBADF) {
		t.Errorf("no descriptor gives %v", err)
	}
}

func TestSourcePreservation(t *testing.T) {
	fd := loopbackWorld(t)
	tests := []struct{ listen, source string }{
		{"127.0.0.1:0", "192.0.2.7"},
		{"[::1]:0", "2001:db8::7"},
	}
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			inside(t, fd, func() {
				n := New(Config{Warn: func(err error) { t.Error(err) }})
				l, err := n.Listen(t.Context(), netip.MustParseAddrPort(tt.listen), ListenOptions{Transparent: TransparentRequire})
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = l.Close() }()
				if !l.Transparent() {
					t.Error("the listener is not transparent")
				}
				c, err := n.Dial(t.Context(), l.Addr(), DialOptions{Source: netip.MustParseAddr(tt.source)})
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = c.Close() }()
				if option(t, c, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT) != 0 {
					t.Error("the port was chosen by connect")
				}
				a, err := l.Accept()
				if err != nil || a.Peer.Addr().String() != tt.source {
					t.Errorf("the server sees %s, %v", a.Peer, err)
					return
				}
				_ = a.Conn.Close()
			})
		})
	}
}

func TestMark(t *testing.T) {
	fd := loopbackWorld(t)
	for _, listeners := range []bool{false, true} {
		inside(t, fd, func() {
			n := New(Config{Mark: 1337, MarkListeners: listeners})
			l, err := n.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), ListenOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = l.Close() }()
			c, err := n.Dial(t.Context(), l.Addr(), DialOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			a, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = a.Conn.Close() }()
			want := 0
			if listeners {
				want = 1337
			}
			if got := option(t, c, unix.SOL_SOCKET, unix.SO_MARK); got != 1337 {
				t.Errorf("a dialled socket has mark %d", got)
			}
			if got := option(t, l.(*listener).tcp, unix.SOL_SOCKET, unix.SO_MARK); got != want {
				t.Errorf("the listener has mark %d, want %d", got, want)
			}
			if got := option(t, a.Conn, unix.SOL_SOCKET, unix.SO_MARK); got != want {
				t.Errorf("an accepted socket has mark %d, want %d", got, want)
			}
		})
	}
}
