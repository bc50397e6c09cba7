package hbone

import (
	"errors"
	"net"

	"golang.org/x/net/http2"
)

// Client is the opening end of a tunnel. Its methods may be called from anywhere.
type Client struct{ c *conn }

// NewClient takes conn over, whose TLS handshake must be complete. The preface and SETTINGS leave with the first
// CONNECT, which waits for nothing from the peer. The client's two goroutines end with the connection.
func NewClient(conn net.Conn, s Settings) (*Client, error) {
	c, err := newConn(conn, s.or(ClientDefaults()), false)
	if err != nil {
		return nil, err
	}
	go c.run()
	return &Client{c}, nil
}

// Usable says whether Open can still succeed: false after a GOAWAY, an error, CloseWhenIdle, or the last stream id.
func (cl *Client) Usable() bool {
	c := cl.c
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unusable() == nil
}

// ActiveStreams is how many streams are open or being opened.
func (cl *Client) ActiveStreams() int {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return len(cl.c.streams)
}

// Done is closed when the connection has ended and its goroutines too.
func (cl *Client) Done() <-chan struct{} { return cl.c.done }

// Err is why the connection ended; nil while it lives and after a clean end.
func (cl *Client) Err() error { return cl.c.ending() }

// CloseWhenIdle takes the connection out of use: it ends with GOAWAY(NO_ERROR) when its last stream has ended.
func (cl *Client) CloseWhenIdle() {
	c := cl.c
	c.mu.Lock()
	c.goAway.closing = true
	c.checkIdle()
	c.mu.Unlock()
	c.drain()
}

// Abort cuts all streams at once and ends the connection. Readers and writers of the streams get err, or ErrClosed
// if it is nil.
func (cl *Client) Abort(err error) { cl.c.abort(err) }

func (c *conn) abort(err error) {
	if err == nil {
		err = ErrClosed
	}
	c.conclude(&ConnError{Code: http2.ErrCodeNo, Cause: err})
}

// ending is the connection's error, nil if its end was clean.
func (c *conn) ending() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.err, ErrClosed) {
		return nil
	}
	return c.err
}
