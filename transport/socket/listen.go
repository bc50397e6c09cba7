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
	var transparent bool
	lc := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		return control(c, func(fd int) (err error) {
			transparent, err = k.setUpListener(fd, o)
			return err
		})
	}}
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(ctx, family(addr.Addr()), addr.String())
	if err != nil {
		return nil, &BindError{Addr: addr, Err: err}
	}
	tcp := l.(*net.TCPListener)
	if k.cfg.Backlog > 0 {
		if err := resizeBacklog(tcp, k.cfg.Backlog); err != nil {
			_ = tcp.Close()
			return nil, &BindError{Addr: addr, Err: err}
		}
	}
	return &listener{tcp: tcp, addr: addrPort(tcp.Addr()), transparent: transparent}, nil
}

func (k *kernel) setUpListener(fd int, o ListenOptions) (transparent bool, err error) {
	if k.cfg.MarkListeners {
		if err := setMark(fd, k.cfg.Mark); err != nil {
			return false, err
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
	if o.Transparent == TransparentOff {
		return false, nil
	}
	if err := setListenTransparent(fd); err != nil {
		if o.Transparent == TransparentRequire {
			return false, err
		}
		return false, nil
	}
	return true, nil
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

// resizeBacklog calls listen again, which is how a backlog changes; package net knows only the system's maximum.
func resizeBacklog(l *net.TCPListener, backlog int) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	return control(raw, func(fd int) error { return os.NewSyscallError("listen", unix.Listen(fd, backlog)) })
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
