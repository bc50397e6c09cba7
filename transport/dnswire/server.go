package dnswire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// The bounds of a server.
const (
	// packetSize is the longest query that is read over UDP; what is longer is cut and can't be read.
	packetSize = 4096
	// maxKept bounds the buffers that are used again.
	maxKept = 8192
	// maxConns bounds the TCP connections of a listener.
	maxConns = 128
	// idleLimit is how long a TCP connection may take for a whole query, and for taking an answer (spec/control.md §6.1).
	idleLimit = 5 * time.Second
	// answerLimit is how long the answer to a query over TCP may take; whoever answers has shorter limits of its own.
	answerLimit = 30 * time.Second
)

// Counters count what a server does not answer as usual.
type Counters struct {
	// Ignored counts messages that are no questions, Malformed those that can't be read or that ask for something else
	// than one query, Refused the connections beyond the bound, NotSent the answers that did not get out. Mismatched is for
	// UpstreamConfig.
	Ignored, Malformed, Refused, NotSent, Mismatched atomic.Uint64
}

// Server serves the sockets of any number of pods.
type Server struct {
	// Counters are required.
	Counters *Counters

	requests sync.Pool
}

// Handler takes requests. It is called on the goroutine that reads and must not block.
type Handler func(*Request)

func (s *Server) take() *Request {
	r, ok := s.requests.Get().(*Request)
	if !ok {
		r = &Request{packet: make([]byte, packetSize), out: make([]byte, 0, packetSize)}
	}
	return r
}

func (s *Server) release(r *Request) {
	*r = Request{packet: r.packet[:packetSize], out: r.out[:0]}
	s.requests.Put(r)
}

// ServeUDP reads until reading ends, then waits for the answers that are due, and closes l. warn is told of errors.
func (s *Server) ServeUDP(l socket.PacketListener, handle Handler, warn func(error)) {
	var open sync.WaitGroup
	defer func() {
		open.Wait()
		_ = l.Close() // a second time it only says so
	}()
	reader := l.Reader()
	var r *Request
	take := func() []byte {
		r = s.take()
		return r.packet
	}
	give := func([]byte) { s.release(r) }
	var backoff socket.Backoff
	for {
		n, from, err := reader.Read(take, give)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			warn(err)
			_ = backoff.Wait(context.Background(), err)
			continue
		}
		backoff.Reset()
		open.Add(1)
		r.server, r.packets, r.open, r.UDP, r.Peer, r.At = s, l, &open, true, from, time.Now()
		r.packet = r.packet[:n]
		if !canReply(from) {
			s.Counters.Ignored.Add(1)
			s.release(r)
			open.Done()
			continue
		}
		s.handle(r, handle)
	}
}

// canReply reports whether an answer can go to whoever claims to have asked.
func canReply(from netip.AddrPort) bool {
	a := from.Addr()
	return from.Port() != 0 && a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// handle reads a query and hands it over, or answers it itself where it is no question.
func (s *Server) handle(r *Request, handle Handler) {
	switch v := ParseQuery(r.packet, &r.Query); v {
	case VerdictAnswer:
		handle(r)
	case VerdictIgnore:
		s.Counters.Ignored.Add(1)
		r.ignore()
	default:
		s.Counters.Malformed.Add(1)
		r.Fail(v.Rcode())
	}
}

// ignore ends a request without an answer.
func (r *Request) ignore() {
	r.over = true
	if !r.UDP {
		r.sent <- nil
		return
	}
	open := r.open
	r.server.release(r)
	open.Done()
}
