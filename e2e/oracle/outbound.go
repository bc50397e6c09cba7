package oracle

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// Call is an outbound connection: who calls whom, and what the proxy knows of itself.
type Call struct {
	OurNetwork, LocalNode string
	Source                *messages.Workload
	Src, Dst              netip.AddrPort
	InboundPort           uint16
}

// Way is what becomes of a call: a request, or a denial.
type Way struct {
	Request *messages.Request
	Deny    *messages.Failure
}

func refuse(f *messages.Failure) []Draw[Way] { return surely(Way{Deny: f}) }

// Outbound are all ways that a call may take (§2.5).
func (w *World) Outbound(c Call) []Draw[Way] {
	// A
	var svc *messages.Service
	if w.workloadAt(c.OurNetwork, c.Dst.Addr()) == nil {
		svc = w.serviceAt(c.OurNetwork, c.Dst.Addr(), c.Source.Namespace)
	}
	// B
	if svc == nil {
		return w.withoutWaypoint(c, nil)
	}
	return then(waypointOf(svc), func(g *messages.GatewayAddress) []Draw[Way] {
		if g == nil {
			return w.withoutWaypoint(c, svc)
		}
		return then(w.reference(*g, c.Source, c.Dst, messages.ResolveWaypoint), func(l located) []Draw[Way] {
			if l.deny != nil {
				return refuse(l.deny)
			}
			if l.hop.workload.Network != c.Source.Network {
				return w.throughGateway(c, l.hop, svc, messages.ToServerWaypoint)
			}
			return toWaypoint(c, l.hop, svc)
		})
	})
}

func toWaypoint(c Call, h *hop, label *messages.Service) []Draw[Way] {
	if !h.ip.IsValid() {
		return refuse(noDestination(h.workload))
	}
	return surely(Way{Request: &messages.Request{
		Type: messages.ToServerWaypoint, Protocol: messages.OutboundHBONE, Source: c.Source,
		Dial:               netip.AddrPortFrom(h.ip, h.port),
		Authority:          messages.HostPort{Addr: c.Dst.Addr(), Port: c.Dst.Port()},
		ExpectedIdentities: append(sans(h.service), identity(h.workload)),
		Destination:        h.workload, Service: label,
	}})
}

// throughGateway is GATEWAY(next, service) of §2.5.
func (w *World) throughGateway(c Call, next *hop, svc *messages.Service, t messages.RequestType) []Draw[Way] {
	g := next.workload.NetworkGateway
	if g == nil {
		return refuse(noDestination(next.workload))
	}
	return then(w.reference(*g, c.Source, c.Dst, messages.ResolveStandard), func(l located) []Draw[Way] {
		if l.deny != nil {
			return refuse(l.deny)
		}
		if !l.hop.ip.IsValid() {
			return refuse(noDestination(l.hop.workload))
		}
		return surely(Way{Request: &messages.Request{
			Type: t, Protocol: messages.OutboundDoubleHBONE, Source: c.Source,
			Dial:               netip.AddrPortFrom(l.hop.ip, l.hop.port),
			Authority:          messages.HostPort{Host: svc.Hostname, Port: c.Dst.Port()},
			ExpectedIdentities: append(sans(l.hop.service), identity(l.hop.workload)),
			InnerIdentities:    sans(next.service),
			Destination:        l.hop.workload, Service: svc, Gateway: true,
		}})
	})
}

// withoutWaypoint is the tree from C on.
func (w *World) withoutWaypoint(c Call, svc *messages.Service) []Draw[Way] {
	return then(w.upstream(c.Source.Network, c.Source, c.Dst, messages.ResolveStandard), func(f found) []Draw[Way] {
		owner := w.workloadAt(c.Source.Network, c.Dst.Addr())
		if f.hop == nil && svc == nil && owner != nil {
			// Not so in the reference, which sends what belongs to a workload in plain text here (§15, 21).
			f.hop = &hop{workload: owner, port: c.Dst.Port()}
		}
		if f.hop == nil {
			if svc != nil && (svc.LoadBalancer == nil || svc.LoadBalancer.Mode != messages.BalancePassthrough) {
				return refuse(denied(messages.ReasonNoHealthyUpstream, "no healthy upstream: "+c.Dst.String()))
			}
			return surely(Way{Request: &messages.Request{
				Type: messages.Passthrough, Protocol: messages.OutboundTCP, Source: c.Source, Dial: c.Dst,
			}})
		}
		return then(w.locate(*f.hop, c.Dst.Addr()), func(l located) []Draw[Way] {
			if l.deny != nil {
				return refuse(l.deny)
			}
			return w.toUpstream(c, svc, l.hop)
		})
	})
}

// toUpstream is D to F.
func (w *World) toUpstream(c Call, svc *messages.Service, u *hop) []Draw[Way] {
	if u.workload.Network != c.Source.Network {
		if svc == nil {
			return refuse(denied(messages.ReasonNoService, "no service for target address: "+c.Dst.String()))
		}
		return w.throughGateway(c, u, svc, messages.Direct)
	}
	g := u.workload.Waypoint
	if g == nil || svc != nil {
		return direct(c, u)
	}
	isSource := func(wl *messages.Workload) bool {
		return identity(wl) == identity(c.Source) && owns(wl, c.Src.Addr())
	}
	return then(w.behind(g.Destination, isSource, isSource), func(fromWaypoint bool) []Draw[Way] {
		if fromWaypoint {
			return direct(c, u)
		}
		return then(w.reference(*g, c.Source, c.Dst, messages.ResolveWaypoint), func(l located) []Draw[Way] {
			if l.deny != nil {
				return refuse(l.deny)
			}
			return toWaypoint(c, l.hop, u.service)
		})
	})
}

// direct is G.
func direct(c Call, u *hop) []Draw[Way] {
	if !u.ip.IsValid() {
		return refuse(noDestination(u.workload))
	}
	r := &messages.Request{
		Type: messages.Direct, Protocol: messages.OutboundTCP, Source: c.Source, Dial: netip.AddrPortFrom(u.ip, u.port),
		ExpectedIdentities: append(sans(u.service), identity(u.workload)),
		Destination:        u.workload, Service: u.service,
	}
	if c.LocalNode != "" && u.workload.Node == c.LocalNode {
		r.Type = messages.DirectLocal
	}
	if u.workload.Protocol == messages.ProtocolHBONE {
		r.Protocol = messages.OutboundHBONE
		r.Authority = messages.HostPort{Addr: u.ip, Port: u.port}
		r.Dial = netip.AddrPortFrom(u.ip, c.InboundPort)
	}
	return surely(Way{Request: r})
}

// sans are a service's alternative names that are SPIFFE ids.
func sans(s *messages.Service) []messages.Identity {
	var ids []messages.Identity
	if s == nil {
		return nil
	}
	for _, name := range s.SubjectAltNames {
		if id, err := messages.ParseIdentity(name); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func identity(wl *messages.Workload) messages.Identity {
	return messages.Identity{TrustDomain: wl.TrustDomain, Namespace: wl.Namespace, ServiceAccount: wl.ServiceAccount}
}
