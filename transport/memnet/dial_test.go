package memnet

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

func TestDialErrors(t *testing.T) {
	w := newWorld(t, Options{})
	tests := []struct {
		name string
		to   string
		want error
	}{
		{"nobody listens", "10.0.0.2:81", syscall.ECONNREFUSED},
		{"no such host", "10.0.0.3:80", syscall.EHOSTUNREACH},
		{"loopback is each host's own", "127.0.0.1:80", syscall.ECONNREFUSED},
		{"the wildcard is loopback", "0.0.0.0:80", syscall.ECONNREFUSED},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.a.Dial(t.Context(), netip.MustParseAddrPort(tt.to), socket.DialOptions{})
			expect(t, "dialling", err, tt.want)
			var de *socket.DialError
			if !errors.As(err, &de) || de.Addr.String() != tt.to {
				t.Errorf("the error is %#v", err)
			}
		})
	}
	lone := w.net.AddHost(netip.MustParseAddr("fd00::9"))
	_, err := lone.Dial(t.Context(), web, socket.DialOptions{})
	expect(t, "dialling IPv4 without having it", err, syscall.ENETUNREACH)
}

func TestSource(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.7")
	tests := []struct {
		name      string
		source    netip.Addr
		forbidden bool
		dst       string
		want      netip.Addr
		warned    bool
	}{
		{"the host's own", netip.Addr{}, false, "10.0.0.2:80", addrA, false},
		{"of the same family", netip.Addr{}, false, "[fd00::2]:80", netip.MustParseAddr("fd00::1"), false},
		{"preserved", client, false, "10.0.0.2:80", client, false},
		{"not allowed", client, true, "10.0.0.2:80", addrA, true},
		{"calling itself", addrB, true, "10.0.0.2:80", addrA, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var warning *socket.SpoofError
			w := newWorld(t, Options{Warn: func(err error) {
				if !errors.As(err, &warning) {
					t.Errorf("warned of %v", err)
				}
			}})
			if tt.forbidden {
				w.a.ForbidTransparent()
			}
			c, err := w.a.Dial(t.Context(), netip.MustParseAddrPort(tt.dst), socket.DialOptions{Source: tt.source})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			a, err := w.l.Accept()
			if err != nil || a.Peer.Addr() != tt.want || a.Local.String() != tt.dst {
				t.Errorf("accepted %s at %s, %v", a.Peer, a.Local, err)
			}
			if got := warning != nil; got != tt.warned {
				t.Errorf("warned: %v", got)
			}
		})
	}
}

func TestTransparent(t *testing.T) {
	w := newWorld(t, Options{})
	listen := func(tr socket.Transparent, port uint16) (bool, error) {
		l, err := w.a.Listen(t.Context(), netip.AddrPortFrom(addrA, port), socket.ListenOptions{Transparent: tr})
		return err == nil && l.Transparent(), err
	}
	for i, tt := range []struct {
		want         socket.Transparent
		on, onIfNone bool
		err          error
	}{
		{socket.TransparentTry, true, false, nil},
		{socket.TransparentRequire, true, false, syscall.EPERM},
		{socket.TransparentOff, false, false, nil},
	} {
		fresh := newWorld(t, Options{})
		w = fresh
		if on, err := listen(tt.want, uint16(i+1)); on != tt.on || err != nil {
			t.Errorf("%d: %v, %v", i, on, err)
		}
		w.a.ForbidTransparent()
		if on, err := listen(tt.want, uint16(i+11)); on != tt.onIfNone || !errors.Is(err, tt.err) {
			t.Errorf("%d without the right: %v, %v", i, on, err)
		}
	}
}

func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Backlog: 2})
		for range 2 {
			if _, err := w.a.Dial(t.Context(), web, socket.DialOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		_, err := w.a.Dial(t.Context(), web, socket.DialOptions{})
		expect(t, "dialling a full listener", err, socket.ErrDeadline)
		later := time.AfterFunc(time.Second, func() { _, _ = w.l.Accept() })
		defer later.Stop()
		start := time.Now()
		if _, err := w.a.Dial(t.Context(), web, socket.DialOptions{}); err != nil || time.Since(start) != time.Second {
			t.Errorf("once there is room: %v after %s", err, time.Since(start))
		}
	})
}

func TestCancelledDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.net.Partition(w.a, w.b)
		gone := errors.New("the client has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := time.AfterFunc(time.Second, func() { cancel(gone) })
		defer stop.Stop()
		_, err := w.a.Dial(ctx, web, socket.DialOptions{})
		expect(t, "dialling", err, gone)
	})
}

func TestSharedPortTakesTurns(t *testing.T) {
	n := New(Options{})
	h := n.AddHost(addrA)
	addr := netip.AddrPortFrom(addrA, 15008)
	var listeners []socket.Listener
	for range 2 {
		l, err := h.Listen(t.Context(), addr, socket.ListenOptions{ReusePort: true})
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
	}
	for range 4 {
		if _, err := h.Dial(t.Context(), addr, socket.DialOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range listeners {
		for range 2 {
			if _, err := l.Accept(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestPortsRunOut(t *testing.T) {
	w := newWorld(t, Options{Backlog: 1 << 16})
	for range lastEphemeral - firstEphemeral + 1 {
		if _, err := w.a.Dial(t.Context(), web, socket.DialOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.a.Dial(t.Context(), web, socket.DialOptions{})
	expect(t, "one dial too many", err, syscall.EADDRNOTAVAIL)
}
