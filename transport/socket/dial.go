package socket

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Dial connects to addr, as o.Source if that is given (spec/dataplane.md §1.5). Errors are *DialError. A v4-mapped
// addr is dialled as IPv4.
func (k *kernel) Dial(ctx context.Context, addr netip.AddrPort, o DialOptions) (Conn, error) {
	addr = Canonical(addr)
	source := o.Source.Unmap()
	if source == addr.Addr() {
		source = netip.Addr{}
	}
	if source.IsValid() && source.Is4() != addr.Addr().Is4() {
		return nil, &DialError{Source: source, Addr: addr, Err: os.NewSyscallError("connect", syscall.EAFNOSUPPORT)}
	}
	within, cancel := context.WithTimeout(ctx, k.cfg.DialTimeout)
	defer cancel()
	attempt := 0
	d := net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		return control(c, func(fd int) error { return k.setUpDial(fd, source, addr, attempt) })
	}}
	network := "tcp6"
	if addr.Addr().Is4() {
		network = "tcp4"
	}
	// Not DialTCP: that one binds to the wildcard where no local address is given, which takes a port and undoes
	// the bind to the source.
	dialled, err := d.DialContext(within, network, addr.String())
	for again(source, attempt, err) {
		attempt++
		dialled, err = d.DialContext(within, network, addr.String())
	}
	if err != nil {
		return nil, &DialError{Source: source, Addr: addr, Err: dialCause(ctx, within, err)}
	}
	c, err := newConn(dialled.(*net.TCPConn))
	if err != nil {
		_ = dialled.Close()
		return nil, &DialError{Source: source, Addr: addr, Err: err}
	}
	return c, nil
}

// setUpDial sets what has to be there before connect. A source is borrowed at an attempt.
func (k *kernel) setUpDial(fd int, source netip.Addr, addr netip.AddrPort, attempt int) error {
	setLiveness(fd, k.cfg.Keepalive, k.cfg.UserTimeout)
	if err := setMark(fd, k.cfg.Mark); err != nil {
		return err
	}
	local := k.cfg.Local
	if !source.IsValid() && local.IsValid() && local.Is4() == addr.Addr().Is4() {
		return bindAddress(fd, local)
	}
	if source.IsValid() {
		if err := k.borrow(fd, source, attempt); err != nil {
			k.warn(&SpoofError{Source: source, Addr: addr, Err: err})
		}
	}
	return nil
}

// dialCause finds what made a dial fail: the caller's context, the time limit, or the kernel.
func dialCause(caller, within context.Context, err error) error {
	switch {
	case errors.Is(caller.Err(), context.Canceled):
		return context.Cause(caller)
	case within.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return ErrDeadline
	}
	var op *net.OpError
	if errors.As(err, &op) { // its text would name the address a second time
		return op.Err
	}
	return err
}
