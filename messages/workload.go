package messages

import (
	"net/netip"
	"slices"
	"strings"
)

// Defaults of workloads that leave a field empty (spec/dataplane.md §2.3).
const (
	DefaultServiceAccount = "default"
	DefaultClusterID      = "Kubernetes"
	DefaultCapacity       = 1
)

// Protocol is how a workload takes traffic.
type Protocol uint8

// The protocols.
const (
	ProtocolTCP Protocol = iota
	ProtocolHBONE
)

// String is the name in dumps: TCP or HBONE.
func (p Protocol) String() string { return [...]string{"TCP", "HBONE"}[p] }

// NetworkMode says whether a workload shares its node's addresses.
type NetworkMode uint8

// The network modes.
const (
	NetworkStandard NetworkMode = iota
	NetworkHost
)

// String is the name in dumps.
func (m NetworkMode) String() string { return [...]string{"Standard", "HostNetwork"}[m] }

// HealthStatus is whether a workload may be given traffic.
type HealthStatus uint8

// The health states.
const (
	Healthy HealthStatus = iota
	Unhealthy
)

// String is the name in dumps.
func (s HealthStatus) String() string { return [...]string{"Healthy", "Unhealthy"}[s] }

// TunnelProtocol is how an application tunnel wants the connection told.
type TunnelProtocol uint8

// The application tunnels' protocols.
const (
	TunnelNone TunnelProtocol = iota
	TunnelProxy
)

// String is the name in dumps.
func (p TunnelProtocol) String() string { return [...]string{"NONE", "PROXY"}[p] }

// ApplicationTunnel moves traffic to another port of the workload. Port 0 means that it names none.
type ApplicationTunnel struct {
	Protocol TunnelProtocol
	Port     uint16
}

// Locality is where a workload runs.
type Locality struct {
	Region, Zone, Subzone string
}

// PortMap maps service ports to target ports.
type PortMap map[uint16]uint16

// Workload is one workload of the mesh, frozen (spec/control.md §1.1). UID is its key.
type Workload struct {
	UID                   string
	Name                  string
	Namespace             string
	WorkloadIPs           []netip.Addr
	Waypoint              *GatewayAddress
	NetworkGateway        *GatewayAddress
	Protocol              Protocol
	NetworkMode           NetworkMode
	TrustDomain           string
	ServiceAccount        string
	Network               string
	WorkloadName          string
	WorkloadType          string // lower case: deployment, cronjob, pod, job; empty when never told
	CanonicalName         string
	CanonicalRevision     string
	Hostname              string
	Node                  string
	NativeTunnel          bool
	ApplicationTunnel     *ApplicationTunnel
	AuthorizationPolicies []string // store keys, normally namespace/name
	Status                HealthStatus
	ClusterID             string
	Locality              Locality
	Capacity              uint32
	// Services are the services that the workload is an endpoint of, in sorted order.
	Services []NamespacedHostname
}

// Identity is the SPIFFE id the workload must present.
func (w *Workload) Identity() Identity {
	return Identity{TrustDomain: w.TrustDomain, Namespace: w.Namespace, ServiceAccount: w.ServiceAccount}
}

// Info is what ties the workload to its pod.
func (w *Workload) Info() WorkloadInfo {
	return WorkloadInfo{Name: w.Name, Namespace: w.Namespace, ServiceAccount: w.ServiceAccount}
}

// PolicedLike reports whether the same policies apply to other, the same pod's workload at another time, and whether it is
// behind the same waypoint.
func (w *Workload) PolicedLike(other *Workload) bool {
	same := (w.Waypoint == nil) == (other.Waypoint == nil) && (w.Waypoint == nil || *w.Waypoint == *other.Waypoint)
	return same && w.Namespace == other.Namespace && slices.Equal(w.AuthorizationPolicies, other.AuthorizationPolicies)
}

// HasIP reports whether ip is one of the workload's.
func (w *Workload) HasIP(ip netip.Addr) bool {
	for _, have := range w.WorkloadIPs {
		if have == ip {
			return true
		}
	}
	return false
}

// AddressRank orders workloads that share an address: pods that speak HBONE, pods, HBONE workloads, others
// (spec/control.md §3.1).
func (w *Workload) AddressRank() int {
	rank := 0
	if strings.Contains(w.UID, "//Pod/") {
		rank = 2
	}
	if w.Protocol == ProtocolHBONE {
		rank++
	}
	return rank
}

// String names the workload as the reference's error texts do.
func (w *Workload) String() string {
	return "Workload{" + w.Name + " with uid " + w.UID + " (" + w.Protocol.String() + ")}"
}

// WorkloadUpdate is one workload as discovery delivers it: the workload and, per service, its own port mapping.
type WorkloadUpdate struct {
	Workload *Workload
	Ports    map[NamespacedHostname]PortMap
}
