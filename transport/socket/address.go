package socket

import (
	"net"
	"net/netip"
)

// Canonical turns a v4-mapped IPv6 address into IPv4 and keeps the port (spec/dataplane.md §1.4).
func Canonical(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// PeerAddrPort is the canonical address of c's other end; the zero value if it has none.
func PeerAddrPort(c net.Conn) netip.AddrPort { return addrPort(c.RemoteAddr()) }

// LocalAddrPort is the canonical address of c's own end; the zero value if it has none.
func LocalAddrPort(c net.Conn) netip.AddrPort { return addrPort(c.LocalAddr()) }

func addrPort(a net.Addr) netip.AddrPort {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		return Canonical(a.AddrPort())
	}
	return netip.AddrPort{}
}
