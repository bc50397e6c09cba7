package memnet

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/transport/socket"
)

var (
	addrA = netip.MustParseAddr("10.0.0.1")
	addrB = netip.MustParseAddr("10.0.0.2")
)

// world is two hosts, b listening on port 80.
type world struct {
	net  *Network
	a, b *Host
	l    socket.Listener
}

var web = netip.AddrPortFrom(addrB, 80)

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{net: New(o)}
	w.a = w.net.AddHost(addrA, netip.MustParseAddr("fd00::1"))
	w.b = w.net.AddHost(addrB, netip.MustParseAddr("fd00::2"))
	l, err := w.b.Listen(t.Context(), netip.MustParseAddrPort("[::]:80"), socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.l = l
	return w
}

// connect is a connection from a to b. The caller closes what it opens: a test's cleanup runs outside the bubble.
func (w *world) connect(t *testing.T) (client, server socket.Conn) {
	t.Helper()
	client, err := w.a.Dial(t.Context(), web, socket.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, a.Conn
}
