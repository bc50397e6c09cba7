package memnet

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// conn is one end of a connection. The network's lock guards all that changes.
type conn struct {
	net         *Network
	host        *Host
	link        *link
	local, peer netip.AddrPort
	original    netip.AddrPort // zero: it was not redirected
	serial      uint64
	ephemeral   uint16 // port of host that is free again once this end is closed

	other   *conn
	in, out *stream
	changed signal

	closed                      bool
	reset                       bool // RST was sent to us
	resetDue                    time.Time
	readDeadline, writeDeadline time.Time
}

var _ socket.Conn = (*conn)(nil)

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return c.ReadWith(func() []byte { return p })
}

// ReadWith implements socket.Conn.
func (c *conn) ReadWith(buffer func() []byte) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, c.opError("read", net.ErrClosed)
		case expired(c.readDeadline):
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		case c.readable():
			return c.readInto(buffer)
		case c.in.finished(c.link):
			return 0, io.EOF
		case c.wasReset():
			return 0, c.opError("read", os.NewSyscallError("read", syscall.ECONNRESET))
		}
		until := c.readDeadline
		if !c.link.cut {
			until = earlier(until, c.in.due())
			if c.reset {
				until = earlier(until, c.resetDue)
			}
		}
		c.net.wait(context.Background(), &c.changed, until)
	}
}

// readable says whether bytes have arrived, and before a reset if there was one.
func (c *conn) readable() bool {
	return c.in.readable(c.link) && !(c.reset && c.in.segments[0].due.After(c.resetDue))
}

// readInto asks for the buffer without the lock: it is the caller's code.
func (c *conn) readInto(buffer func() []byte) (int, error) {
	c.net.mu.Unlock()
	p := buffer()
	c.net.mu.Lock()
	if c.closed {
		return 0, c.opError("read", net.ErrClosed)
	}
	n := c.in.read(p, c.link)
	if c.net.options.Skew != nil && n > 0 {
		c.in.credit(time.Now().Add(c.delay()+1), n) // not together with what this end says now
		c.other.changed.notify()
	} else if c.room() {
		c.other.changed.notify()
	}
	return n, nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	written := 0
	for {
		if err := c.writeError(); err != nil {
			return written, err
		}
		written += c.push(p[written:])
		if written == len(p) {
			return written, nil
		}
		c.waitToWrite()
	}
}

// TryWrite implements socket.Conn.
func (c *conn) TryWrite(p []byte) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if err := c.writeError(); err != nil {
		return 0, err
	}
	return c.push(p), nil
}

// WaitWritable implements socket.Conn. As with the kernel there is a low-water mark: a third must be free.
func (c *conn) WaitWritable() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for {
		switch {
		case c.closed:
			return c.opError("write", net.ErrClosed)
		case expired(c.writeDeadline):
			return c.opError("write", os.ErrDeadlineExceeded)
		case c.wasReset(), c.out.ended, c.other.room():
			return nil
		}
		c.waitToWrite()
	}
}

func (c *conn) waitToWrite() {
	until := c.writeDeadline
	if !c.link.cut {
		if c.reset {
			until = earlier(until, c.resetDue)
		}
		until = earlier(until, c.out.creditDue())
	}
	c.net.wait(context.Background(), &c.changed, until)
}

// room says whether the other end's writer, if it waits, may go on.
func (c *conn) room() bool { return c.closed || 3*c.in.taken(c.link) <= 2*c.net.options.Buffer }

// push sends what fits. A peer that has closed answers with RST.
func (c *conn) push(p []byte) int {
	p = p[:min(len(p), max(0, c.net.options.Buffer-c.out.taken(c.link)))]
	if len(p) == 0 {
		return 0
	}
	due := c.out.send(p, c.link)
	if c.other.closed {
		*c.out = stream{net: c.net, number: c.serial, most: c.out.most, free: c.out.free, last: c.out.last, ended: c.out.ended, end: c.out.end}
		c.resetBy(due.Add(c.link.Latency + c.in.skew()))
		return len(p)
	}
	c.other.changed.notify()
	return len(p)
}

// writeError says why nothing can be written. The kernel reports a reset as a broken pipe where the peer had
// closed its side before.
func (c *conn) writeError() error {
	switch {
	case c.closed:
		return c.opError("write", net.ErrClosed)
	case expired(c.writeDeadline):
		return c.opError("write", os.ErrDeadlineExceeded)
	case c.out.ended, c.wasReset() && c.in.ended && c.link.arrived(c.in.end):
		return c.opError("write", os.NewSyscallError("write", syscall.EPIPE))
	case c.wasReset():
		return c.opError("write", os.NewSyscallError("write", syscall.ECONNRESET))
	}
	return nil
}

func (c *conn) wasReset() bool { return c.reset && c.link.arrived(c.resetDue) }

// resetBy makes a RST arrive at this end at a time.
func (c *conn) resetBy(due time.Time) {
	if due = c.link.due(due); c.closed || c.reset && !due.Before(c.resetDue) {
		return
	}
	c.reset, c.resetDue = true, due
	c.changed.notify()
}

// resend is resend for all that is on its way to this end.
func (c *conn) resend(since, at time.Time) {
	c.in.resend(since, at)
	if c.reset && c.resetDue.After(since) {
		c.resetDue = later(c.resetDue, at)
	}
}

func (c *conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

func expired(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }
