package oracle

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
)

// Arrival is an inbound connection: a CONNECT stream, or a plaintext connection where Authority is zero.
type Arrival struct {
	OurNetwork       string
	Local            *messages.Workload
	Src              netip.AddrPort
	Identity         messages.Identity
	Dst              netip.AddrPort
	Authority        messages.HostPort
	ForwardedHost    string
	ForwardedNetwork string
	Forwarded        bool
	IllegalPorts     []uint16
	LocalhostTunnel  bool
	EnforceWaypoint  bool
}

// Reception is what becomes of an arrival.
type Reception struct {
	Inbound *messages.InboundRequest
	Deny    *messages.Failure
}

func reject(reason messages.Reason, text string) []Draw[Reception] {
	return surely(Reception{Deny: denied(reason, text)})
}

// Inbound are all receptions that an arrival may find (§4.6–§4.9, §5).
func (w *World) Inbound(a Arrival) []Draw[Reception] {
	if a.Authority.IsZero() {
		return w.plaintext(a)
	}
	return then(w.validate(a), func(valid bool) []Draw[Reception] {
		if !valid {
			return reject(messages.ReasonAddressMismatch,
				"ip mismatch: "+a.Dst.Addr().String()+" != "+a.Authority.Addr.String())
		}
		return w.nextHop(a)
	})
}

// validate is §4.6.
func (w *World) validate(a Arrival) []Draw[bool] {
	if !a.Authority.Addr.IsValid() || a.Authority.Addr == a.Dst.Addr() || a.Local.ApplicationTunnel != nil {
		return surely(true)
	}
	var waypoints []messages.GatewayAddress
	if wl := w.workloadAt(a.OurNetwork, a.Authority.Addr); wl != nil {
		if wl.Waypoint != nil {
			waypoints = append(waypoints, *wl.Waypoint)
		}
	} else if s := w.serviceAt(a.OurNetwork, a.Authority.Addr, ""); s != nil {
		if s.Waypoint != nil {
			waypoints = append(waypoints, *s.Waypoint)
		}
		for _, ww := range s.WeightedWaypoints { // the reference forgets them (§15, 7)
			if ww.Weight > 0 {
				waypoints = append(waypoints, ww.Destination)
			}
		}
	}
	valid := surely(false)
	for _, g := range waypoints {
		valid = then(valid, func(already bool) []Draw[bool] {
			if already {
				return surely(true)
			}
			return w.behind(g.Destination,
				func(wl *messages.Workload) bool { return owns(wl, a.Dst.Addr()) },
				func(wl *messages.Workload) bool { return wl.UID == a.Local.UID })
		})
	}
	return valid
}

// nextHop is §4.7.
func (w *World) nextHop(a Arrival) []Draw[Reception] {
	port := a.Authority.Port
	var candidates []*messages.Service
	if a.Authority.Addr.IsValid() {
		candidates = w.servicesOf(a.Local)
	} else {
		s := w.serviceOfHost(a.Authority.Host, a.Local.Namespace)
		if s == nil {
			return reject(messages.ReasonNoService, "no service or workload for hostname: "+a.Authority.Host)
		}
		candidates = []*messages.Service{s}
		own, ok := w.portsOf(a.Local, s)[port]
		if !ok {
			own = s.Ports[port]
		}
		if own == 0 {
			return reject(messages.ReasonNoDestination, fmt.Sprintf("requested service %s:%d found, but cannot resolve port", s.Hostname, port))
		}
		port = own
	}
	if slices.Contains(a.IllegalPorts, port) {
		return reject(messages.ReasonLoopRejected, "attempted recursive call to ourselves")
	}
	r := &messages.InboundRequest{Local: a.Local}
	if tunnel := a.Local.ApplicationTunnel; tunnel != nil {
		if tunnel.Port != 0 {
			port = tunnel.Port
		}
		target := a.Authority.AddrPort()
		if !a.Authority.Addr.IsValid() {
			vip, ok := vipOf(candidates[0], a.OurNetwork)
			if !ok {
				return reject(messages.ReasonNoDestination, "requested service "+candidates[0].Hostname+" found, but has no IP addresses")
			}
			target = netip.AddrPortFrom(vip, a.Authority.Port)
		}
		if tunnel.Protocol == messages.TunnelProxy {
			r.TunnelTarget = target
			r.Loopback = a.LocalhostTunnel
		}
	}
	r.Target = netip.AddrPortFrom(a.Dst.Addr(), port)
	r.Dial = r.Target
	if r.Loopback {
		loopback := netip.MustParseAddr("127.0.0.1")
		if a.Dst.Addr().Is6() {
			loopback = netip.MustParseAddr("::1")
		}
		r.Dial = netip.AddrPortFrom(loopback, port)
	}
	r.FromGateway = a.Forwarded && !strings.EqualFold(a.ForwardedNetwork, a.OurNetwork)
	if !r.FromGateway {
		r.Source = w.workloadAt(a.OurNetwork, a.Src.Addr())
	}
	r.Service = w.guess(a, candidates, port)
	return w.fromWaypoint(a, r)
}

