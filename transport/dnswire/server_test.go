package dnswire

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/transport/memnet"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// echo answers every question with an address, when it is let.
type echo struct {
	server *Server
	hold   chan struct{} // closed, or nil, lets
	asked  chan struct{} // told of each that is held
}

func (e *echo) handle(a *Asked) {
	r := a.Take()
	answer := func() {
		out, _ := AppendAnswer(r.Room(), &r.Query, Answer{Addrs: addrs("10.0.0.1"), TTL: 30}, r.UDP)
		r.Send(out)
	}
	if e.hold == nil {
		answer()
		return
	}
	go func() {
		e.asked <- struct{}{}
		<-e.hold
		answer()
	}()
}

func newEcho() *echo { return &echo{server: &Server{Counters: &Counters{}}} }

func listenUDP(t *testing.T) socket.PacketListener {
	t.Helper()
	l, err := socket.New(socket.Config{}).(socket.PacketNetwork).ListenPacket(context.Background(), netip.MustParseAddrPort("127.0.0.1:0"), socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dialUDP(t *testing.T, to netip.AddrPort) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func TestServeUDP(t *testing.T) {
	e, l := newEcho(), listenUDP(t)
	var served sync.WaitGroup
	served.Go(func() { e.server.ServeUDP(l, e.handle, func(err error) { t.Error(err) }) })
	c := dialUDP(t, l.Addr())
	buffer := make([]byte, 4096)
	for _, packet := range [][]byte{{1, 2, 3}, ask(t, "a.", dns.TypeA)[:14], ask(t, "CaRt.shop.", dns.TypeA)} {
		if _, err := c.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	n, err := c.Read(buffer)
	if err != nil || unpack(t, buffer[:n]).Rcode != dns.RcodeFormatError {
		t.Fatalf("read %x, %v; want FORMERR", buffer[:n], err)
	}
	if n, err = c.Read(buffer); err != nil || len(unpack(t, buffer[:n]).Answer) != 1 {
		t.Fatalf("read %x, %v; want an answer", buffer[:n], err)
	}
	if i, m := e.server.Counters.Ignored.Load(), e.server.Counters.Malformed.Load(); i != 1 || m != 1 {
		t.Errorf("%d ignored, %d malformed", i, m)
	}
	_ = l.EndReading()
	served.Wait()
	one := socket.NewBatch(1)
	one.Add([]byte("x"), l.Addr())
	if _, err := l.TrySend(one); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the socket is still open: %v", err)
	}
}

// TestAQuestionIsAnsweredOnce hands each question over several times, answers it again and fails it, all in vain.
func TestAQuestionIsAnsweredOnce(t *testing.T) {
	e, l := newEcho(), listenUDP(t)
	var late []*Request
	handle := func(a *Asked) {
		again := *a
		r := a.Take()
		for range 3 {
			out, _ := AppendAnswer(r.Room(), &r.Query, Answer{Addrs: addrs("10.0.0.1"), TTL: 30}, r.UDP)
			r.Send(out)
			if again.Take() != nil {
				t.Error("taken twice")
			}
			again.Undeliver()
			r.Fail(dns.RcodeRefused)
		}
		late = append(late, r)
		for _, old := range late {
			old.Send([]byte("late"))
		}
	}
	var served sync.WaitGroup
	served.Go(func() { e.server.ServeUDP(l, handle, func(err error) { t.Error(err) }) })
	c := dialUDP(t, l.Addr())
	buffer := make([]byte, 4096)
	for range 100 {
		if _, err := c.Write(ask(t, "a.", dns.TypeA)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(buffer); err != nil || len(unpack(t, buffer[:n]).Answer) != 1 {
			t.Fatalf("read %x, %v", buffer[:n], err)
		}
	}
	_ = l.EndReading()
	served.Wait()
	if n := e.server.Counters.Repeated.Load(); n != 300 {
		t.Errorf("%d repeated questions counted", n)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := c.Read(buffer); err == nil {
		t.Errorf("one more answer: %x", buffer[:n])
	}
}

// TestBurst asks many questions at once, of which some are answered later, by others.
func TestBurst(t *testing.T) {
	e, l := newEcho(), listenUDP(t)
	var later sync.WaitGroup
	handle := func(a *Asked) {
		if r := a.Take(); r.ID%3 == 0 {
			later.Go(func() { r.Fail(dns.RcodeRefused) })
		} else {
			r.Fail(dns.RcodeNameError)
		}
	}
	var served sync.WaitGroup
	served.Go(func() { e.server.ServeUDP(l, handle, func(err error) { t.Error(err) }) })
	c := dialUDP(t, l.Addr())
	const burst = 3*maxBatch + 5
	seen := map[uint16]int{}
	buffer := make([]byte, 4096)
	for range 20 {
		for id := range uint16(burst) {
			packet := ask(t, "a.", dns.TypeA, func(m *dns.Msg) { m.Id = id })
			if _, err := c.Write(packet); err != nil {
				t.Fatal(err)
			}
		}
		for range burst {
			n, err := c.Read(buffer)
			if err != nil {
				t.Fatalf("after %d answers: %v", len(seen), err)
			}
			m := unpack(t, buffer[:n])
			want := dns.RcodeNameError
			if m.Id%3 == 0 {
				want = dns.RcodeRefused
			}
			if m.Rcode != want {
				t.Fatalf("answered %s", m)
			}
			seen[m.Id]++
		}
	}
	for id, n := range seen {
		if n != 20 || id >= burst {
			t.Errorf("question %d is answered %d times", id, n)
		}
	}
	_ = l.EndReading()
	served.Wait()
	later.Wait()
}

func TestUDPAnswersAreWaitedFor(t *testing.T) {
	e, l := newEcho(), listenUDP(t)
	e.hold, e.asked = make(chan struct{}), make(chan struct{}, 2)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.server.ServeUDP(l, func(a *Asked) { e.handle(a); _ = l.EndReading() }, func(err error) { t.Error(err) })
	}()
	c := dialUDP(t, l.Addr())
	if _, err := c.Write(ask(t, "a.", dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		t.Fatal("ended with a question that was not answered")
	case <-time.After(50 * time.Millisecond):
	}
	close(e.hold)
	if n, err := c.Read(make([]byte, 512)); err != nil || n == 0 {
		t.Errorf("read %d bytes, %v", n, err)
	}
	<-ended
}

// stream starts a server on a network in memory and returns its listener and a way to connect to it.
func stream(t *testing.T, e *echo) (l socket.Listener, dial func() net.Conn, ended chan struct{}) {
	t.Helper()
	host := memnet.New(memnet.Options{}).AddHost(netip.MustParseAddr("10.0.0.1"))
	l, err := host.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:53"), socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		e.server.ServeTCP(l, e.handle, func(err error) { t.Error(err) })
	}()
	return l, func() net.Conn {
		c, err := host.Dial(t.Context(), l.Addr(), socket.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}, ended
}

func frame(packet []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
}

func TestServeTCP(t *testing.T) {
	e := newEcho()
	l, dial, ended := stream(t, e)
	c := dial()
	var all []byte
	for _, name := range []string{"a.", "b.", "c."} { // in one go
		all = append(all, frame(ask(t, name, dns.TypeA))...)
	}
	all = append(all, frame([]byte{1, 2})...) // no answer to it, and the next one all the same
	all = append(all, frame(ask(t, "d.", dns.TypeA))...)
	if _, err := c.Write(all); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.", "b.", "c.", "d."} {
		packet, err := readFrame(c)
		if err != nil {
			t.Fatal(err)
		}
		if m := unpack(t, packet); m.Question[0].Name != name || len(m.Answer) != 1 {
			t.Errorf("answered %s, want %s", m, name)
		}
	}
	_ = l.Close()
	<-ended
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection ends with %v", err)
	}
	_ = c.Close()
}

func TestStreamsEndAfterTheirAnswer(t *testing.T) {
	e := newEcho()
	e.hold, e.asked = make(chan struct{}), make(chan struct{}, 2)
	l, dial, ended := stream(t, e)
	c := dial()
	defer func() { _ = c.Close() }()
	if _, err := c.Write(frame(ask(t, "a.", dns.TypeA))); err != nil {
		t.Fatal(err)
	}
	idle := dial()
	defer func() { _ = idle.Close() }()
	if _, err := idle.Write(frame(ask(t, "b.", dns.TypeA))); err != nil {
		t.Fatal(err)
	}
	<-e.asked
	<-e.asked
	_ = l.Close()
	select {
	case <-ended:
		t.Fatal("ended with a question that was not answered")
	case <-time.After(20 * time.Millisecond):
	}
	close(e.hold)
	if packet, err := readFrame(c); err != nil || len(unpack(t, packet).Answer) != 1 {
		t.Errorf("read %x, %v", packet, err)
	}
	<-ended
}

func TestStreamsAreBounded(t *testing.T) {
	e := newEcho()
	l, dial, ended := stream(t, e)
	for range maxConns + 3 {
		c := dial()
		defer func() { _ = c.Close() }()
	}
	for deadline := time.Now().Add(10 * time.Second); e.server.Counters.Refused.Load() < 3 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) //nolint:forbidigo // the server has no other sign
	}
	if n := e.server.Counters.Refused.Load(); n != 3 {
		t.Errorf("%d connections refused, want 3", n)
	}
	_ = l.Close()
	<-ended
}

func TestReadFrame(t *testing.T) {
	for _, test := range []struct {
		name string
		sent []byte
		want int
		err  error
	}{
		{"nothing", nil, 0, io.EOF},
		{"half a length", []byte{0}, 0, io.ErrUnexpectedEOF},
		{"no length", []byte{0, 0}, 0, errEmptyFrame},
		{"cut", []byte{0, 5, 1}, 0, io.ErrUnexpectedEOF},
		{"claims much", []byte{255, 255, 1}, 0, io.ErrUnexpectedEOF},
		{"whole", []byte{0, 1, 9}, 1, nil},
		{"the longest", frame(make([]byte, MaxMessage)), MaxMessage, nil},
	} {
		packet, err := readFrame(&reader{test.sent})
		if len(packet) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %d bytes, %v", test.name, len(packet), err)
		}
	}
}

// reader gives what it has.
type reader struct{ left []byte }

func (r *reader) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}
