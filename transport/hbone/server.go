package hbone

import (
	"errors"
	"io"
	"net"

	"golang.org/x/net/http2"
)

// Server is the accepting end of a tunnel. Its methods may be called from anywhere.
type Server struct {
	c   *conn
	err error // of taking the connection over
}

// NewServer takes conn over, whose TLS handshake must be complete when Serve is called. handle gets every request
// that is well-formed, whatever its method, on the connection's reader: it must not block.
func NewServer(conn net.Conn, s Settings, handle func(*ServerStream)) *Server {
	c, err := newConn(conn, s.or(ServerDefaults()), true)
	if err != nil {
		return &Server{err: err}
	}
	c.handle = handle
	return &Server{c: c}
}

// Serve runs the connection until it ends. It returns nil after a clean end: the client's, a drain, or an Abort.
func (sv *Server) Serve() error {
	if sv.err != nil {
		return sv.err
	}
	sv.c.run()
	err := sv.c.ending()
	var ce *ConnError
	if errors.Is(err, io.EOF) || errors.As(err, &ce) && ce.Code == http2.ErrCodeNo && !errors.Is(err, ErrPingTimeout) {
		return nil
	}
	return err
}

// Drain ends the connection when its streams have ended: the client is told to open no new ones, those that it has
// opened meanwhile included. It returns at once.
func (sv *Server) Drain() {
	if sv.c != nil {
		sv.c.drainGracefully()
	}
}

// Abort sends GOAWAY(NO_ERROR), cuts all streams and ends the connection. Streams get err, or ErrClosed if it is nil.
func (sv *Server) Abort(err error) {
	if sv.c != nil {
		sv.c.abort(err)
	}
}

// ActiveStreams is how many streams are open.
func (sv *Server) ActiveStreams() int {
	if sv.c == nil {
		return 0
	}
	sv.c.mu.Lock()
	defer sv.c.mu.Unlock()
	return len(sv.c.streams)
}

// peerRequest is a request. c.mu is held and gets released.
func (c *conn) peerRequest(b *headerBlock) error {
	r, err := c.accept(b)
	c.mu.Unlock()
	if r != nil {
		if b.endStream {
			r.s.endReceiving(io.EOF)
		}
		c.handle(r)
	}
	return err
}

// accept checks a request and makes it a stream. It returns nil if the request was refused or is ignored.
func (c *conn) accept(b *headerBlock) (*ServerStream, error) {
	id := b.streamID
	switch {
	case id%2 == 0:
		return nil, connErrorf(http2.ErrCodeProtocol, "HEADERS for stream %d, which a client can't open", id)
	case id <= c.lastPeer:
		if c.forgot.has(id) {
			return nil, nil
		}
		return nil, connErrorf(http2.ErrCodeStreamClosed, "HEADERS for closed stream %d", id)
	case id > c.goAway.last: // after the last GOAWAY: the client knows that it was not processed
		return nil, nil
	}
	c.lastPeer = id
	fault := b.checkRequest()
	switch {
	case uint32(len(c.streams)) >= c.set.MaxConcurrentStreams:
		c.set.Stats.StreamsRefused.Add(1)
		return nil, c.turnAway(id, http2.ErrCodeRefusedStream)
	case b.tooLarge:
		s := c.newStream(id)
		s.recvDone = b.endStream
		s.refuse(431, nil)
		return nil, c.abuse.mistake(c)
	case fault != "":
		c.set.Stats.MalformedStreams.Add(1)
		return nil, c.turnAway(id, http2.ErrCodeProtocol)
	}
	s := c.newStream(id)
	s.recvDone = b.endStream
	r := &ServerStream{Method: b.pseudo.method, Authority: b.pseudo.authority, Headers: b.headers, s: s}
	s.request = r
	return r, nil
}

// turnAway resets a stream that never was one. c.mu is held.
func (c *conn) turnAway(id uint32, code http2.ErrCode) error {
	c.forgot.add(id)
	if err := c.abuse.mistake(c); err != nil {
		return err
	}
	return c.provoke(appendRST(nil, id, code))
}