func (w *World) plaintext(a Arrival) []Draw[Reception] {
	if slices.Contains(a.IllegalPorts, a.Dst.Port()) {
		return reject(messages.ReasonLoopRejected, "attempted recursive call to ourselves")
	}
	a.ForwardedHost = ""
	return w.fromWaypoint(a, &messages.InboundRequest{
		Local: a.Local, Dial: a.Dst, Target: a.Dst,
		Source:  w.workloadAt(a.OurNetwork, a.Src.Addr()),
		Service: w.guess(a, w.servicesOf(a.Local), a.Dst.Port()),
	})
}

// fromWaypoint notes whether the peer is the local workload's own waypoint, where that is to be known.
func (w *World) fromWaypoint(a Arrival, r *messages.InboundRequest) []Draw[Reception] {
	if !a.EnforceWaypoint || a.Local.Waypoint == nil || a.Identity.IsZero() {
		return surely(Reception{Inbound: r})
	}
	isPeer := func(wl *messages.Workload) bool { return identity(wl) == a.Identity && owns(wl, a.Src.Addr()) }
	return then(w.behind(a.Local.Waypoint.Destination, isPeer, isPeer), func(is bool) []Draw[Reception] {
		told := *r
		told.FromWaypoint = is
		return surely(Reception{Inbound: &told})
	})
}

// servicesOf are the services that a workload names and that exist, sorted.
func (w *World) servicesOf(wl *messages.Workload) []*messages.Service {
	var all []*messages.Service
	for _, s := range w.Services {
		if slices.Contains(wl.Services, s.Key()) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *messages.Service) int { return strings.Compare(a.Key().String(), b.Key().String()) })
	return all
}

// portsOf is the mapping of a workload as a member of a service, nil where it is none.
func (w *World) portsOf(wl *messages.Workload, s *messages.Service) messages.PortMap {
	for _, e := range w.members(s) {
		if e.workload.UID == wl.UID {
			return e.ports
		}
	}
	return nil
}

// guess is the service that was probably meant (§4.8).
func (w *World) guess(a Arrival, candidates []*messages.Service, port uint16) *messages.Service {
	for _, s := range candidates {
		if a.ForwardedHost != "" && s.Hostname == a.ForwardedHost {
			return s
		}
	}
	for _, s := range candidates {
		own := w.portsOf(a.Local, s)
		for servicePort, target := range s.Ports {
			if target == port || own[servicePort] == port {
				return s
			}
		}
	}
	return nil
}

// vipOf is the best exact VIP of a service: IPv4 on our network, then IPv6 on it, then others; the last of equals.
func vipOf(s *messages.Service, ours string) (netip.Addr, bool) {
	var best netip.Addr
	bestRank := -1
	for _, vip := range s.VIPs {
		rank := 0
		if vip.Network == ours {
			rank = 1
			if vip.Addr.Is4() {
				rank = 2
			}
		}
		if rank >= bestRank {
			best, bestRank = vip.Addr, rank
		}
	}
	return best, bestRank >= 0
}
