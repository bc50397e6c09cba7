package xds

import (
	"fmt"
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
)

// serviceOf makes the model of a service (spec/control.md §1.1).
func (c *converter) serviceOf(s *workload.Service) (*messages.Service, error) {
	made := &messages.Service{
		Name: same(s.Name), Namespace: same(s.Namespace), Hostname: same(s.Hostname), Canonical: s.Canonical,
	}
	if s.Visibility == workload.Service_NAMESPACE {
		made.Visibility = messages.VisibilityNamespace // anything that nobody knows is public
	}
	for _, name := range s.SubjectAltNames {
		made.SubjectAltNames = append(made.SubjectAltNames, same(name))
	}
	for _, a := range s.Addresses {
		if err := vip(a, made); err != nil {
			return nil, err
		}
	}
	var err error
	if made.Ports, err = c.portMap(s.Ports); err != nil {
		return nil, err
	}
	if made.Waypoint, err = gateway(s.Waypoint); err != nil {
		return nil, fmt.Errorf("waypoint: %w", err)
	}
	for _, w := range s.WeightedWaypoints {
		g, err := gateway(w.Destination)
		if err == nil && g == nil {
			err = errNoDestination
		}
		if err != nil {
			return nil, fmt.Errorf("weighted waypoint: %w", err)
		}
		made.WeightedWaypoints = append(made.WeightedWaypoints, messages.WeightedWaypoint{Destination: *g, Weight: w.Weight})
	}
	if made.IPFamilies, err = families(s.IpFamilies); err != nil {
		return nil, err
	}
	made.LoadBalancer, err = loadBalancer(s.LoadBalancing)
	return made, err
}

// vip adds one address, or a range of them.
func vip(a *workload.NetworkAddress, to *messages.Service) error {
	addr, err := address(a.Address)
	if err != nil {
		return err
	}
	network := same(a.Network)
	if a.Length == nil || *a.Length == uint32(addr.BitLen()) {
		to.VIPs = append(to.VIPs, messages.NetworkAddress{Network: network, Addr: addr})
		return nil
	}
	if *a.Length > uint32(addr.BitLen()) {
		return fmt.Errorf("a prefix of %d bits: %s has %d", *a.Length, addr, addr.BitLen())
	}
	to.CIDRVIPs = append(to.CIDRVIPs, messages.NetworkPrefix{
		Network: network, Prefix: netip.PrefixFrom(addr, int(*a.Length)),
	})
	return nil
}

func families(f workload.IPFamilies) (messages.IPFamilies, error) {
	switch f {
	case workload.IPFamilies_AUTOMATIC:
		return messages.FamiliesUnset, nil
	case workload.IPFamilies_IPV4_ONLY:
		return messages.FamiliesIPv4, nil
	case workload.IPFamilies_IPV6_ONLY:
		return messages.FamiliesIPv6, nil
	case workload.IPFamilies_DUAL:
		return messages.FamiliesDual, nil
	}
	return 0, fmt.Errorf("IP families %s are unknown", f)
}

var scopes = map[workload.LoadBalancing_Scope]messages.Scope{
	workload.LoadBalancing_REGION:  messages.ScopeRegion,
	workload.LoadBalancing_ZONE:    messages.ScopeZone,
	workload.LoadBalancing_SUBZONE: messages.ScopeSubzone,
	workload.LoadBalancing_NODE:    messages.ScopeNode,
	workload.LoadBalancing_CLUSTER: messages.ScopeCluster,
	workload.LoadBalancing_NETWORK: messages.ScopeNetwork,
}

var balancerModes = map[workload.LoadBalancing_Mode]messages.LoadBalancerMode{
	workload.LoadBalancing_UNSPECIFIED_MODE: messages.BalanceStandard,
	workload.LoadBalancing_STRICT:           messages.BalanceStrict,
	workload.LoadBalancing_FAILOVER:         messages.BalanceFailover,
	workload.LoadBalancing_PASSTHROUGH:      messages.BalancePassthrough,
}

var healthPolicies = map[workload.LoadBalancing_HealthPolicy]messages.HealthPolicy{
	workload.LoadBalancing_ONLY_HEALTHY: messages.OnlyHealthy,
	workload.LoadBalancing_ALLOW_ALL:    messages.AllowAll,
}

// loadBalancer is nil where there is none.
func loadBalancer(b *workload.LoadBalancing) (*messages.LoadBalancer, error) {
	if b == nil {
		return nil, nil
	}
	made := &messages.LoadBalancer{}
	for _, s := range b.RoutingPreference {
		scope, ok := scopes[s]
		if !ok {
			return nil, fmt.Errorf("routing preference %s is unknown", s)
		}
		made.RoutingPreferences = append(made.RoutingPreferences, scope)
	}
	var ok bool
	if made.Mode, ok = balancerModes[b.Mode]; !ok {
		return nil, fmt.Errorf("load balancer mode %s is unknown", b.Mode)
	}
	if made.HealthPolicy, ok = healthPolicies[b.HealthPolicy]; !ok {
		return nil, fmt.Errorf("health policy %s is unknown", b.HealthPolicy)
	}
	return made, nil
}
