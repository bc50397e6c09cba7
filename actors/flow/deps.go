package flow

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// Stores are whom a flow asks.
type Stores struct {
	Workloads, Services, Policies, DNSCache, Certificates *actor.PID
	// Revocations is nil where there are no revocation lists.
	Revocations *actor.PID
	// Discovery looks up on demand what the stores lack (messages.DemandResource).
	Discovery *actor.PID
	// LocalPods is the directory of the pods of this process.
	LocalPods *actor.PID
}

// Settings are the parts of the configuration that flows depend on (spec/dataplane.md §16).
type Settings struct {
	// Info is the pod; Network ours; LocalNode the node's name, empty when not known.
	Info               messages.WorkloadInfo
	Network, LocalNode string
	// InboundPort is the HBONE port of this mesh, 15008.
	InboundPort uint16
	// IllegalPorts are our own ports, never a destination on loopback (outbound) or at all (inbound).
	IllegalPorts []uint16
	// ResponseBaggage: tell baggage in responses and believe it in requests.
	ResponseBaggage bool
	// LocalhostAppTunnel: dial PROXY application tunnels over loopback.
	LocalhostAppTunnel bool
	// EnforceWaypoint: traffic from the workload's own waypoint skips policy, traffic that bypasses it is refused.
	EnforceWaypoint bool
	// DenyUnknownPolicies: a policy that a workload names and nobody knows denies.
	DenyUnknownPolicies bool
	// LocalFastpath: hand connections between two pods of this process over instead of tunnelling them.
	LocalFastpath bool
	// OnDemand: ask discovery for what the stores lack (XDS_ON_DEMAND).
	OnDemand bool
	// WorkloadWait is how long the pod's own workload may take to arrive, StageDeadline how long any other stage may take
	// to hand over, NegotiationDeadline how long a SOCKS5 client may take, ConnectDeadline how long an HBONE peer may
	// take to answer a CONNECT.
	WorkloadWait, StageDeadline, NegotiationDeadline, ConnectDeadline time.Duration
}

// DefaultSettings are the reference's values, and deadlines where it has none.
func DefaultSettings() Settings {
	return Settings{
		InboundPort:         15008,
		IllegalPorts:        []uint16{15008, 15006, 15001},
		ResponseBaggage:     true,
		LocalhostAppTunnel:  true,
		WorkloadWait:        5 * time.Second,
		StageDeadline:       15 * time.Second,
		NegotiationDeadline: 10 * time.Second,
		ConnectDeadline:     30 * time.Second,
	}
}

// Deps is what all flows of one pod's proxy share. It is frozen once the first flow was spawned.
type Deps struct {
	System    *kit.System
	Telemetry *trace.Telemetry
	Stores    Stores
	Network   socket.Network
	Settings  Settings
	// TLS and HBONE are how tunnels of this node are made.
	TLS   mtls.Options
	HBONE hbone.Settings
	// Pod spawns the flows, Connections keeps the registry.
	Pod, Connections *actor.PID
	// Own is the pod's own side as outbound flows tell it; they keep it here for one another.
	Own *atomic.Pointer[messages.DerivedWorkload]
	// Ending is set when the pod stops: flows that are stopped otherwise have crashed.
	Ending *atomic.Bool
	// Pool gives tunnels to flows of 15001, SOCKSPool to those of 15080 (spec/dataplane.md §3.1).
	Pool, SOCKSPool *actor.PID
	// Names resolves what SOCKS5 clients name: the pod's DNS proxy, or the DNS cache where there is none.
	Names *actor.PID
}

// Entry is how a connection came in. The flow that is spawned with it owns Conn or Stream.
type Entry struct {
	Entrance    messages.Entrance
	At          time.Time
	Peer, Local netip.AddrPort
	// Conn is the accepted connection of the TCP entrances and of the local one, Stream the CONNECT of an HBONE one.
	Conn   socket.Conn
	Stream *hbone.ServerStream
	// Identity is the HBONE peer's.
	Identity messages.Identity
	// TLSVersion, TLSCipher and TLSCurve describe the HBONE peer's tunnel.
	TLSVersion, TLSCipher, TLSCurve string
	// PreserveSource says that the application may be dialled from the client's address.
	PreserveSource bool
	// Call is where EntranceLocal comes from.
	Call *Call
}

// Call is what another pod of this process says of the connection that it hands over.
type Call struct {
	Caller                  *actor.PID
	ID                      uint64 // of its question
	Target                  messages.HostPort
	Source                  *messages.Workload
	ForwardedHost           string
	Traceparent, Tracestate string
	Counters                messages.Tally
}
