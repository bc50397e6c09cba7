package socket

import (
	"encoding/binary"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// ip6tOriginalDst is IP6T_SO_ORIGINAL_DST; the number is that of SO_ORIGINAL_DST.
const ip6tOriginalDst = unix.SO_ORIGINAL_DST

// OriginalDst is the destination before redirection: SO_ORIGINAL_DST first, on IPv6 sockets too since dual-stack
// ones carry IPv4, then the IPv6 option (spec/dataplane.md §1.3). It fails where nothing was redirected.
func (c *kernelConn) OriginalDst() (dst netip.AddrPort, err error) {
	err = control(c.raw, func(fd int) error {
		var err4, err6 error
		if dst, err4 = originalDst4(fd); err4 == nil {
			return nil
		}
		dst, err6 = originalDst6(fd)
		return err6
	})
	return dst, err
}

// originalDst4 reads a sockaddr_in. x/sys has no call for that option; the one for struct ipv6_mreq takes as many
// bytes as we need.
func originalDst4(fd int) (netip.AddrPort, error) {
	m, err := unix.GetsockoptIPv6Mreq(fd, unix.SOL_IP, unix.SO_ORIGINAL_DST)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockopt SO_ORIGINAL_DST", err)
	}
	sa := m.Multiaddr // family, port, address
	if binary.NativeEndian.Uint16(sa[0:2]) != unix.AF_INET {
		return netip.AddrPort{}, os.NewSyscallError("getsockopt SO_ORIGINAL_DST", unix.EAFNOSUPPORT)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(sa[4:8])), binary.BigEndian.Uint16(sa[2:4])), nil
}

// originalDst6 reads a sockaddr_in6, with the call for struct ip6_mtuinfo, which begins with one.
func originalDst6(fd int) (netip.AddrPort, error) {
	m, err := unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_IPV6, ip6tOriginalDst)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockopt IP6T_SO_ORIGINAL_DST", err)
	}
	var port [2]byte
	binary.NativeEndian.PutUint16(port[:], m.Addr.Port) // back to the bytes of the structure: network order
	return Canonical(netip.AddrPortFrom(netip.AddrFrom16(m.Addr.Addr), binary.BigEndian.Uint16(port[:]))), nil
}
