package oracle

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// endpoint is a workload behind a service.
type endpoint struct {
	workload *messages.Workload
	ports    messages.PortMap
}

// hop is a workload that was found, with the port there, the service that led to it and the address to dial.
type hop struct {
	workload *messages.Workload
	port     uint16
	service  *messages.Service
	ip       netip.Addr
}

// members are the workloads behind a service, healthy or not: whether somebody belongs to a service is not a matter of
// health, unlike in the reference, which forgets unhealthy endpoints (spec/control.md §10.4).
func (w *World) members(s *messages.Service) []endpoint {
	var all []endpoint
	for _, u := range w.Workloads {
		if ports, behind := u.Ports[s.Key()]; behind {
			all = append(all, endpoint{u.Workload, ports})
		}
	}
	return all
}

// endpoints are the members that the service's health policy lets through: the ones that traffic may go to.
func (w *World) endpoints(s *messages.Service) []endpoint {
	var all []endpoint
	for _, e := range w.members(s) {
		everyone := s.LoadBalancer != nil && s.LoadBalancer.HealthPolicy == messages.AllowAll
		if e.workload.Status == messages.Healthy || everyone {
			all = append(all, e)
		}
	}
	return all
}

// usable says whether an endpoint passes the filter of §2.4.
func usable(s *messages.Service, e endpoint, source *messages.Workload, port uint16, mode messages.ResolutionMode) bool {
	wl := e.workload
	if len(wl.WorkloadIPs) == 0 && wl.Hostname == "" {
		if wl.Network == source.Network || wl.NetworkGateway == nil {
			return false
		}
	}
	target, listed := s.Ports[port]
	switch mode {
	case messages.ResolveStandard:
		if !listed {
			return false
		}
		if _, own := e.ports[port]; target == 0 && !own {
			return false
		}
	case messages.ResolveWaypoint:
		if !listed && wl.ApplicationTunnel == nil {
			return false
		}
	}
	return true
}

// rank walks the preferences: how high the endpoint comes, and whether it matches every one of them.
func rank(preferences []messages.Scope, a, b *messages.Workload) (int, bool) {
	score, matches, stopped := 0, 0, false
	networkFirst := len(preferences) > 0 && preferences[0] == messages.ScopeNetwork
	for i, scope := range preferences {
		same := sameScope(scope, a, b)
		if same {
			matches++
		}
		if stopped {
			continue
		}
		switch {
		case same && i == 0 && networkFirst:
			score += 1 + len(preferences) - 1
		case same:
			score++
		case i == 0 && networkFirst:
		default:
			stopped = true
		}
	}
	return score, matches == len(preferences)
}

func sameScope(scope messages.Scope, a, b *messages.Workload) bool {
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

// candidates are the endpoints that are drawn from.
func (w *World) candidates(s *messages.Service, source *messages.Workload, port uint16, mode messages.ResolutionMode) []endpoint {
	var left []endpoint
	for _, e := range w.endpoints(s) {
		if usable(s, e, source, port, mode) {
			left = append(left, e)
		}
	}
	lb := s.LoadBalancer
	if lb == nil || lb.Mode == messages.BalanceStandard {
		return left
	}
	top := 0
	var best []endpoint
	for _, e := range left {
		score, all := rank(lb.RoutingPreferences, source, e.workload)
		if lb.Mode == messages.BalanceStrict && !all {
			continue
		}
		if len(best) == 0 || score > top {
			top, best = score, nil
		}
		if score == top {
			best = append(best, e)
		}
	}
	return best
}

// choose draws an endpoint by its workload's capacity, then maps the port; nil is no upstream.
func (w *World) choose(s *messages.Service, source *messages.Workload, port uint16, mode messages.ResolutionMode) []Draw[*hop] {
	left := w.candidates(s, source, port, mode)
	var total float64
	for _, e := range left {
		total += float64(e.workload.Capacity)
	}
	if total == 0 {
		return surely[*hop](nil)
	}
	var all []Draw[*hop]
	for _, e := range left {
		if e.workload.Capacity == 0 {
			continue
		}
		all = append(all, Draw[*hop]{Value: reach(s, e, port), P: float64(e.workload.Capacity) / total})
	}
	return all
}

// reach is an endpoint with its target port, nil where none is said.
func reach(s *messages.Service, e endpoint, port uint16) *hop {
	h := &hop{workload: e.workload, service: s}
	tunnel := e.workload.ApplicationTunnel
	if own, ok := e.ports[port]; ok {
		h.port = own
	} else if s.Ports[port] > 0 {
		h.port = s.Ports[port]
	} else if tunnel != nil && tunnel.Port > 0 {
		h.port = port
	} else {
		return nil
	}
	return h
}

// found is what find_upstream finds: a hop, nothing, or a service that keeps the original destination.
type found struct {
	hop         *hop
	passthrough bool
}

// upstream is find_upstream of §2.4: the service comes first, then the workload.
func (w *World) upstream(network string, source *messages.Workload, dst netip.AddrPort, mode messages.ResolutionMode) []Draw[found] {
	if s := w.serviceAt(network, dst.Addr(), source.Namespace); s != nil {
		if s.LoadBalancer != nil && s.LoadBalancer.Mode == messages.BalancePassthrough {
			return surely(found{passthrough: true})
		}
		return then(w.choose(s, source, dst.Port(), mode), func(h *hop) []Draw[found] { return surely(found{hop: h}) })
	}
	if wl := w.workloadAt(network, dst.Addr()); wl != nil {
		return surely(found{hop: &hop{workload: wl, port: dst.Port()}})
	}
	return surely(found{})
}
