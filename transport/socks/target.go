package socks

import (
	"net"
	"net/netip"
	"strconv"
)

// Target is where the application wants to go: an address, or a name that still has to be resolved.
type Target struct {
	// Addr is the destination as the client wrote it: a v4-mapped address stays one (spec/dataplane.md §6). It is
	// the zero value if Host is set.
	Addr netip.AddrPort
	// Host is a name of 1 to 255 bytes of UTF-8; empty if Addr is set.
	Host string
	// Port is the destination's port.
	Port uint16
}

// String is host:port.
func (t Target) String() string {
	if t.Host == "" {
		return t.Addr.String()
	}
	return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port)))
}
