package messages

import "net/netip"

// LoadBalancerMode is how endpoints are chosen.
type LoadBalancerMode uint8

// The modes (spec/dataplane.md §2.4).
const (
	BalanceStandard LoadBalancerMode = iota
	BalanceStrict
	BalanceFailover
	BalancePassthrough
)

// String is the name in dumps.
func (m LoadBalancerMode) String() string {
	return [...]string{"Standard", "Strict", "Failover", "Passthrough"}[m]
}

// Scope is one level of locality that a routing preference compares.
type Scope uint8

// The scopes.
const (
	ScopeRegion Scope = iota
	ScopeZone
	ScopeSubzone
	ScopeNode
	ScopeCluster
	ScopeNetwork
)

// String is the name in dumps.
func (s Scope) String() string {
	return [...]string{"Region", "Zone", "Subzone", "Node", "Cluster", "Network"}[s]
}

// HealthPolicy says whether unhealthy endpoints are used.
type HealthPolicy uint8

// The health policies.
const (
	OnlyHealthy HealthPolicy = iota
	AllowAll
)

// String is the name in dumps.
func (h HealthPolicy) String() string { return [...]string{"OnlyHealthy", "AllowAll"}[h] }

// LoadBalancer says how a service's endpoints are ranked.
type LoadBalancer struct {
	RoutingPreferences []Scope
	Mode               LoadBalancerMode
	HealthPolicy       HealthPolicy
}

// IPFamilies restricts which of an endpoint's addresses a service uses.
type IPFamilies uint8

// The restrictions; FamiliesUnset means that the service told none.
const (
	FamiliesUnset IPFamilies = iota
	FamiliesDual
	FamiliesIPv4
	FamiliesIPv6
)

// String is the name in dumps; empty when unset.
func (f IPFamilies) String() string { return [...]string{"", "Dual", "IPv4", "IPv6"}[f] }

// Allows reports whether a service with these families may use ip.
func (f IPFamilies) Allows(ip netip.Addr) bool {
	switch f {
	case FamiliesIPv4:
		return ip.Is4()
	case FamiliesIPv6:
		return ip.Is6()
	case FamiliesUnset, FamiliesDual:
	}
	return true
}

// Visibility says who may see a service.
type Visibility uint8

// The visibilities.
const (
	VisibilityPublic Visibility = iota
	VisibilityNamespace
)

// String is the name in dumps.
func (v Visibility) String() string { return [...]string{"Public", "Namespace"}[v] }

// WeightedWaypoint is one of several waypoints that share a service's traffic.
type WeightedWaypoint struct {
	Destination GatewayAddress
	Weight      uint32
}

// Service is one service of the mesh, frozen, without its endpoints: those belong to the service store.
// Namespace and Hostname are its key (spec/control.md §1.1).
type Service struct {
	Name              string
	Namespace         string
	Hostname          string
	VIPs              []NetworkAddress
	CIDRVIPs          []NetworkPrefix
	Ports             PortMap // target port 0 is a named port: the endpoint decides
	SubjectAltNames   []string
	Waypoint          *GatewayAddress
	WeightedWaypoints []WeightedWaypoint
	LoadBalancer      *LoadBalancer
	IPFamilies        IPFamilies
	Canonical         bool
	Visibility        Visibility
}

// Key is the service's key.
func (s *Service) Key() NamespacedHostname {
	return NamespacedHostname{Namespace: s.Namespace, Hostname: s.Hostname}
}

// VisibleTo reports whether clients of namespace see the service; the empty namespace sees everything.
func (s *Service) VisibleTo(namespace string) bool {
	return s.Visibility == VisibilityPublic || namespace == "" || namespace == s.Namespace
}

// Mode is the load-balancer mode; Standard where none is set.
func (s *Service) Mode() LoadBalancerMode {
	if s.LoadBalancer == nil {
		return BalanceStandard
	}
	return s.LoadBalancer.Mode
}

// AllowsUnhealthy reports whether unhealthy endpoints may be used.
func (s *Service) AllowsUnhealthy() bool {
	return s.LoadBalancer != nil && s.LoadBalancer.HealthPolicy == AllowAll
}

// Endpoint is one workload behind a service, frozen, with its own port mapping.
type Endpoint struct {
	Workload *Workload
	Ports    PortMap
}

// ServiceUpdate is one service as discovery delivers it. Endpoints are those that the source states with the
// service itself (local files may); normally endpoints follow from workloads.
type ServiceUpdate struct {
	Service   *Service
	Endpoints map[string]StatedEndpoint // by workload uid
}

// StatedEndpoint is an endpoint stated with its service.
type StatedEndpoint struct {
	WorkloadUID string
	Ports       PortMap
	Status      HealthStatus
}
