package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// elsewhere is the kernel's network in another namespace. Only the making of a socket goes there, for that is what ties
// the socket to it; a thread is never there while something is waited for.
type elsewhere struct {
	kernel kernel
	ns     *Namespace
}

var (
	_ Network       = (*elsewhere)(nil)
	_ PacketNetwork = (*elsewhere)(nil)
)

// In makes the network of another namespace, with cfg. It has a handle of its own, which close lets go; after that nothing
// new can be listened to or dialled, and what is open stays.
func In(ns *Namespace, cfg Config) (_ Network, closeIt func()) {
	if cfg.DialTimeout <= 0 {
		cfg.DialTimeout = DefaultDialTimeout
	}
	e := &elsewhere{kernel: kernel{cfg: cfg}, ns: ns.share()}
	return e, func() { _ = e.ns.Close() }
}

// within makes a socket there, which waits for nothing. outside wraps the error of a namespace that could not be entered.
func within[T io.Closer](e *elsewhere, make func() (T, error), outside func(error) error) (made T, err error) {
	var none T
	inside, whole := false, false
	err = e.ns.Do(func() error {
		inside = true
		var err error
		made, err = make()
		whole = err == nil
		return err
	})
	switch {
	case err == nil:
		return made, nil
	case whole: // and then the thread did not find home
		_ = made.Close()
	case !inside:
		return none, outside(err)
	}
	return none, err
}

// Listen binds addr there and listens.
func (e *elsewhere) Listen(ctx context.Context, addr netip.AddrPort, o ListenOptions) (Listener, error) {
	return within(e, func() (Listener, error) { return e.kernel.Listen(ctx, addr, o) },
		func(err error) error { return &BindError{Addr: addr, Err: err} })
}

// ListenPacket binds addr there for datagrams.
func (e *elsewhere) ListenPacket(ctx context.Context, addr netip.AddrPort, o ListenOptions) (PacketListener, error) {
	return within(e, func() (PacketListener, error) { return e.kernel.ListenPacket(ctx, addr, o) },
		func(err error) error { return &BindError{Addr: addr, Err: err} })
}

// DialPacket makes a connected datagram socket there.
func (e *elsewhere) DialPacket(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	return within(e, func() (net.Conn, error) { return e.kernel.DialPacket(ctx, addr) },
		func(err error) error { return &DialError{Addr: addr, Err: err} })
}

// Dial connects to addr from there, as o.Source if that is given. Errors are *DialError.
func (e *elsewhere) Dial(ctx context.Context, addr netip.AddrPort, o DialOptions) (Conn, error) {
	addr = Canonical(addr)
	source := o.Source.Unmap()
	if source == addr.Addr() {
		source = netip.Addr{}
	}
	fail := func(err error) (Conn, error) { return nil, &DialError{Source: source, Addr: addr, Err: err} }
	if source.IsValid() && source.Is4() != addr.Addr().Is4() {
		return fail(os.NewSyscallError("connect", syscall.EAFNOSUPPORT))
	}
	limited, cancel := context.WithTimeout(ctx, e.kernel.cfg.DialTimeout)
	defer cancel()
	fd, err := e.connecting(source, addr)
	if err != nil {
		return fail(err)
	}
	f := os.NewFile(uintptr(fd), "tcp") // watched by the poller from here on, since it does not block
	defer func() { _ = f.Close() }()
	if err := awaitConnected(limited, f); err != nil {
		return fail(dialCause(ctx, limited, err))
	}
	made, err := net.FileConn(f)
	if err != nil {
		return fail(err)
	}
	tcp, ok := made.(*net.TCPConn)
	if !ok {
		_ = made.Close()
		return fail(fmt.Errorf("a %T is no TCP connection", made))
	}
	c, err := newConn(tcp)
	if err == nil {
		err = control(c.raw, e.kernel.restoreLiveness)
	}
	if err != nil {
		_ = tcp.Close()
		return fail(err)
	}
	return c, nil
}

// connecting makes a socket there that begins to connect. It belongs to the caller.
func (e *elsewhere) connecting(source netip.Addr, addr netip.AddrPort) (int, error) {
	for attempt := 0; ; attempt++ {
		fd, err := e.socket(addr.Addr())
		if err != nil {
			return -1, err
		}
		err = e.kernel.connect(fd, source, addr, attempt)
		if err == nil {
			return fd, nil
		}
		_ = unix.Close(fd)
		if !again(source, attempt, err) {
			return -1, err
		}
	}
}

// restoreLiveness sets keepalive again: package net has put its own on the socket that it took over.
func (k *kernel) restoreLiveness(fd int) error {
	if !k.cfg.Keepalive.Enabled {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	}
	setLiveness(fd, k.cfg.Keepalive, k.cfg.UserTimeout)
	return nil
}

// socket makes a socket there. It belongs to the caller.
func (e *elsewhere) socket(to netip.Addr) (fd int, err error) {
	family := unix.AF_INET6
	if to.Is4() {
		family = unix.AF_INET
	}
	fd = -1
	err = e.ns.Do(func() error {
		var err error
		fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return os.NewSyscallError("socket", err)
	})
	if err != nil && fd >= 0 {
		_ = unix.Close(fd)
	}
	return fd, err
}

// connect sets a socket up and begins to connect it. A source is borrowed at an attempt.
func (k *kernel) connect(fd int, source netip.Addr, addr netip.AddrPort, attempt int) error {
	if err := setOption(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1, "TCP_NODELAY"); err != nil {
		return err
	}
	if err := k.setUpDial(fd, source, addr, attempt); err != nil {
		return err
	}
	var to unix.Sockaddr
	if addr.Addr().Is4() {
		to = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	} else {
		zone, err := zoneID(addr.Addr())
		if err != nil {
			return err
		}
		to = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16(), ZoneId: zone}
	}
	if err := unix.Connect(fd, to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

// zoneID is the number of a zone that is written as one: names of links mean nothing outside their namespace.
func zoneID(a netip.Addr) (uint32, error) {
	if a.Zone() == "" {
		return 0, nil
	}
	zone, err := strconv.ParseUint(a.Zone(), 10, 32)
	if err != nil {
		return 0, os.NewSyscallError("connect", syscall.EINVAL)
	}
	return uint32(zone), nil
}

// awaitConnected waits until a socket that connects has done so, or ctx ends.
func awaitConnected(ctx context.Context, f *os.File) error {
	if deadline, ok := ctx.Deadline(); ok {
		if err := f.SetWriteDeadline(deadline); err != nil {
			return err
		}
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = f.SetWriteDeadline(time.Unix(1, 0))
	})
	defer func() {
		if !stop() {
			<-ended
		}
	}()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = raw.Write(func(fd uintptr) bool {
		errno, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		switch {
		case err != nil:
			failure = os.NewSyscallError("getsockopt", err)
			return true
		case errno != 0:
			failure = os.NewSyscallError("connect", syscall.Errno(errno))
			return true
		}
		_, err = unix.Getpeername(int(fd))
		return err == nil
	})
	return errors.Join(failure, err)
}
