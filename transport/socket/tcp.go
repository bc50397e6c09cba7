package socket

import (
	"errors"
	"net"
	"syscall"
)

// kernelConn is a TCP socket. What it adds to *net.TCPConn works on the descriptor below, inside the runtime's
// poller, without a goroutine; its callbacks never block, since a callback holds the descriptor against Close.
type kernelConn struct {
	*net.TCPConn
	raw     syscall.RawConn
	reading reading
	writing writing
}

var _ Conn = (*kernelConn)(nil)

func newConn(tcp *net.TCPConn) (*kernelConn, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &kernelConn{TCPConn: tcp, raw: raw}, nil
}

// FromTCP makes a Conn of a socket that package net opened. The Conn owns it from then on.
func FromTCP(tcp *net.TCPConn) (Conn, error) {
	c, err := newConn(tcp)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// TCP is the socket below.
func (c *kernelConn) TCP() *net.TCPConn { return c.TCPConn }

// AsTCP finds the kernel's socket below c, for splice and socket options; false if c is not one.
func AsTCP(c net.Conn) (*net.TCPConn, bool) {
	switch c := c.(type) {
	case *net.TCPConn:
		return c, true
	case interface{ TCP() *net.TCPConn }:
		return c.TCP(), true
	}
	return nil, false
}

// Abort closes with a reset. What was written and not yet sent is lost.
func (c *kernelConn) Abort() error {
	lerr := c.SetLinger(0)
	if err := c.Close(); err != nil {
		return err
	}
	if errors.Is(lerr, syscall.EINVAL) { // the peer has reset it already
		return nil
	}
	return lerr
}

// opError dresses an error number as package net does.
func (c *kernelConn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
