package socket

import (
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// control runs set on the descriptor below c.
func control(c syscall.RawConn, set func(fd int) error) error {
	var err error
	if cerr := c.Control(func(fd uintptr) { err = set(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

func setOption(fd, level, option, value int, name string) error {
	return os.NewSyscallError("setsockopt "+name, unix.SetsockoptInt(fd, level, option, value))
}

// setMark sets SO_MARK; 0 sets none. It needs CAP_NET_ADMIN.
func setMark(fd int, mark uint32) error {
	if mark == 0 {
		return nil
	}
	return setOption(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark), "SO_MARK")
}

// setLiveness sets keepalive and user time-out. Failures are ignored (spec/dataplane.md §1.2): a kernel that
// refuses a value keeps its own, and the connection is no worse for it.
func setLiveness(fd int, k Keepalive, userTimeout bool) {
	if k.Enabled {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, wholeSeconds(k.Time))
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, wholeSeconds(k.Interval))
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, k.Retries)
	}
	if userTimeout {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(k.UserTimeout().Milliseconds()))
	}
}

func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// setListenTransparent sets the IPv4-level option, on IPv6 sockets too (spec/dataplane.md §1.5).
func setListenTransparent(fd int) error {
	return setOption(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1, "IP_TRANSPARENT")
}

// mayBorrow lets a socket bind to an address that is not ours.
func mayBorrow(fd int, source netip.Addr) error {
	if source.Is4() {
		if err := setOption(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1, "IP_TRANSPARENT"); err != nil {
			return err
		}
		if err := setOption(fd, unix.SOL_IP, unix.IP_FREEBIND, 1, "IP_FREEBIND"); err != nil {
			return err
		}
	} else {
		if err := setOption(fd, unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1, "IPV6_TRANSPARENT"); err != nil {
			return err
		}
		if err := setOption(fd, unix.SOL_IPV6, unix.IPV6_FREEBIND, 1, "IPV6_FREEBIND"); err != nil {
			return err
		}
	}
	return nil
}

// bindAddress binds a socket that is about to dial to an address, without taking a port yet.
func bindAddress(fd int, source netip.Addr) error {
	// Without it bind takes a port of its own from the whole range; that still works, only sooner runs dry.
	_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	return bindPort(fd, netip.AddrPortFrom(source, 0))
}

func bindPort(fd int, source netip.AddrPort) error {
	var sa unix.Sockaddr = &unix.SockaddrInet6{Addr: source.Addr().As16(), Port: int(source.Port())}
	if source.Addr().Is4() {
		sa = &unix.SockaddrInet4{Addr: source.Addr().As4(), Port: int(source.Port())}
	}
	return os.NewSyscallError("bind", unix.Bind(fd, sa))
}
