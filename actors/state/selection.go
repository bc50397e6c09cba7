package state

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// selection is the choice of one endpoint of a service (spec/control.md §3.5).
type selection struct {
	source  *messages.Workload
	port    uint16 // service port
	mode    messages.ResolutionMode
	dialled netip.Addr // guides the choice of an address
}

// ranked is an endpoint that may be chosen.
type ranked struct {
	endpoint *messages.Endpoint
	rank     int
}

// choose draws an endpoint of e by weight among the best ranked; nil when none is usable. Considered and eligible count
// the endpoints looked at and those that passed the filters.
func (t *ServiceTable) choose(e *entry, s selection) (u *messages.Upstream, considered, eligible int) {
	endpoints := t.endpoints(e)
	considered = len(endpoints)
	if _, ok := e.Ports[s.port]; !ok && s.mode == messages.ResolveStandard {
		return nil, considered, 0
	}
	candidates := t.ranks[:0]
	top := -1
	for i := range endpoints {
		ep := &endpoints[i]
		if !s.usable(e.Service, ep) {
			continue
		}
		rank, ok := rank(e.LoadBalancer, s.source, ep.Workload)
		if !ok {
			continue
		}
		candidates = append(candidates, ranked{ep, rank})
		top = max(top, rank)
	}
	t.ranks = candidates[:0]
	chosen := t.draw(candidates, top)
	eligible = len(candidates)
	clear(candidates)
	if chosen == nil {
		return nil, considered, eligible
	}
	port, ok := chosen.MapPort(e.Service, s.port)
	if !ok {
		return nil, considered, eligible
	}
	return &messages.Upstream{
		Workload: chosen.Workload,
		Port:     port,
		IP:       chosen.Workload.ChooseIP(e.IPFamilies, s.dialled),
		Service:  e.Service,
	}, considered, eligible
}

// draw picks one of the candidates with rank top, at random by capacity.
func (t *ServiceTable) draw(candidates []ranked, top int) *messages.Endpoint {
	var total uint64
	for _, c := range candidates {
		if c.rank == top {
			total += uint64(c.endpoint.Workload.Capacity)
		}
	}
	if total == 0 {
		return nil
	}
	at := t.random.Uint64N(total)
	for _, c := range candidates {
		if c.rank != top {
			continue
		}
		weight := uint64(c.endpoint.Workload.Capacity)
		if at < weight {
			return c.endpoint
		}
		at -= weight
	}
	return nil
}

// usable reports whether an endpoint can be reached at all, on the port that is asked for.
func (s selection) usable(service *messages.Service, ep *messages.Endpoint) bool {
	w := ep.Workload
	if len(w.WorkloadIPs) == 0 && w.Hostname == "" && (w.Network == s.source.Network || w.NetworkGateway == nil) {
		return false
	}
	target, listed := service.Ports[s.port]
	switch s.mode {
	case messages.ResolveStandard:
		if target == 0 {
			_, named := ep.Ports[s.port]
			return named
		}
	case messages.ResolveWaypoint:
		return listed || w.ApplicationTunnel != nil
	}
	return true
}

// rank is how near an endpoint is to the source; it is false for one that may not be used. Without a load balancer all
// are equal.
func rank(lb *messages.LoadBalancer, source, w *messages.Workload) (int, bool) {
	if lb == nil || lb.Mode == messages.BalanceStandard {
		return 0, true
	}
	preferences := lb.RoutingPreferences
	networkFirst := len(preferences) > 0 && preferences[0] == messages.ScopeNetwork
	rank, bonus := 0, 0
	for i, scope := range preferences {
		first := networkFirst && i == 0
		if !same(scope, source, w) {
			if first {
				continue // remote endpoints are ordered by the other scopes
			}
			break
		}
		rank++
		if first {
			bonus = len(preferences) - 1 // any endpoint of our network beats any remote one
		}
	}
	if lb.Mode == messages.BalanceStrict && rank != len(preferences) {
		return 0, false
	}
	return rank + bonus, true
}

func same(scope messages.Scope, a, b *messages.Workload) bool {
	switch scope {
	case messages.ScopeRegion:
		return a.Locality.Region == b.Locality.Region
	case messages.ScopeZone:
		return a.Locality.Zone == b.Locality.Zone
	case messages.ScopeSubzone:
		return a.Locality.Subzone == b.Locality.Subzone
	case messages.ScopeNode:
		return a.Node == b.Node
	case messages.ScopeCluster:
		return a.ClusterID == b.ClusterID
	case messages.ScopeNetwork:
		return a.Network == b.Network
	}
	return false
}
