package dnswire

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// streams are the TCP connections of one listener.
type streams struct {
	server *Server
	handle Handler

	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	closing bool
	all     sync.WaitGroup
}

// ServeTCP accepts until l closes; then it lets the queries that are under way be answered. The queries of one connection
// are answered one after another, in order; further ones may be sent meanwhile. warn is told of errors.
func (s *Server) ServeTCP(l socket.Listener, handle Handler, warn func(error)) {
	all := &streams{server: s, handle: handle, conns: map[net.Conn]struct{}{}}
	defer all.end()
	var backoff socket.Backoff
	for {
		accepted, err := l.Accept()
		if err != nil {
			if backoff.Wait(context.Background(), err) != nil {
				return
			}
			warn(err)
			continue
		}
		backoff.Reset()
		all.start(accepted)
	}
}

func (s *streams) start(a socket.Accepted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= maxConns {
		s.server.Counters.Refused.Add(1)
		_ = a.Conn.Close()
		return
	}
	s.conns[a.Conn] = struct{}{}
	s.all.Go(func() {
		defer s.forget(a.Conn)
		s.serve(a.Conn, a.Peer)
	})
}

func (s *streams) forget(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// end lets no connection wait for further queries, and waits for those under way.
func (s *streams) end() {
	s.mu.Lock()
	s.closing = true
	for c := range s.conns {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
	s.mu.Unlock()
	s.all.Wait()
}

// await gives a connection time for its next query. It is false when there is to be none.
func (s *streams) await(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closing && c.SetReadDeadline(time.Now().Add(idleLimit)) == nil
}

// serve answers the queries of one connection.
func (s *streams) serve(c net.Conn, peer netip.AddrPort) {
	timer := time.NewTimer(answerLimit)
	defer timer.Stop()
	var framed []byte
	for s.await(c) {
		packet, err := readFrame(c)
		if err != nil {
			return
		}
		r := &Request{server: s.server, Peer: peer, At: time.Now(), sent: make(chan []byte, 1)}
		s.server.handle(r, packet, s.handle)
		timer.Reset(answerLimit)
		select {
		case answer := <-r.sent:
			if answer == nil {
				continue
			}
			framed = append(binary.BigEndian.AppendUint16(framed[:0], uint16(len(answer))), answer...)
		case <-timer.C:
			s.server.Counters.NotSent.Add(1)
			return
		}
		if c.SetWriteDeadline(time.Now().Add(idleLimit)) != nil {
			return
		}
		if _, err := c.Write(framed); err != nil {
			s.server.Counters.NotSent.Add(1)
			return
		}
		if cap(framed) > maxKept {
			framed = nil
		}
	}
}

var errEmptyFrame = errors.New("dns: a message of no length")

// readFrame reads one message. It makes room as bytes come, so that a claimed length costs nothing.
func readFrame(c io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(head[:]))
	if size == 0 {
		return nil, errEmptyFrame
	}
	packet := make([]byte, min(size, packetSize))
	if _, err := io.ReadFull(c, packet); err != nil {
		return nil, err
	}
	if size > packetSize {
		rest := make([]byte, size-packetSize)
		if _, err := io.ReadFull(c, rest); err != nil {
			return nil, err
		}
		packet = append(packet, rest...)
	}
	return packet, nil
}
