// Package thin is two proxies of transport/hbone and transport/relay and as little else as can be: no actors, no policy,
// no log, no metrics. Against v1 it says what the data path is worth, and against it the product says what its actors
// cost.
package thin

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"

	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/relay"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// streamsPerConn is how many tunnels share a connection, as the product's pool has it.
const streamsPerConn = 100

// Client is the client's side.
type Client struct {
	// Entry says where an accepted connection wants to go, as host:port, having read only what it must.
	Entry func(net.Conn) (authority string, err error)
	// Peer is where the server's side listens.
	Peer netip.AddrPort
	// TLS is the client's configuration of mutual TLS.
	TLS *tls.Config

	network socket.Network
	mu      sync.Mutex
	pool    []*pooled
}

// pooled is a connection and how many streams were given out on it and not given back.
type pooled struct {
	*hbone.Client
	streams int
}

// Serve accepts connections at address until accepting fails.
func (c *Client) Serve(address netip.AddrPort, ready func()) error {
	c.network = socket.New(socket.Config{})
	listener, err := c.network.Listen(context.Background(), address, socket.ListenOptions{Transparent: socket.TransparentOff})
	if err != nil {
		return err
	}
	ready()
	for {
		accepted, err := listener.Accept()
		if err != nil {
			return err
		}
		go c.carry(accepted.Conn)
	}
}

func (c *Client) carry(app socket.Conn) {
	authority, err := c.Entry(app)
	if err != nil {
		_ = app.Close()
		return
	}
	conn, err := c.take()
	if err != nil {
		_ = app.Abort()
		return
	}
	defer c.release(conn)
	stream, response, err := conn.Open(context.Background(), authority, nil)
	if err != nil || response.Status != 200 {
		_ = app.Abort()
		return
	}
	relay.Tunnel(app, stream, relay.SideDownstream, new(relay.Counters))
}

// take returns a connection with room for a stream. One dials at a time.
func (c *Client) take() (*pooled, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	alive := c.pool[:0]
	var free *pooled
	for _, p := range c.pool {
		if !p.Usable() {
			continue
		}
		alive = append(alive, p)
		if free == nil && p.streams < streamsPerConn {
			free = p
		}
	}
	c.pool = alive
	if free == nil {
		made, err := c.dial()
		if err != nil {
			return nil, err
		}
		free = &pooled{Client: made}
		c.pool = append(c.pool, free)
	}
	free.streams++
	return free, nil
}

func (c *Client) release(p *pooled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.streams--
}

func (c *Client) dial() (*hbone.Client, error) {
	raw, err := c.network.Dial(context.Background(), c.Peer, socket.DialOptions{})
	if err != nil {
		return nil, err
	}
	secure := tls.Client(hbone.Coalesce(raw), c.TLS)
	if err := secure.HandshakeContext(context.Background()); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return hbone.NewClient(secure, hbone.ClientDefaults())
}
