package messages

import "net/netip"

// Connection is what policy is asked about (spec/source.md).
type Connection struct {
	// SrcIdentity is the peer's identity from its TLS certificate; the zero value means none (plain text).
	SrcIdentity Identity
	// SrcIP is the canonical address of the TCP peer; for tunnels that is the peer proxy's client or a waypoint.
	SrcIP netip.Addr
	// SrcPort is the TCP peer's port.
	SrcPort uint16
	// DstNetwork is our own network; it is carried and never matched.
	DstNetwork string
	// Dst is the final target: the pod's address and the application's port.
	Dst netip.AddrPort
}

// Src is the TCP peer's socket address.
func (c *Connection) Src() netip.AddrPort { return netip.AddrPortFrom(c.SrcIP, c.SrcPort) }
