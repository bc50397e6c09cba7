package route

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// Inbound is the decision tree of an inbound connection: an HBONE stream (spec/dataplane.md §4.6–§4.8) or, where
// Authority is zero, a plaintext connection (§5). The caller fills the inputs.
type Inbound struct {
	// OurNetwork is NETWORK.
	OurNetwork string
	// Local is the workload of the pod that received the connection.
	Local *messages.Workload
	// Src is the canonical TCP peer, Identity what its certificate proves; zero for plain text.
	Src      netip.AddrPort
	Identity messages.Identity
	// Dst is the connection's local address (HBONE) or the original destination (plain text), canonical.
	Dst netip.AddrPort
	// Authority is the parsed CONNECT authority ([ParseAuthority]); zero for plain text.
	Authority messages.HostPort
	// ForwardedHost is the host of the forwarded header ([ForwardedHost]), empty for none: a hint for the service.
	ForwardedHost string
	// ForwardedNetwork is the x-forwarded-network header; Forwarded says that there is one.
	ForwardedNetwork string
	Forwarded        bool
	// IllegalPorts are the proxy's own ports, which are never a target (§1.6).
	IllegalPorts []uint16
	// LocalhostTunnel is LOCALHOST_APP_TUNNEL: PROXY tunnels are dialled over loopback (§4.9).
	LocalhostTunnel bool
	// EnforceWaypoint is ENFORCE_WAYPOINT: find out whether the peer is the local workload's own waypoint. Without it
	// FromWaypoint stays false.
	EnforceWaypoint bool
}

// Next says what is needed next. It is called first, and once after each Learn that returned true.
func (i *Inbound) Next() Step { return Step{} }

// Learn takes an answer. It returns false for one that is not the answer awaited; the driver then goes on waiting.
func (i *Inbound) Learn(answer any) bool { return false }
