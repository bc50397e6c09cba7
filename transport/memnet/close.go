package memnet

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// CloseWrite implements socket.Conn.
func (c *conn) CloseWrite() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	switch {
	case c.closed:
		return c.opError("close", net.ErrClosed)
	case c.wasReset():
		return c.opError("close", os.NewSyscallError("shutdown", syscall.ENOTCONN))
	case c.out.ended:
		return nil
	}
	c.out.sendEnd(c.link)
	c.changed.notify()
	c.other.changed.notify()
	return nil
}

// Close implements net.Conn. Bytes that arrived and were not read make it a reset, as with the kernel; bytes that
// are still under way are answered with one.
func (c *conn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	switch {
	case c.wasReset():
	case c.readable():
		c.other.resetBy(later(c.out.last, time.Now().Add(c.delay())))
	default:
		if !c.out.ended {
			c.out.sendEnd(c.link)
		}
		if len(c.in.segments) > 0 {
			c.other.resetBy(c.in.segments[0].due.Add(c.delay()))
		}
	}
	c.release()
	return nil
}

// Abort implements socket.Conn.
func (c *conn) Abort() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.abort()
	return nil
}

func (c *conn) abort() {
	if !c.wasReset() {
		c.out.dropUnsent(c.link)
		due := time.Now().Add(c.delay())
		if c.net.options.Skew != nil {
			due = later(due, c.out.last) // it overtakes nothing
		}
		c.other.resetBy(due)
	}
	c.release()
}

// delay is how long what this end sends is under way.
func (c *conn) delay() time.Duration { return c.link.Latency + c.out.skew() }

// release gives up what this end holds, and the connection when both ends are closed.
func (c *conn) release() {
	c.closed = true
	c.in.segments, c.in.size, c.in.credits = nil, 0, nil
	delete(c.host.ports, c.ephemeral)
	if c.other.closed {
		delete(c.net.conns, c)
		delete(c.net.conns, c.other)
	}
	c.changed.notify()
	c.other.changed.notify()
}

// OriginalDst is the destination before redirection; an error if there was none.
func (c *conn) OriginalDst() (netip.AddrPort, error) {
	if !c.original.IsValid() {
		return netip.AddrPort{}, os.NewSyscallError("getsockopt SO_ORIGINAL_DST", syscall.ENOENT)
	}
	return c.original, nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.local) }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.peer) }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error { return c.setDeadlines(&t, &t) }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(&t, nil) }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(nil, &t) }

func (c *conn) setDeadlines(read, write *time.Time) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	if read != nil {
		c.readDeadline = *read
	}
	if write != nil {
		c.writeDeadline = *write
	}
	c.changed.notify()
	return nil
}
