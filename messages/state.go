package messages

import (
	"net/netip"
	"time"
)

// Questions to and answers of the workload store.

// FindAddress asks which workloads own up to two addresses (the same IP on our network and on the source's), or,
// sent to the service store, which service is best for the first of them as a VIP (spec/control.md §3.4).
type FindAddress struct {
	Question
	// Addresses are looked up each for itself; the second may be the zero value.
	Addresses [2]NetworkAddress
	// Namespace is the client's, for the ranking and visibility of services; empty filters nothing.
	Namespace string
}

// WorkloadsFound answers FindAddress at the workload store: the workload of each address, or nil.
type WorkloadsFound struct {
	Answer
	Workloads [2]*Workload
}

// FindHostname asks the workload store for a workload with that host name and namespace, or the service store for the
// service with that key, without regard to visibility.
type FindHostname struct {
	Question
	Name NamespacedHostname
}

// FindWorkload asks for a workload by uid.
type FindWorkload struct {
	Question
	UID string
}

// WorkloadFound answers FindHostname and FindWorkload; Workload is nil when there is none.
type WorkloadFound struct {
	Answer
	Workload *Workload
}

// FindLocalWorkload asks for the workload of a pod on this node, and waits for it to arrive up to Wait.
type FindLocalWorkload struct {
	Question
	Info WorkloadInfo
	// Wait is how long the store keeps the question open, 0 to 1 minute; the reference waits 5 s.
	Wait time.Duration
}

// LocalWorkloadFound answers FindLocalWorkload; Workload is nil when it did not arrive in time.
type LocalWorkloadFound struct {
	Answer
	Workload *Workload
	// Held is how long the store held the question because the workload had not arrived.
	Held time.Duration
}

// WatchLocalWorkload subscribes the sender to LocalWorkloadChanged for a pod of this node; UnwatchLocalWorkload ends it.
// Who subscribes again hears at once of a change that it has missed.
type WatchLocalWorkload struct {
	Info WorkloadInfo
	// Seen is the version of the last change that the sender has heard of, 0 for none.
	Seen uint64
}

// UnwatchLocalWorkload ends a subscription.
type UnwatchLocalWorkload struct{}

// LocalWorkloadChanged says how the workload of a pod is now: its policies, its waypoint or anything else may have
// changed. A workload that was removed is not told of.
type LocalWorkloadChanged struct {
	Version  uint64
	Workload *Workload
}

// AlwaysAdmitted says the same as that of PoliciesChanged.
func (*LocalWorkloadChanged) AlwaysAdmitted() {}

// Questions to and answers of the service store.

// ResolutionMode says how strictly a service's ports are taken (spec/control.md §3.5).
type ResolutionMode uint8

// The modes of resolution.
const (
	ResolveStandard ResolutionMode = iota // user traffic and network gateways
	ResolveWaypoint
)

// FindUpstream is the one compound question of outbound classification: what do the services say about a
// destination? (spec/dataplane.md §2.5 A, B and the service half of C)
type FindUpstream struct {
	Question
	// Network is ours (NETWORK): whether Dst is service traffic is decided on it.
	Network string
	// Source is the source workload: its namespace, network and locality guide the choice.
	Source *Workload
	// Dst is where the application wants to go.
	Dst netip.AddrPort
	// Owned says that a workload owns Dst's address on our network: then it is not service traffic, and no service
	// waypoint is looked for.
	Owned bool
}

// UpstreamFound answers FindUpstream.
type UpstreamFound struct {
	Answer
	// Service is the service that is addressed on our network; nil when it is not service traffic.
	Service *Service
	// Waypoint is what became of Service's waypoint; nil when it has none.
	Waypoint *GatewayFound
	// Selected is the service by whose VIP the source's network was searched, nil when there is none; Passthrough says
	// that it keeps the original destination; Upstream is the endpoint chosen, nil when none is usable.
	Selected    *Service
	Passthrough bool
	Upstream    *Upstream
	// Considered and Eligible count the endpoints looked at and those that passed the filters, for traces.
	Considered, Eligible int
}

// FindDestination asks the service store to resolve a gateway or waypoint reference (spec/dataplane.md §2.4).
type FindDestination struct {
	Question
	Gateway GatewayAddress
	Source  *Workload
	Mode    ResolutionMode
	// Dst is the original destination: it guides the address family of references by host name.
	Dst netip.AddrPort
}

// GatewayFound says what the service store knows of a gateway reference.
type GatewayFound struct {
	// Reference is what was resolved.
	Reference GatewayAddress
	// Known says that a service stands behind the reference. If not, a workload may: the asker turns to the workload
	// store.
	Known bool
	// Upstream is the chosen endpoint, nil when none is usable.
	Upstream *Upstream
}

