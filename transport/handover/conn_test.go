package handover

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

const soon = 10 * time.Second

// meet is an old and a new process.
func meet(t *testing.T) (old, successor *Conn, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "h")
	door, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = door.Close() })
	if successor, err = Dial(path); err != nil {
		t.Fatal(err)
	}
	if old, err = door.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = old.Close()
		_ = successor.Close()
	})
	return old, successor, path
}

// descriptors is how many this process has.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func tcpPair(t *testing.T) (a, b socket.Conn) {
	t.Helper()
	n := socket.New(socket.Config{})
	l, err := n.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if a, err = n.Dial(t.Context(), l.Addr(), socket.DialOptions{}); err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.Close()
		_ = accepted.Conn.Close()
	})
	return a, accepted.Conn
}

func TestDoor(t *testing.T) {
	_, _, path := meet(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	next, err := Listen(path) // a successor takes the name
	if err != nil {
		t.Fatal(err)
	}
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Dial(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
	if again, err := Listen(path); err != nil {
		t.Error(err)
	} else {
		_ = next.Close() // must not take it for its own
		if c, err := Dial(path); err != nil {
			t.Error(err)
		} else {
			_ = c.Close()
		}
		_ = again.Close()
	}
	left, _ := os.ReadDir(filepath.Dir(path))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The old process's end does not take the name from its successor.
func TestDoorLeavesTheSuccessorsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	_ = second.Close()
}

// A listening socket that is passed serves those who came before and those who come after the old process let go.
func TestListenerIsPassed(t *testing.T) {
	old, successor, _ := meet(t)
	ns := Namespace{1, 2}
	mine, its := NewListeners(), NewListeners()
	l, err := mine.In(Pod{}, ns, socket.New(socket.Config{})).Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	early, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = early.Close() }()
	err = mine.Each(func(*Listener) bool { return true }, func(o Open) error { return send(old, o) })
	if err != nil {
		t.Fatal(err)
	}
	m, fds, err := successor.Receive(soon)
	if err != nil {
		t.Fatal(err)
	}
	passed, err := socket.AdoptListener(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	its.Hand(m.Listener.Pod, m.Listener.Namespace, passed)
	_ = l.Close()
	network := its.In(Pod{}, ns, refusing{})
	got, err := network.Listen(t.Context(), m.Listener.Address, socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Close() }()
	late, err := net.Dial("tcp", got.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = late.Close() }()
	for range 2 {
		a, err := got.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Conn.Close()
	}
	if _, err := network.Listen(t.Context(), m.Listener.Address, socket.ListenOptions{}); !errors.Is(err, errRefusing) {
		t.Errorf("a second time: %v", err)
	}
	if n, _ := its.CloseRest(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// A socket for datagrams that is passed has those that nobody has read yet; it is the same socket that takes the next ones.
func TestPacketListenerIsPassed(t *testing.T) {
	old, successor, _ := meet(t)
	ns, pod := Namespace{1, 2}, Pod{UID: "u"}
	mine, its := NewListeners(), NewListeners()
	bound, err := mine.In(pod, ns, socket.New(socket.Config{})).(socket.PacketNetwork).
		ListenPacket(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("udp", bound.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if _, err := client.Write([]byte("early")); err != nil {
		t.Fatal(err)
	}
	if err := mine.Each(func(l *Listener) bool { return l.Packets }, func(o Open) error { return send(old, o) }); err != nil {
		t.Fatal(err)
	}
	_ = bound.Close()
	m, fds, err := successor.Receive(soon)
	if err != nil {
		t.Fatal(err)
	}
	passed, err := socket.AdoptPacketListener(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	its.Hand(m.Listener.Pod, m.Listener.Namespace, passed)
	other := its.In(Pod{UID: "other"}, ns, socket.New(socket.Config{})).(socket.PacketNetwork)
	if foreign, err := other.ListenPacket(t.Context(), m.Listener.Address, socket.ListenOptions{}); err == nil {
		t.Error("another pod has got it")
		_ = foreign.Close()
	}
	its.Hand(m.Listener.Pod, Namespace{3, 4}, mustListenPacket(t))
	got, err := its.In(pod, ns, socket.New(socket.Config{})).(socket.PacketNetwork).ListenPacket(t.Context(), m.Listener.Address, socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Close() }()
	if _, err := client.Write([]byte("later")); err != nil {
		t.Fatal(err)
	}
	expectPackets(t, got, "early", "later")
	if n, pods := its.CloseRest(); n != 1 || len(pods) != 1 || pods[0] != "u" {
		t.Errorf("%d are left, of %q, want the one in another namespace", n, pods)
	}
}

func mustListenPacket(t *testing.T) socket.PacketListener {
	t.Helper()
	p, err := socket.New(socket.Config{}).(socket.PacketNetwork).ListenPacket(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// expectPackets reads datagrams, one after the other.
func expectPackets(t *testing.T, from socket.PacketListener, want ...string) {
	t.Helper()
	reader, batch, buf := from.Reader(), socket.NewBatch(1), make([]byte, 16)
	for _, text := range want {
		batch.Clear()
		batch.AddRoom(buf)
		_, err := reader.Read(func() *socket.Batch { return batch }, func(*socket.Batch) {})
		if err != nil {
			t.Fatal(err)
		}
		if size, _ := batch.Read(0); string(buf[:size]) != text {
			t.Errorf("read %q, want %q", buf[:size], text)
		}
	}
}

// send passes an open socket.
func send(to *Conn, o Open) error {
	fd, err := socket.Duplicate(o.End())
	if err != nil {
		return err
	}
	defer CloseAll([]int{fd})
	return to.Send(&Message{Listener: o.Tell()}, soon, fd)
}

var errRefusing = errors.New("refused")

// refusing is a network that opens nothing.
type refusing struct{ socket.Network }

func (refusing) Listen(context.Context, netip.AddrPort, socket.ListenOptions) (socket.Listener, error) {
	return nil, errRefusing
}

// A leg arrives with its sockets, what it held and what it counted; the old process's descriptors are its own to close.
func TestLegIsPassed(t *testing.T) {
	before := descriptors(t)
	t.Run("", func(t *testing.T) {
		old, successor, _ := meet(t)
		client, downstream := tcpPair(t)
		upstream, server := tcpPair(t)
		leg := plainLeg()
		leg.At.ToDownstream.Bytes = bytes.Repeat([]byte("held"), messages.MaxHeld/4)
		done := make(chan error, 1)
		go func() {
			done <- old.Pass(7, "pod", &messages.LegOffered{Leg: leg, Downstream: downstream, Upstream: upstream})
		}()
		m, fds, err := successor.Receive(soon)
		if err != nil {
			t.Fatal(err)
		}
		a, err := Take(m.Leg, fds)
		if err != nil {
			t.Fatal(err)
		}
		if err := successor.Send(&Message{Answer: &Answer{ID: m.Leg.ID}}, soon); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		_, _ = downstream.Close(), upstream.Close()
		if !bytes.Equal(a.Leg.At.ToDownstream.Bytes, leg.At.ToDownstream.Bytes) || !a.Leg.At.ToUpstream.Ended || a.Leg.Sent != leg.Sent {
			t.Errorf("it came with %d bytes, %+v", len(a.Leg.At.ToDownstream.Bytes), a.Leg.Sent)
		}
		for _, way := range []struct{ from, to net.Conn }{{client, a.Downstream}, {a.Upstream, server}} {
			if _, err := way.from.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(way.to, make([]byte, 1)); err != nil {
				t.Error(err)
			}
		}
		a.Undeliver()
	})
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestLegIsRefused(t *testing.T) {
	old, successor, _ := meet(t)
	_, downstream := tcpPair(t)
	upstream, _ := tcpPair(t)
	offer := &messages.LegOffered{Leg: plainLeg(), Downstream: downstream, Upstream: upstream}
	for name, answer := range map[string]*Message{
		"refused":      {Answer: &Answer{ID: 1, Why: "no room"}},
		"another leg":  {Answer: &Answer{ID: 2}},
		"not answered": {Serving: &Serving{}},
	} {
		if err := successor.Send(answer, soon); err != nil {
			t.Fatal(err)
		}
		if err := old.Pass(1, "pod", offer); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, fds, err := successor.Receive(soon); err != nil {
			t.Fatal(err)
		} else {
			CloseAll(fds)
		}
	}
	_ = successor.Close()
	if err := old.Pass(1, "pod", offer); err == nil {
		t.Error("taken by nobody")
	}
	if _, err := downstream.Write([]byte("x")); err != nil {
		t.Errorf("the leg is not ours any more: %v", err)
	}
}
