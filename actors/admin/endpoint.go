package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// maxConnections is how many connections an endpoint serves at once; more are closed at once and counted.
const maxConnections = 128

// Endpoint is one HTTP endpoint with its listeners.
type Endpoint struct {
	name    string
	network socket.Network
	addrs   []netip.AddrPort

	mu    sync.Mutex // guards first
	first []socket.Listener

	open, refused atomic.Int64
}

// Bind opens the listeners of an endpoint. The name is the component of its log lines: admin, stats or readiness. An
// address that can't be bound is an error, and none stays bound then.
func Bind(ctx context.Context, network socket.Network, name string, addrs []netip.AddrPort) (*Endpoint, error) {
	e := &Endpoint{name: name, network: network, addrs: addrs}
	listeners, err := e.listen(ctx)
	if err != nil {
		return nil, err
	}
	e.first = listeners
	return e, nil
}

func (e *Endpoint) listen(ctx context.Context) ([]socket.Listener, error) {
	var all []socket.Listener
	for _, addr := range e.addrs {
		l, err := e.network.Listen(ctx, addr, socket.ListenOptions{Transparent: socket.TransparentOff})
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("bind the %s endpoint to %s (is another proxy running?): %w", e.name, addr, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// Addrs are the addresses bound by Bind; nil once they were taken.
func (e *Endpoint) Addrs() []netip.AddrPort {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []netip.AddrPort
	for _, l := range e.first {
		all = append(all, l.Addr())
	}
	return all
}

// Refused counts the connections closed because there were too many.
func (e *Endpoint) Refused() int64 { return e.refused.Load() }

// take gives up the listeners that Bind made; nil the second time.
func (e *Endpoint) take() []socket.Listener {
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := e.first
	e.first = nil
	return taken
}

// Close closes listeners that nobody took.
func (e *Endpoint) Close() { closeAll(e.take()) }

func closeAll(listeners []socket.Listener) {
	for _, l := range listeners {
		_ = l.Close() // nothing is left to do about it
	}
}

// door makes a socket listener one of net/http. It lives on after failed accepts and keeps the number of connections
// within bounds.
type door struct {
	socket.Listener
	endpoint *Endpoint
	failed   func(error)
	life     context.Context // of the server: its end ends the wait after a failed accept
	backoff  socket.Backoff
}

var _ net.Listener = (*door)(nil)

// Accept waits for the next connection that may come in.
func (d *door) Accept() (net.Conn, error) {
	for {
		a, err := d.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			d.failed(err)
			if d.backoff.Wait(d.life, err) != nil {
				return nil, net.ErrClosed
			}
			continue
		}
		d.backoff.Reset()
		if d.endpoint.open.Add(1) > maxConnections {
			d.endpoint.open.Add(-1)
			d.endpoint.refused.Add(1)
			_ = a.Conn.Close()
			continue
		}
		return &visit{Conn: a.Conn, leave: sync.OnceFunc(func() { d.endpoint.open.Add(-1) })}, nil
	}
}

// Addr is the bound address.
func (d *door) Addr() net.Addr { return net.TCPAddrFromAddrPort(d.Listener.Addr()) }

// visit is a connection that counts until it is closed. It can half-close, which net/http does after a refusal.
type visit struct {
	socket.Conn
	leave func()
}

// Close closes the connection.
func (v *visit) Close() error {
	v.leave()
	return v.Conn.Close()
}
