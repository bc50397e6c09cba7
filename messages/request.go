package messages

import "net/netip"

// RequestType is the kind of way an outbound connection takes (spec/source.md).
type RequestType uint8

// The request types.
const (
	// RequestUnknown: not classified yet.
	RequestUnknown RequestType = iota
	// ToServerWaypoint goes to the waypoint of the addressed service or workload.
	ToServerWaypoint
	// Direct goes to the chosen backend.
	Direct
	// DirectLocal goes to a backend on this node.
	DirectLocal
	// Passthrough goes to an unknown target, unchanged.
	Passthrough
)

// String is the name in logs and traces.
func (t RequestType) String() string {
	return [...]string{"Unknown", "ToServerWaypoint", "Direct", "DirectLocal", "Passthrough"}[t]
}

// OutboundProtocol is how the next hop is spoken to.
type OutboundProtocol uint8

// The outbound protocols.
const (
	OutboundTCP OutboundProtocol = iota
	OutboundHBONE
	OutboundDoubleHBONE
)

// String is the name in the admin dump.
func (p OutboundProtocol) String() string { return [...]string{"TCP", "HBONE", "DOUBLEHBONE"}[p] }

// Upstream is one chosen backend: a workload behind a service, or a workload called by its address.
type Upstream struct {
	Workload *Workload
	// Port is the target port on the workload.
	Port uint16
	// IP is the destination address; not valid where the workload is only reachable through its gateway, or by
	// resolving its host name.
	IP netip.Addr
	// Service is the service that chose it; nil for a workload called by its address.
	Service *Service
}

// AddrPort is the socket address of the upstream; only valid when IP is.
func (u *Upstream) AddrPort() netip.AddrPort { return netip.AddrPortFrom(u.IP, u.Port) }

// Request is a classified outbound connection: everything that tunnel needs (spec/dataplane.md §2.5).
type Request struct {
	Type     RequestType
	Protocol OutboundProtocol
	Source   *Workload
	// Dial is the socket address of the next hop.
	Dial netip.AddrPort
	// Authority is the CONNECT authority; zero for plain TCP.
	Authority HostPort
	// ExpectedIdentities are the identities one of which the next hop must present, in order; InnerIdentities those of
	// the inner tunnel of a double HBONE. Empty never means any.
	ExpectedIdentities, InnerIdentities []Identity
	// Destination is the next-hop workload that metrics name, Service the service that was addressed; both may be nil.
	Destination *Workload
	Service     *Service
	// LocalPod is the actor of the pod in this process that the connection is handed to, instead of a tunnel to it
	// (LOCAL_FASTPATH); empty for all others.
	LocalPod string
	// Gateway marks a next hop that is a network gateway.
	Gateway bool
}

// InboundRequest is a classified inbound connection.
type InboundRequest struct {
	// Local is the workload the connection is for.
	Local *Workload
	// Dial is the application's socket address; Loopback says that the source address must not be preserved
	// because the application is dialled over loopback.
	Dial     netip.AddrPort
	Loopback bool
	// Target is the final target that policy is asked about.
	Target netip.AddrPort
	// Source is the source workload where it is known, Service the service that was probably meant.
	Source  *Workload
	Service *Service
	// FromGateway marks a request that came from another network through a gateway.
	FromGateway bool
	// FromWaypoint marks a request that comes from the local workload's own waypoint.
	FromWaypoint bool
	// TunnelTarget is what a PROXY application tunnel is told; zero unless one is asked for.
	TunnelTarget netip.AddrPort
}
