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
			for _, text := range []string{"question", "another"} {
				if _, err := c.Write([]byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			buffers, held := [3][512]byte{}, 0
			take := func() *Batch {
				held++
				b := NewBatch(len(buffers))
				for i := range buffers {
					b.AddRoom(buffers[i][:])
				}
				return b
			}
			var batch *Batch
			r := l.Reader()
			n, err := r.Read(func() *Batch { batch = take(); return batch }, func(*Batch) { held-- })
			if err != nil || n != 2 || held != 1 {
				t.Fatalf("read %d, %v, %d batches held; want both datagrams", n, err, held)
			}
			for i, want := range []string{"question", "another"} {
				if size, from := batch.Read(i); string(buffers[i][:size]) != want || from != LocalAddrPort(c) {
					t.Errorf("read %q from %s, want %q from %s", buffers[i][:size], from, want, LocalAddrPort(c))
				}
			}
			answers := NewBatch(2)
			answers.Add(make([]byte, 65536), LocalAddrPort(c)) // no datagram is that long
			answers.Add([]byte("answer"), LocalAddrPort(c))
			if lost, err := l.TrySend(answers); lost != 1 || !errors.Is(err, syscall.EMSGSIZE) {
				t.Fatalf("%d datagrams lost, %v; want the one that is too long", lost, err)
			}
			buffer := buffers[0][:]
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
	batch := NewBatch(1)
	batch.AddRoom(make([]byte, 16))
	read := func() {
		_, err := l.Reader().Read(func() *Batch { held++; return batch }, func(*Batch) { held-- })
		ended <- err
	}
	one := NewBatch(1)
	one.Add([]byte("still"), l.Addr())
	go read()
	if err := l.EndReading(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) || held != 0 {
		t.Errorf("the read ended with %v, %d buffers held", err, held)
	}
	if lost, err := l.TrySend(one); lost != 0 || err != nil {
		t.Errorf("%d lost, %v", lost, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	go read()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the read of a closed socket ended with %v", err)
	}
	if lost, err := l.TrySend(one); lost != 1 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("sending on a closed socket: %d lost, %v", lost, err)
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
	const size = 4
	r, in, out := l.Reader(), NewBatch(size), NewBatch(size)
	var buffers [size][16]byte
	x := []byte("x")
	take, give := func() *Batch { return in }, func(*Batch) {}
	n := testing.AllocsPerRun(200, func() {
		in.Clear()
		out.Clear()
		for i := range buffers {
			in.AddRoom(buffers[i][:])
			out.Add(x, l.Addr())
		}
		if lost, err := l.TrySend(out); err != nil || lost != 0 || !out.Full() {
			t.Fatal(lost, err)
		}
		if n, err := r.Read(take, give); err != nil || n != size {
			t.Fatal(n, err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations to send and to read", n)
	}
}

// TestBatchHoldsNothing makes sure that a batch keeps nobody's bytes.
func TestBatchHoldsNothing(t *testing.T) {
	b := NewBatch(2)
	b.Add([]byte("x"), netip.MustParseAddrPort("127.0.0.1:1"))
	b.AddRoom(make([]byte, 8))
	b.Clear()
	for i := range b.vectors {
		if b.vectors[i].Base != nil {
			t.Errorf("place %d is held", i)
		}
	}
	if b.Len() != 0 || b.Full() {
		t.Errorf("%d datagrams are left", b.Len())
	}
}