// DestinationFound answers FindDestination.
type DestinationFound struct {
	Answer
	GatewayFound
}

// IsGatewayOf asks whether the source is behind a gateway reference: any endpoint of the service it names has the
// source's identity and owns the address (spec/dataplane.md §2.6).
type IsGatewayOf struct {
	Question
	Destination Destination
	Identity    Identity
	Addr        netip.Addr
	// WorkloadUID, where set, asks instead whether that workload is an endpoint of the service (§4.6).
	WorkloadUID string
}

// GatewayOfFound answers IsGatewayOf.
type GatewayOfFound struct {
	Answer
	// Known says that the reference names a service.
	Known bool
	// Is says that the source is one of its endpoints.
	Is bool
}

// FindInbound is the compound question of inbound classification: the services of the local workload, or the one named
// by a host name authority (spec/dataplane.md §4.7).
type FindInbound struct {
	Question
	Local *Workload
	// Hostname is the authority's host name; empty for an address authority.
	Hostname string
	// Port is the authority's port.
	Port uint16
	// Network is ours: it prefers VIPs on it.
	Network string
}

// InboundFound answers FindInbound.
type InboundFound struct {
	Answer
	// Services are the candidates in sorted order with the local workload's own port mapping for each.
	Services []InboundService
	// VIP is the best exact VIP of the service named by the host name; not valid when it has none.
	VIP netip.Addr
}

// InboundService is one service of the local workload.
type InboundService struct {
	Service *Service
	// Ports is the local workload's own mapping for the service; nil when it is no endpoint of it.
	Ports PortMap
}

// ServiceFound answers FindHostname and FindAddress at the service store; Service is nil when there is none.
type ServiceFound struct {
	Answer
	Service *Service
}

// FindHost is the compound question of the DNS proxy: which service answers to a host name as the client means it?
// (spec/control.md §6.4)
type FindHost struct {
	Question
	HostQuestion
	// Preferred is PREFERED_SERVICE_NAMESPACE: its services win where nothing better decides. Empty prefers none.
	Preferred string
	// Keep says that the sender wants to keep the answer, and to hear HostsChanged when it may not hold any more.
	Keep bool
}

// HostFound answers FindHost; Service is nil when no service that the client may see has any of the names.
type HostFound struct {
	Answer
	Service *Service
	// Alias is the name that hit; Wildcard says that a wildcard covers it.
	Alias    Alias
	Wildcard bool
	// Endpoints are those of a service without VIPs; the slice is frozen.
	Endpoints []Endpoint
	// Kept says that the answer holds until HostsChanged comes. What has endpoints does not: they come and go.
	Kept bool
}

// HostsChanged says that answers to FindHost of earlier versions may not hold any more. It comes once; whoever wants to hear
// of the next change asks again.
type HostsChanged struct {
	Version uint64
}

// AlwaysAdmitted says that there is at most one for each time that the receiver has asked.
func (*HostsChanged) AlwaysAdmitted() {}

// Questions to and answers of the policy store.

// FindPolicies asks which policies apply to a workload (spec/dataplane.md §7.3).
type FindPolicies struct {
	Question
	Workload *Workload
}

// PoliciesFound answers FindPolicies.
type PoliciesFound struct {
	Answer
	// Policies apply; the slice is frozen.
	Policies []*Authorization
	// Unknown are the keys that the workload names and the store does not have; they are skipped, or fail closed when
	// the node is configured so.
	Unknown []string
}

// WatchPolicies subscribes the sender to PoliciesChanged; UnwatchPolicies ends it. Who subscribes again hears at once of a
// change that it has missed.
type WatchPolicies struct {
	// Seen is the version of the last change that the sender has heard of, 0 for none.
	Seen uint64
}

// UnwatchPolicies ends a subscription.
type UnwatchPolicies struct{}

// PoliciesChanged says that the policy store changed; several changes may be told as one.
type PoliciesChanged struct {
	Version uint64
}

// AlwaysAdmitted says that a full mailbox takes it all the same: what outlives a policy because of a lost notice would
// be allowed wrongly. There is one for each push of the control plane.
func (*PoliciesChanged) AlwaysAdmitted() {}

// Questions to and answers of the DNS cache.

// ResolveName asks for the addresses of a host name.
type ResolveName struct {
	Question
	Hostname string
}

// NameResolved answers ResolveName.
type NameResolved struct {
	Answer
	Hostname string
	Addrs    []netip.Addr
	// Err is why there are none; typed reasons are the DNS cache's.
	Err error
	// Cached says that no resolver was asked.
	Cached bool
}
