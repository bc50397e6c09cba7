package memnet

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// arrival is a connection that waits to be accepted.
type arrival struct {
	conn *conn
	due  time.Time
}

// listener implements socket.Listener.
type listener struct {
	host        *Host
	addr        netip.AddrPort
	shared      bool
	transparent bool
	closed      bool
	taken       int // connections so far
	queue       []arrival
	changed     signal
}

// overlaps says whether a listener for addr would take some of the same connections.
func (l *listener) overlaps(addr netip.AddrPort) bool {
	if l.addr.Port() != addr.Port() {
		return false
	}
	a, b := l.addr.Addr(), addr.Addr()
	return a == b || covers(a, b) || covers(b, a)
}

// matches says whether l takes connections to addr.
func (l *listener) matches(addr netip.AddrPort) bool {
	return l.addr.Port() == addr.Port() && (l.addr.Addr() == addr.Addr() || covers(l.addr.Addr(), addr.Addr()))
}

// covers says whether a is a wildcard that includes b; the IPv6 one is dual-stack.
func covers(a, b netip.Addr) bool { return a.IsUnspecified() && (a.Is6() || b.Is4()) }

// Accept implements socket.Listener.
func (l *listener) Accept() (socket.Accepted, error) {
	n := l.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		var until time.Time
		switch {
		case l.closed:
			return socket.Accepted{}, &net.OpError{
				Op: "accept", Net: "tcp", Addr: net.TCPAddrFromAddrPort(l.addr), Err: net.ErrClosed,
			}
		case len(l.queue) == 0:
		case !l.queue[0].due.After(time.Now()):
			c := l.queue[0].conn
			l.queue = l.queue[1:]
			n.changed.notify() // a dial may wait for room
			return socket.Accepted{Conn: c, Peer: c.peer, Local: c.local}, nil
		default:
			until = l.queue[0].due
		}
		n.wait(context.Background(), &l.changed, until)
	}
}

// Addr implements socket.Listener.
func (l *listener) Addr() netip.AddrPort { return l.addr }

// Transparent implements socket.Listener.
func (l *listener) Transparent() bool { return l.transparent }

// Close implements socket.Listener. Connections that nobody accepted are reset.
func (l *listener) Close() error {
	n := l.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.closed = true
	l.host.listeners = slices.DeleteFunc(l.host.listeners, func(o *listener) bool { return o == l })
	for _, a := range l.queue {
		a.conn.abort()
	}
	l.queue = nil
	l.changed.notify()
	n.changed.notify()
	return nil
}
