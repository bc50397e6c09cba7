package istiod

import (
	"net"
	"sync"
)

// gate is a listener that can make its connections half-open: they stay, and nothing goes through them any more.
type gate struct {
	net.Listener
	mu    sync.Mutex
	shut  chan struct{} // closed while the gate is open
	conns map[*gated]struct{}
	// accepted counts the connections.
	accepted int
}

func newGate(l net.Listener) *gate {
	g := &gate{Listener: l, shut: make(chan struct{}), conns: map[*gated]struct{}{}}
	close(g.shut)
	return g
}

// Accept wraps what it accepts.
func (g *gate) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &gated{Conn: c, gate: g, closed: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[w] = struct{}{}
	g.accepted++
	return w, nil
}

// stall lets nothing through, in either direction, until it is called with false.
func (g *gate) stall(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.shut:
		if on {
			g.shut = make(chan struct{})
		}
	default:
		if !on {
			close(g.shut)
		}
	}
}

// cut resets every connection.
func (g *gate) cut() {
	g.mu.Lock()
	conns := make([]*gated, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	g.mu.Unlock()
	for _, c := range conns {
		if t, ok := c.Conn.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		_ = c.Close()
	}
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.accepted
}

// gated is a connection that waits while its gate is shut.
type gated struct {
	net.Conn
	gate   *gate
	once   sync.Once
	closed chan struct{}
}

func (c *gated) wait() error {
	c.gate.mu.Lock()
	shut := c.gate.shut
	c.gate.mu.Unlock()
	select {
	case <-shut:
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

// Read holds back what has come while the gate is shut.
func (c *gated) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if shut := c.wait(); shut != nil {
		return 0, shut
	}
	return n, err
}

// Write waits for the gate.
func (c *gated) Write(b []byte) (int, error) {
	if err := c.wait(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Close closes the connection, shut or not.
func (c *gated) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.gate.mu.Lock()
		defer c.gate.mu.Unlock()
		delete(c.gate.conns, c)
	})
	return c.Conn.Close()
}
