package oracle

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// located is a hop with its address, which may be missing, or why there is none.
type located struct {
	hop  *hop
	deny *messages.Failure
}

func denied(reason messages.Reason, text string) *messages.Failure {
	return &messages.Failure{Reason: reason, Text: text}
}

func noDestination(wl *messages.Workload) *messages.Failure {
	protocol := "TCP"
	if wl.Protocol == messages.ProtocolHBONE {
		protocol = "HBONE"
	}
	return denied(messages.ReasonNoDestination,
		"no valid routing destination for workload: Workload{"+wl.Name+" with uid "+wl.UID+" ("+protocol+")}")
}

// locate chooses the address of a hop for a client who dialled an address (§2.4, IP choice).
func (w *World) locate(h hop, dialled netip.Addr) []Draw[located] {
	wl := h.workload
	if owns(wl, dialled) {
		h.ip = dialled
		return surely(located{hop: &h})
	}
	var left []netip.Addr
	for _, ip := range wl.WorkloadIPs {
		only4 := h.service != nil && h.service.IPFamilies == messages.FamiliesIPv4
		only6 := h.service != nil && h.service.IPFamilies == messages.FamiliesIPv6
		if (only4 && ip.Is6()) || (only6 && ip.Is4()) {
			continue
		}
		left = append(left, ip)
	}
	for _, ip := range left {
		if ip.Is4() == dialled.Is4() {
			h.ip = ip
			return surely(located{hop: &h})
		}
	}
	if len(left) > 0 {
		h.ip = left[0]
		return surely(located{hop: &h})
	}
	if wl.Hostname == "" {
		if wl.NetworkGateway != nil {
			return surely(located{hop: &h})
		}
		return surely(located{deny: noDestination(wl)})
	}
	return w.resolve(h, dialled)
}

// resolve draws one of the addresses of the hop's host name: of the dialled family, else of the other.
func (w *World) resolve(h hop, dialled netip.Addr) []Draw[located] {
	addrs, known := w.Names[h.workload.Hostname]
	if !known {
		return surely(located{deny: denied(messages.ReasonNameResolution,
			"no ip addresses were resolved for workload: "+h.workload.UID)})
	}
	if len(addrs) == 0 {
		return surely(located{deny: denied(messages.ReasonNameResolution, "ip addresses were resolved for workload "+
			h.workload.UID+", but valid dns response had no A/AAAA records")})
	}
	var same []netip.Addr
	for _, ip := range addrs {
		if ip.Is4() == dialled.Is4() {
			same = append(same, ip)
		}
	}
	if len(same) == 0 {
		same = addrs
	}
	return then(evenly(same), func(ip netip.Addr) []Draw[located] {
		there := h
		there.ip = ip
		return surely(located{hop: &there})
	})
}

// reference resolves a waypoint (in mode waypoint) or a network gateway (in mode standard). It never falls back.
func (w *World) reference(g messages.GatewayAddress, source *messages.Workload, dst netip.AddrPort, mode messages.ResolutionMode) []Draw[located] {
	what, reason := "waypoint", messages.ReasonUnknownWaypoint
	if mode == messages.ResolveStandard {
		what, reason = "network gateway", messages.ReasonUnknownGateway
	}
	unknown := func(name string) []Draw[located] {
		return surely(located{deny: denied(reason, "unknown "+what+": "+what+" "+name+" not found")})
	}
	named := g.Destination.Hostname
	if !g.Destination.IsHostname() {
		a := g.Destination.Address
		there := netip.AddrPortFrom(a.Addr, g.HBONEMTLSPort)
		return then(w.upstream(a.Network, source, there, mode), func(f found) []Draw[located] {
			if f.hop == nil {
				return unknown(g.String())
			}
			return w.locate(*f.hop, a.Addr)
		})
	}
	if s := w.serviceNamed(named); s != nil {
		return then(w.choose(s, source, g.HBONEMTLSPort, mode), func(h *hop) []Draw[located] {
			if h == nil {
				return unknown(g.String())
			}
			return w.locate(*h, dst.Addr())
		})
	}
	if all := w.workloadsNamed(named); len(all) > 0 {
		return then(anyOf(all), func(wl *messages.Workload) []Draw[located] {
			return w.locate(hop{workload: wl, port: g.HBONEMTLSPort}, dst.Addr())
		})
	}
	return unknown(named.Hostname)
}

// waypointOf draws the waypoint of a service: weighted ones come before the single one (§2.4).
func waypointOf(s *messages.Service) []Draw[*messages.GatewayAddress] {
	var total uint64
	for _, ww := range s.WeightedWaypoints {
		total += uint64(ww.Weight)
	}
	if total == 0 || total > 1<<32-1 {
		return surely(s.Waypoint)
	}
	var all []Draw[*messages.GatewayAddress]
	for i := range s.WeightedWaypoints {
		ww := &s.WeightedWaypoints[i]
		if ww.Weight > 0 {
			all = append(all, Draw[*messages.GatewayAddress]{Value: &ww.Destination, P: float64(ww.Weight) / float64(total)})
		}
	}
	return all
}

// behind says whether somebody for whom is true stands behind a reference: the workload itself, or a member of the
// service. An address means the workload first, a host name the service first; no namespace is hidden (§2.6, §4.6).
func (w *World) behind(d messages.Destination, asWorkload, asMember func(*messages.Workload) bool) []Draw[bool] {
	anyMember := func(s *messages.Service) []Draw[bool] {
		for _, e := range w.members(s) {
			if asMember(e.workload) {
				return surely(true)
			}
		}
		return surely(false)
	}
	if !d.IsHostname() {
		if wl := w.workloadAt(d.Address.Network, d.Address.Addr); wl != nil {
			return surely(asWorkload(wl))
		}
		if s := w.serviceAt(d.Address.Network, d.Address.Addr, ""); s != nil {
			return anyMember(s)
		}
		return surely(false)
	}
	if s := w.serviceNamed(d.Hostname); s != nil {
		return anyMember(s)
	}
	if all := w.workloadsNamed(d.Hostname); len(all) > 0 {
		return then(anyOf(all), func(wl *messages.Workload) []Draw[bool] { return surely(asWorkload(wl)) })
	}
	return surely(false)
}
