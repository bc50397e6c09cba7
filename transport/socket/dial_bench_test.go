package socket

import (
	"net/netip"
	"testing"
)

// BenchmarkConnect opens, accepts and closes a connection.
func BenchmarkConnect(b *testing.B) {
	n := New(Config{Keepalive: DefaultKeepalive})
	l, err := n.Listen(b.Context(), netip.MustParseAddrPort("127.0.0.1:0"), ListenOptions{Keepalive: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	b.ReportAllocs()
	for b.Loop() {
		c, err := n.Dial(b.Context(), l.Addr(), DialOptions{})
		if err != nil {
			b.Fatal(err)
		}
		a, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		_ = c.Abort()
		_ = a.Conn.Close()
	}
}
