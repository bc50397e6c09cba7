package bubble

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/proxy"

	"github.com/troupe-mesh/troupe/transport/memnet"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// patience bounds what an application waits for, in virtual time.
const patience = 2 * time.Minute

// App is an application that listens.
type App struct {
	listener socket.Listener
	wait     sync.WaitGroup

	mu    sync.Mutex
	conns map[socket.Conn]struct{}
	peers []netip.AddrPort
}

// Serve starts an application on a host that serves every connection with serve, and closes it afterwards.
func (w *World) Serve(h *memnet.Host, addr string, serve func(socket.Conn)) *App {
	w.tb.Helper()
	l, err := h.Listen(context.Background(), netip.MustParseAddrPort(addr), socket.ListenOptions{})
	if err != nil {
		w.tb.Fatal(err)
	}
	a := &App{listener: l, conns: map[socket.Conn]struct{}{}}
	w.apps = append(w.apps, a)
	a.wait.Go(func() { a.accept(serve) })
	return a
}

// Echo starts an application on the node's host that sends back what it gets, and ends when its client does.
func (n *Node) Echo(addr string) *App {
	n.w.tb.Helper()
	return n.w.Serve(n.Host, addr, Echo)
}

// Echo serves a connection by sending back what comes.
func Echo(c socket.Conn) {
	if _, err := io.Copy(c, c); err == nil {
		_ = c.CloseWrite() // the client may have left
	}
}

func (a *App) accept(serve func(socket.Conn)) {
	for {
		accepted, err := a.listener.Accept()
		if err != nil {
			return
		}
		a.mu.Lock()
		a.conns[accepted.Conn] = struct{}{}
		a.peers = append(a.peers, accepted.Peer)
		a.mu.Unlock()
		a.wait.Go(func() {
			serve(accepted.Conn)
			_ = accepted.Conn.Close() // Close may have done so
			a.mu.Lock()
			defer a.mu.Unlock()
			delete(a.conns, accepted.Conn)
		})
	}
}

// Peers are who has connected so far.
func (a *App) Peers() []netip.AddrPort {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]netip.AddrPort(nil), a.peers...)
}

// Close ends the application and its connections.
func (a *App) Close() {
	_ = a.listener.Close() // it may be closed already
	a.mu.Lock()
	for c := range a.conns {
		_ = c.Close()
	}
	a.mu.Unlock()
	a.wait.Wait()
}

// Conn is a connection of an application, with the test's patience.
type Conn struct {
	socket.Conn
	w *World
}

// Dial opens a connection as the application of the node's workload does: it is captured.
func (n *Node) Dial(addr string) *Conn {
	n.w.tb.Helper()
	return n.w.dial(n.Host.App(), addr)
}

// DialFrom opens a connection from a host of the world that has no node.
func (w *World) DialFrom(host, addr string) *Conn {
	w.tb.Helper()
	return w.dial(w.Host(host).App(), addr)
}

func (w *World) dial(from socket.Network, addr string) *Conn {
	w.tb.Helper()
	c, err := from.Dial(context.Background(), netip.MustParseAddrPort(addr), socket.DialOptions{})
	if err != nil {
		w.tb.Fatal(err)
	}
	return &Conn{Conn: c, w: w}
}

// DialSOCKS opens a connection through the node's SOCKS5 door to "host:port". An error is what the client is told.
func (n *Node) DialSOCKS(addr string) (*Conn, error) {
	n.w.tb.Helper()
	through, err := proxy.SOCKS5("tcp", "127.0.0.1:15080", nil, plainDialer{n.Host})
	if err != nil {
		n.w.tb.Fatal(err)
	}
	c, err := through.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c.(socket.Conn), w: n.w}, c.SetDeadline(time.Time{})
}

// plainDialer is a host as the SOCKS5 client wants it.
type plainDialer struct{ host *memnet.Host }

// Dial opens a connection to an address.
func (d plainDialer) Dial(_, addr string) (net.Conn, error) {
	c, err := d.host.Dial(context.Background(), netip.MustParseAddrPort(addr), socket.DialOptions{})
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(patience))
}

// Say sends text and fails the test when it can't.
func (c *Conn) Say(text string) {
	c.w.tb.Helper()
	_ = c.SetWriteDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		c.w.tb.Errorf("send %q: %v", text, err)
	}
}

// Hear fails the test unless text comes next.
func (c *Conn) Hear(text string) {
	c.w.tb.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != text {
		c.w.tb.Errorf("heard %q, %v; want %q", got[:n], err, text)
	}
}

// HearEnd fails the test unless the connection ends without another byte, well or by a reset.
func (c *Conn) HearEnd() {
	c.w.tb.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	var b [1]byte
	var timeout interface{ Timeout() bool }
	if n, err := c.Read(b[:]); n > 0 || err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		c.w.tb.Errorf("heard %q, %v; want the end", b[:n], err)
	}
}

// Finish ends the connection in good order: our end first, then the other's.
func (c *Conn) Finish() {
	c.w.tb.Helper()
	if err := c.CloseWrite(); err != nil {
		c.w.tb.Errorf("end the sending side: %v", err)
	}
	c.HearEnd()
	_ = c.Close() // it can only say that it is closed
	c.w.Settle()
}

// Exchange opens a connection, says something, hears the same and finishes.
func (n *Node) Exchange(addr, text string) {
	n.w.tb.Helper()
	c := n.Dial(addr)
	c.Say(text)
	c.Hear(text)
	c.Finish()
}

// WantRefused opens a connection and fails the test unless it ends without a byte.
func (n *Node) WantRefused(addr string) {
	n.w.tb.Helper()
	c := n.Dial(addr)
	c.HearEnd()
	_ = c.Close()
	n.w.Settle()
}

// Discard reads until the end.
func Discard(c socket.Conn) { _, _ = io.Copy(io.Discard, c) }

// DialRedirected opens a connection that a rule sends to the node's own door at via, whatever the rules of the world
// say.
func (n *Node) DialRedirected(via, original string) *Conn {
	n.w.tb.Helper()
	c, err := n.Host.DialRedirected(context.Background(), netip.MustParseAddrPort(via), netip.MustParseAddrPort(original))
	if err != nil {
		n.w.tb.Fatal(err)
	}
	return &Conn{Conn: c, w: n.w}
}

// DialLocal opens a connection that nothing redirects.
func (n *Node) DialLocal(addr string) *Conn {
	n.w.tb.Helper()
	return n.w.dial(n.Host, addr)
}
