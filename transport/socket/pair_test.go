package socket

import (
	"net/netip"
	"testing"
	"time"
)

// patience bounds what a test waits for on real sockets.
const patience = 10 * time.Second

func listen(t *testing.T, n Network, addr string, o ListenOptions) Listener {
	t.Helper()
	l, err := n.Listen(t.Context(), netip.MustParseAddrPort(addr), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func accept(t *testing.T, l Listener) Accepted {
	t.Helper()
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Conn.Close() })
	return a
}

func dial(t *testing.T, n Network, addr netip.AddrPort, o DialOptions) Conn {
	t.Helper()
	c, err := n.Dial(t.Context(), addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// pair is both ends of a loopback connection, with a deadline so that a failing test ends.
func pair(t *testing.T) (client, server Conn) {
	t.Helper()
	n := New(Config{})
	l := listen(t, n, "127.0.0.1:0", ListenOptions{})
	client = dial(t, n, l.Addr(), DialOptions{})
	server = accept(t, l).Conn
	for _, c := range []Conn{client, server} {
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	return client, server
}
