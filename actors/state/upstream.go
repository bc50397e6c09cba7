package state

import (
	"math"

	"github.com/troupe-mesh/troupe/messages"
)

// FindUpstream answers the question of that name (spec/dataplane.md §2.5 A, B and the service half of C).
func (t *ServiceTable) FindUpstream(q *messages.FindUpstream) *messages.UpstreamFound {
	a := &messages.UpstreamFound{Answer: answer(&q.Question, t.version)}
	var addressed *entry
	if !q.Owned {
		addressed = t.byAddress(messages.NetworkAddress{Network: q.Network, Addr: q.Dst.Addr()}, q.Source.Namespace)
	}
	if addressed != nil {
		a.Service = addressed.Service
		if ref := t.waypointOf(addressed.Service); ref != nil {
			w := t.gateway(*ref, selection{source: q.Source, mode: messages.ResolveWaypoint, dialled: q.Dst.Addr()})
			a.Waypoint = &w
			return a
		}
	}
	selected := addressed
	if addressed == nil || q.Source.Network != q.Network {
		selected = t.byAddress(messages.NetworkAddress{Network: q.Source.Network, Addr: q.Dst.Addr()}, q.Source.Namespace)
	}
	if selected == nil {
		return a
	}
	a.Selected = selected.Service
	if a.Passthrough = selected.Mode() == messages.BalancePassthrough; a.Passthrough {
		return a
	}
	a.Upstream, a.Considered, a.Eligible = t.choose(selected, selection{
		source: q.Source, port: q.Dst.Port(), mode: messages.ResolveStandard, dialled: q.Dst.Addr(),
	})
	return a
}

// FindDestination answers the question of that name.
func (t *ServiceTable) FindDestination(q *messages.FindDestination) *messages.DestinationFound {
	return &messages.DestinationFound{
		Answer:       answer(&q.Question, t.version),
		GatewayFound: t.gateway(q.Gateway, selection{source: q.Source, mode: q.Mode, dialled: q.Dst.Addr()}),
	}
}

// gateway says what stands behind a reference. By host name visibility does not matter; by address it is that of the
// source's namespace, a passthrough service is none, and the reference's own address guides the choice of one.
func (t *ServiceTable) gateway(ref messages.GatewayAddress, s selection) messages.GatewayFound {
	g := messages.GatewayFound{Reference: ref}
	s.port = ref.HBONEMTLSPort
	var e *entry
	if ref.Destination.IsHostname() {
		e = t.byKey[ref.Destination.Hostname]
	} else {
		e = t.byAddress(ref.Destination.Address, s.source.Namespace)
		s.dialled = ref.Destination.Address.Addr
	}
	if e == nil {
		return g
	}
	g.Known = true
	if ref.Destination.IsHostname() || e.Mode() != messages.BalancePassthrough {
		g.Upstream, _, _ = t.choose(e, s)
	}
	return g
}

// waypointOf is the waypoint of a service for one connection: one of the weighted ones, else the single one, else nil
// (spec/control.md §3.8).
func (t *ServiceTable) waypointOf(s *messages.Service) *messages.GatewayAddress {
	var total uint64
	for _, w := range s.WeightedWaypoints {
		total += uint64(w.Weight)
	}
	if total == 0 || total > math.MaxUint32 {
		return s.Waypoint
	}
	at := t.random.Uint64N(total)
	for i := range s.WeightedWaypoints {
		w := &s.WeightedWaypoints[i]
		if at < uint64(w.Weight) {
			return &w.Destination
		}
		at -= uint64(w.Weight)
	}
	return s.Waypoint
}

// IsGatewayOf answers the question of that name. Health does not matter: an unready waypoint is a waypoint.
func (t *ServiceTable) IsGatewayOf(q *messages.IsGatewayOf) *messages.GatewayOfFound {
	a := &messages.GatewayOfFound{Answer: answer(&q.Question, t.version)}
	var e *entry
	if q.Destination.IsHostname() {
		e = t.byKey[q.Destination.Hostname]
	} else {
		e = t.byAddress(q.Destination.Address, "")
	}
	if e == nil {
		return a
	}
	a.Known = true
	if q.WorkloadUID != "" {
		_, a.Is = t.member(e, q.WorkloadUID)
		return a
	}
	t.everyMember(e, func(ep messages.Endpoint) bool {
		a.Is = ep.Workload.Identity() == q.Identity && ep.Workload.HasIP(q.Addr)
		return !a.Is
	})
	return a
}

// FindInbound answers the question of that name.
func (t *ServiceTable) FindInbound(q *messages.FindInbound) *messages.InboundFound {
	a := &messages.InboundFound{Answer: answer(&q.Question, t.version)}
	if q.Hostname != "" {
		if e := t.byHostname(q.Hostname, q.Local.Namespace); e != nil {
			a.Services = []messages.InboundService{t.inbound(e, q.Local)}
			a.VIP = preferredVIP(e.Service, q.Network)
		}
		return a
	}
	for _, key := range q.Local.Services {
		if e := t.byKey[key]; e != nil {
			a.Services = append(a.Services, t.inbound(e, q.Local))
		}
	}
	return a
}

func (t *ServiceTable) inbound(e *entry, local *messages.Workload) messages.InboundService {
	ep, _ := t.member(e, local.UID)
	return messages.InboundService{Service: e.Service, Ports: ep.Ports}
}
