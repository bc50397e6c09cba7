package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

var (
	errNoDescriptor = errors.New("it has no descriptor of the kernel")
	errNotListening = errors.New("it is not a listening TCP socket")
	errNotConnected = errors.New("it is not a connected TCP socket")
	errNoDatagrams  = errors.New("it is not a UDP socket that listens")
)

// Duplicate makes another descriptor of the socket below a [Conn], [Listener] or [PacketListener] of the kernel, to pass it
// to another process. The caller owns it. Both refer to the same socket: what one process leaves in it the other finds.
func Duplicate(end any) (fd int, err error) {
	err = descriptor(end, func(have int) error {
		var err error
		fd, err = unix.FcntlInt(uintptr(have), unix.F_DUPFD_CLOEXEC, 0)
		return os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	})
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// NamespaceOf is a handle of the network namespace that a socket of the kernel is in, whoever made it. It needs
// CAP_NET_ADMIN there.
func NamespaceOf(end any) (*Namespace, error) {
	fd := -1
	err := descriptor(end, func(have int) error {
		var err error
		fd, err = unix.IoctlRetInt(have, unix.SIOCGSKNS)
		return os.NewSyscallError("ioctl SIOCGSKNS", err)
	})
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	return NewNamespace(fd)
}

// descriptor runs do with the descriptor of a socket, which stays the socket's.
func descriptor(end any, do func(fd int) error) error {
	var source syscall.Conn
	switch e := end.(type) {
	case *listener:
		source = e.tcp
	case *packetListener:
		source = e.udp
	case net.Conn:
		tcp, ok := AsTCP(e)
		if !ok {
			return errNoDescriptor
		}
		source = tcp
	default:
		return errNoDescriptor
	}
	raw, err := source.SyscallConn()
	if err != nil {
		return err
	}
	return control(raw, do)
}

// AdoptListener makes a [Listener] of a descriptor that another process passed. It owns fd, also when it fails: it does
// unless fd is a TCP socket that listens.
func AdoptListener(fd int) (Listener, error) {
	file := os.NewFile(uintptr(fd), "listener")
	if file == nil {
		return nil, errNotListening
	}
	defer func() { _ = file.Close() }()
	if err := isTCP(fd, true); err != nil {
		return nil, err
	}
	transparent, err := unix.GetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT)
	if err != nil {
		return nil, os.NewSyscallError("getsockopt IP_TRANSPARENT", err)
	}
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("adopt a listener: %w", err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		_ = l.Close()
		return nil, errNotListening
	}
	return &listener{tcp: tcp, addr: addrPort(tcp.Addr()), transparent: transparent != 0}, nil
}

// AdoptPacketListener makes a [PacketListener] of a descriptor that another process passed. It owns fd, also when it fails: it
// does unless fd is a UDP socket that has a port and no peer.
func AdoptPacketListener(fd int) (PacketListener, error) {
	file := os.NewFile(uintptr(fd), "packets")
	if file == nil {
		return nil, errNoDatagrams
	}
	defer func() { _ = file.Close() }()
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil || protocol != unix.IPPROTO_UDP {
		return nil, errors.Join(errNoDatagrams, err)
	}
	if _, err := unix.Getpeername(fd); !errors.Is(err, unix.ENOTCONN) {
		return nil, errNoDatagrams
	}
	c, err := net.FilePacketConn(file)
	if err != nil {
		return nil, fmt.Errorf("adopt a packet listener: %w", err)
	}
	udp, ok := c.(*net.UDPConn)
	if !ok || addrPort(udp.LocalAddr()).Port() == 0 {
		_ = c.Close()
		return nil, errNoDatagrams
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		_ = udp.Close()
		return nil, err
	}
	return &packetListener{udp: udp, raw: raw, addr: addrPort(udp.LocalAddr())}, nil
}

// AdoptConn makes a [Conn] of a descriptor that another process passed. It owns fd, also when it fails: it does unless
// fd is a TCP socket that has been connected.
func AdoptConn(fd int) (Conn, error) {
	file := os.NewFile(uintptr(fd), "connection")
	if file == nil {
		return nil, errNotConnected
	}
	defer func() { _ = file.Close() }()
	if err := isTCP(fd, false); err != nil {
		return nil, err
	}
	c, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("adopt a connection: %w", err)
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		_ = c.Close()
		return nil, errNotConnected
	}
	return newConn(tcp)
}

// isTCP checks what kind of socket fd is, before package net believes it.
func isTCP(fd int, listens bool) error {
	unfit := errNotConnected
	if listens {
		unfit = errNotListening
	}
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil || protocol != unix.IPPROTO_TCP {
		return errors.Join(unfit, err)
	}
	accepts, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || accepts != 0 != listens {
		return errors.Join(unfit, err)
	}
	return nil
}
