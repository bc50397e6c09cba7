package socket

import (
	"net/netip"
	"testing"
)

// TestBorrowedPorts: connections with a borrowed address have odd ports; one that another connection to the same destination
// has is not taken, to another destination it is, and where there is none the kernel finds one. All of it from here and from
// another namespace.
func TestBorrowedPorts(t *testing.T) {
	fd := loopbackWorld(t)
	warn := Config{Warn: func(err error) { t.Error(err) }, DialTimeout: DefaultDialTimeout}
	there, done := In(handle(t, fd), warn)
	defer done()
	here := &kernel{cfg: warn}
	for name, c := range map[string]struct {
		n     Network
		ports *func() uint16
	}{"here": {here, &here.ports}, "elsewhere": {there, &there.(*elsewhere).kernel.ports}} {
		for _, f := range []struct{ listen, source string }{{"127.0.0.1:0", "192.0.2.7"}, {"[::1]:0", "2001:db8::7"}} {
			t.Run(name+" "+f.source, func(t *testing.T) {
				run := func(do func()) { do() }
				if name == "here" {
					run = func(do func()) { inside(t, fd, do) }
				}
				run(func() { borrowPorts(t, c.n, c.ports, f.listen, netip.MustParseAddr(f.source)) })
			})
		}
	}
}

func borrowPorts(t *testing.T, n Network, ports *func() uint16, at string, source netip.Addr) {
	t.Helper()
	one, err := n.Listen(t.Context(), netip.MustParseAddrPort(at), ListenOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = one.Close() }()
	other, err := n.Listen(t.Context(), netip.MustParseAddrPort(at), ListenOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = other.Close() }()
	borrow := func(to Listener) (port uint16) {
		c, err := n.Dial(t.Context(), to.Addr(), DialOptions{Source: source})
		if err != nil {
			t.Error(err)
			return 0
		}
		t.Cleanup(func() { _ = c.Close() })
		a, err := to.Accept()
		if err != nil {
			t.Error(err)
			return 0
		}
		t.Cleanup(func() { _ = a.Conn.Close() })
		if a.Peer.Addr() != source {
			t.Errorf("the server sees %s, want %s", a.Peer, source)
		}
		return a.Peer.Port()
	}
	for range 50 {
		if port := borrow(one); port%2 == 0 || port < firstBorrowed || port > lastBorrowed {
			t.Errorf("port %d is one that clients get", port)
		}
	}
	*ports = func() uint16 { return 31001 }
	if first, second := borrow(one), borrow(other); first != 31001 || second != first {
		t.Errorf("ports %d and %d, want the same for two destinations", first, second)
	}
	if third := borrow(one); third == 31001 || third == 0 {
		t.Errorf("port %d, want one that is free", third)
	}
	everywhere := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	if source.Is6() {
		everywhere = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	app, err := n.Listen(t.Context(), everywhere, ListenOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = app.Close() }()
	*ports = app.Addr().Port
	if port := borrow(one); port == app.Addr().Port() || port == 0 {
		t.Errorf("port %d, want one that nobody listens at", port)
	}
	*ports = nil
}
