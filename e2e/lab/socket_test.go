package lab_test

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/troupe-mesh/troupe/e2e/lab"
)

// socketOptions are what a proxy's sockets have and an application's haven't.
type socketOptions struct {
	mark   int
	source netip.Addr
}

// arrival is one accepted connection as its listener saw it.
type arrival struct {
	peer, original netip.AddrPort
}

// serve accepts one connection in ns, answers with one byte and closes.
func serve(t *testing.T, ns *lab.Namespace, at netip.AddrPort, o socketOptions) <-chan arrival {
	t.Helper()
	var listener net.Listener
	err := ns.Do(func() (err error) {
		config := net.ListenConfig{Control: o.control}
		listener, err = config.Listen(t.Context(), "tcp", at.String())
		return err
	})
	if err != nil {
		t.Fatalf("listening on %v in %s: %v", at, ns.Name(), err)
	}
	seen, done := make(chan arrival, 1), make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			close(seen)
			return
		}
		defer func() { _ = conn.Close() }()
		seen <- arrival{peer: unmap(conn.RemoteAddr()), original: originalDst(conn)}
		_, _ = conn.Write([]byte{'.'})
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return seen
}

// dial connects from ns and waits for the byte.
func dial(t *testing.T, ns *lab.Namespace, to netip.AddrPort, o socketOptions) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var conn net.Conn
	err := ns.Do(func() (err error) {
		dialer := net.Dialer{Control: o.control}
		if o.source.IsValid() {
			dialer.LocalAddr = &net.TCPAddr{IP: o.source.AsSlice()}
		}
		conn, err = dialer.DialContext(ctx, "tcp", to.String())
		return err
	})
	if err != nil {
		t.Fatalf("dialling %v from %s: %v", to, ns.Name(), err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatalf("reading from %v: %v", to, err)
	}
}

func (o socketOptions) control(network, _ string, raw syscall.RawConn) error {
	var err error
	outer := raw.Control(func(fd uintptr) {
		if o.mark != 0 {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, o.mark)
		}
		if err == nil && o.source.IsValid() {
			level, transparent, freebind := unix.SOL_IP, unix.IP_TRANSPARENT, unix.IP_FREEBIND
			if network == "tcp6" {
				level, transparent, freebind = unix.SOL_IPV6, unix.IPV6_TRANSPARENT, unix.IPV6_FREEBIND
			}
			if err = unix.SetsockoptInt(int(fd), level, transparent, 1); err == nil {
				err = unix.SetsockoptInt(int(fd), level, freebind, 1)
			}
		}
	})
	if outer != nil {
		return outer
	}
	return err
}

func unmap(a net.Addr) netip.AddrPort {
	ap := netip.MustParseAddrPort(a.String())
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// originalDst is where the peer wanted to go before redirection.
func originalDst(conn net.Conn) netip.AddrPort {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return netip.AddrPort{}
	}
	var dst netip.AddrPort
	_ = raw.Control(func(fd uintptr) {
		const soOriginalDst = 80
		var v4 unix.RawSockaddrInet4
		size := uint32(unsafe.Sizeof(v4))
		if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_IP, soOriginalDst,
			uintptr(unsafe.Pointer(&v4)), uintptr(unsafe.Pointer(&size)), 0); errno == 0 {
			dst = netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), v4.Port>>8|v4.Port<<8)
			return
		}
		var v6 unix.RawSockaddrInet6
		size = uint32(unsafe.Sizeof(v6))
		if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_IPV6, soOriginalDst,
			uintptr(unsafe.Pointer(&v6)), uintptr(unsafe.Pointer(&size)), 0); errno == 0 {
			dst = netip.AddrPortFrom(netip.AddrFrom16(v6.Addr), v6.Port>>8|v6.Port<<8)
		}
	})
	return dst
}
