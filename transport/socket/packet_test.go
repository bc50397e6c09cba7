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
)

func packets(t *testing.T) PacketNetwork {
	t.Helper()
	n, ok := New(Config{}).(PacketNetwork)
	if !ok {
		t.Fatal("the kernel's network has no datagrams")
	}
	return n
}

func TestPackets(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(at, func(t *testing.T) {
			l, err := packets(t).ListenPacket(t.Context(), netip.MustParseAddrPort(at), ListenOptions{})
			if err != nil {
				if at[0] == '[' && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)) {
					t.Skip("no IPv6 here: ", err)
				}
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			c, err := packets(t).DialPacket(t.Context(), l.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if _, err := c.Write([]byte("question")); err != nil {
				t.Fatal(err)
			}
			buffer, held := make([]byte, 512), 0
			n, from, err := l.Reader().Read(func() []byte { held++; return buffer }, func([]byte) { held-- })
			if err != nil || string(buffer[:n]) != "question" || from != LocalAddrPort(c) || held != 1 {
				t.Fatalf("read %q from %s, %v, %d buffers held; want the question from %s", buffer[:n], from, err, held, LocalAddrPort(c))
			}
			if err := l.TrySend([]byte("answer"), from); err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if n, err = c.Read(buffer); err != nil || string(buffer[:n]) != "answer" {
				t.Errorf("read %q, %v", buffer[:n], err)
			}
		})
	}
}

func TestPacketReadingEnds(t *testing.T) {
	l, err := packets(t).ListenPacket(context.Background(), netip.MustParseAddrPort("127.0.0.1:0"), ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ended, held := make(chan error), 0
	buffer := make([]byte, 16)
	read := func() {
		_, _, err := l.Reader().Read(func() []byte { held++; return buffer }, func([]byte) { held-- })
		ended <- err
	}
	go read()
	if err := l.EndReading(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) || held != 0 {
		t.Errorf("the read ended with %v, %d buffers held", err, held)
	}
	if err := l.TrySend([]byte("still"), l.Addr()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	go read()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the read of a closed socket ended with %v", err)
	}
	if err := l.TrySend([]byte("late"), l.Addr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("sending on a closed socket: %v", err)
	}
}

func TestBusyPacketPort(t *testing.T) {
	l, err := packets(t).ListenPacket(context.Background(), netip.MustParseAddrPort("127.0.0.1:0"), ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var bind *BindError
	if _, err := packets(t).ListenPacket(context.Background(), l.Addr(), ListenOptions{}); !errors.As(err, &bind) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second listener: %v, want EADDRINUSE", err)
	}
}

func TestPacketsDoNotAllocate(t *testing.T) {
	l, err := packets(t).ListenPacket(context.Background(), netip.MustParseAddrPort("127.0.0.1:0"), ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	buffer, r := make([]byte, 16), l.Reader()
	take, give := func() []byte { return buffer }, func([]byte) {}
	n := testing.AllocsPerRun(200, func() {
		if err := l.TrySend([]byte("x"), l.Addr()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Read(take, give); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 {
		t.Errorf("%v allocations to send and to read", n)
	}
}
