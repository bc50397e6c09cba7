package memnet

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/transport/socket"
)

func TestRedirection(t *testing.T) {
	const outbound, inbound, tunnel = 15001, 15006, 15008
	tests := []struct {
		name     string
		dial     func(w *world) socket.Network
		to       string
		host     func(w *world) *Host
		at       uint16
		original string // empty: not redirected
	}{
		{"the application's call", func(w *world) socket.Network { return w.a.App() }, "10.0.0.2:80", func(w *world) *Host { return w.a }, outbound, "10.0.0.2:80"},
		{"to nowhere", func(w *world) socket.Network { return w.a.App() }, "192.0.2.1:443", func(w *world) *Host { return w.a }, outbound, "192.0.2.1:443"},
		{"over IPv6", func(w *world) socket.Network { return w.a.App() }, "[fd00::2]:80", func(w *world) *Host { return w.a }, outbound, "[fd00::2]:80"},
		{"to itself", func(w *world) socket.Network { return w.a.App() }, "10.0.0.1:8080", func(w *world) *Host { return w.a }, 8080, ""},
		{"the proxy's call", func(w *world) socket.Network { return w.a }, "10.0.0.2:80", func(w *world) *Host { return w.b }, inbound, "10.0.0.2:80"},
		{"an exempt port", func(w *world) socket.Network { return w.a }, "10.0.0.2:15008", func(w *world) *Host { return w.b }, tunnel, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.a.Redirect(Redirection{Outbound: outbound})
			w.b.Redirect(Redirection{Inbound: inbound, Exempt: []uint16{tunnel}})
			l, err := tt.host(w).Listen(t.Context(), netip.AddrPortFrom(netip.IPv6Unspecified(), tt.at), socket.ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tt.dial(w).Dial(t.Context(), netip.MustParseAddrPort(tt.to), socket.DialOptions{}); err != nil {
				t.Fatal(err)
			}
			a, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			dst, redirected := a.OriginalDst()
			if redirected != (tt.original != "") || redirected && dst.String() != tt.original || !redirected && dst != a.Local {
				t.Errorf("original destination is %s, %v", dst, redirected)
			}
			if redirected && a.Local.Port() != tt.at {
				t.Errorf("arrived at %s", a.Local)
			}
		})
	}
}

func TestDialRedirected(t *testing.T) {
	w := newWorld(t, Options{})
	via := netip.MustParseAddrPort("127.0.0.1:80")
	c, err := w.b.DialRedirected(t.Context(), via, netip.MustParseAddrPort("192.0.2.1:443"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if dst, ok := a.OriginalDst(); !ok || dst.String() != "192.0.2.1:443" {
		t.Errorf("original destination is %s, %v", dst, ok)
	}
	if got := socket.PeerAddrPort(c); got.String() != "192.0.2.1:443" {
		t.Errorf("the application talks to %s", got)
	}
	if a.Local != via {
		t.Errorf("arrived at %s", a.Local)
	}
}
