package route

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// toWaypoint sends the connection to the waypoint in o.hop, which is told the original destination.
func (o *Outbound) toWaypoint(label *messages.Service) Step {
	if !o.hop.IP.IsValid() {
		return Step{Deny: messages.NoDestination(o.hop.Workload)}
	}
	return Step{Request: &messages.Request{
		Type:               messages.ToServerWaypoint,
		Protocol:           messages.OutboundHBONE,
		Source:             o.Source,
		Dial:               o.hop.AddrPort(),
		Authority:          messages.AddrHostPort(o.Dst),
		ExpectedIdentities: o.hop.Identities(),
		Destination:        o.hop.Workload,
		Service:            label,
	}}
}

// throughGateway reaches next, which is on another network, through that network's gateway: a tunnel to next inside a
// tunnel to the gateway. Without a gateway nothing is sent.
func (o *Outbound) throughGateway(next messages.Upstream, t messages.RequestType) Step {
	ref := next.Workload.NetworkGateway
	if ref == nil {
		return Step{Deny: messages.NoDestination(next.Workload)}
	}
	return o.findDestination(*ref, messages.ResolveStandard, networkRole, func() Step {
		if !o.hop.IP.IsValid() {
			return Step{Deny: messages.NoDestination(o.hop.Workload)}
		}
		return Step{Request: &messages.Request{
			Type:               t,
			Protocol:           messages.OutboundDoubleHBONE,
			Source:             o.Source,
			Dial:               o.hop.AddrPort(),
			Authority:          messages.HostPort{Host: o.service.Hostname, Port: o.Dst.Port()},
			ExpectedIdentities: o.hop.Identities(),
			InnerIdentities:    next.Service.Identities(),
			Destination:        o.hop.Workload,
			Service:            o.service,
			Gateway:            true,
		}}
	})
}

// direct is step G: the backend itself.
func (o *Outbound) direct() Step {
	u := &o.upstream
	if !u.IP.IsValid() {
		return Step{Deny: messages.NoDestination(u.Workload)}
	}
	r := &messages.Request{
		Type:               messages.Direct,
		Protocol:           messages.OutboundTCP,
		Source:             o.Source,
		Dial:               u.AddrPort(),
		ExpectedIdentities: u.Identities(),
		Destination:        u.Workload,
		Service:            u.Service,
	}
	if o.LocalNode != "" && u.Workload.Node == o.LocalNode {
		r.Type = messages.DirectLocal
	}
	if u.Workload.Protocol == messages.ProtocolHBONE {
		r.Protocol = messages.OutboundHBONE
		r.Authority = messages.AddrHostPort(u.AddrPort())
		r.Dial = netip.AddrPortFrom(u.IP, o.InboundPort)
	}
	return Step{Request: r}
}
