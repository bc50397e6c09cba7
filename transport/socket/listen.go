package socket

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listen binds addr and listens. The IPv6 wildcard takes IPv4 too. Keepalive and user time-out are set on the
// listening socket, whose connections inherit them.
func (k *kernel) Listen(ctx context.Context, addr netip.AddrPort, o ListenOptions) (Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		return control(c, func(fd int) error { return k.setUpListener(fd, o) })
	}}
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(ctx, family(addr.Addr()), addr.String())
	if err != nil {
		return nil, &BindError{Addr: addr, Err: err}
	}
	tcp := l.(*net.TCPListener)
	transparent, err := k.finishListener(tcp, o.Transparent)
	if err != nil {
		_ = tcp.Close()
		return nil, &BindError{Addr: addr, Err: err}
	}
	return &listener{tcp: tcp, addr: addrPort(tcp.Addr()), transparent: transparent}, nil
}

// setUpListener sets what has to be there before bind.
func (k *kernel) setUpListener(fd int, o ListenOptions) error {
	if k.cfg.MarkListeners {
		if err := setMark(fd, k.cfg.Mark); err != nil {
			return err
		}
	}
	if o.ReusePort {
		if err := setOption(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, "SO_REUSEPORT"); err != nil {
			k.warn(err)
		}
	}
	if o.Keepalive {
		setLiveness(fd, k.cfg.Keepalive, k.cfg.UserTimeout)
	}
	return nil
}

// finishListener sets the rest: transparency only now, since before it bind would take foreign addresses, and the
// backlog by calling listen again, since package net knows only the system's maximum.
func (k *kernel) finishListener(l *net.TCPListener, want Transparent) (transparent bool, err error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return false, err
	}
	err = control(raw, func(fd int) error {
		if k.cfg.Backlog > 0 {
			if err := unix.Listen(fd, k.cfg.Backlog); err != nil {
				return os.NewSyscallError("listen", err)
			}
		}
		if want == TransparentOff {
			return nil
		}
		err := setListenTransparent(fd)
		transparent = err == nil
		if want == TransparentRequire {
			return err
		}
		return nil
	})
	return transparent, err
}

// family is the network to name to package net: "tcp" is dual-stack for the IPv6 wildcard, and would be so for the
// IPv4 one as well.
func family(a netip.Addr) string {
	switch {
	case a.Is4():
		return "tcp4"
	case a.IsUnspecified():
		return "tcp"
	}
	return "tcp6"
}

// listener is a listening socket of the kernel.
type listener struct {
	tcp         *net.TCPListener
	addr        netip.AddrPort
	transparent bool
}

// Accept waits for a connection. Package net sets TCP_NODELAY on it.
func (l *listener) Accept() (Accepted, error) {
	tcp, err := l.tcp.AcceptTCP()
	if err != nil {
		return Accepted{}, err
	}
	c, err := newConn(tcp)
	if err != nil {
		_ = tcp.Close()
		return Accepted{}, err
	}
	return Accepted{Conn: c, Peer: addrPort(tcp.RemoteAddr()), Local: addrPort(tcp.LocalAddr())}, nil
}

func (l *listener) Addr() netip.AddrPort { return l.addr }
func (l *listener) Transparent() bool    { return l.transparent }
func (l *listener) Close() error         { return l.tcp.Close() }
