package route

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// Outbound is the decision tree of an outbound connection (spec/dataplane.md §2.5). The caller fills the inputs.
type Outbound struct {
	// OurNetwork is NETWORK; LocalNode is NODE_NAME and may be empty.
	OurNetwork, LocalNode string
	// Source is the pod's own workload, Src the downstream peer, Dst where the application wants to go.
	Source   *messages.Workload
	Src, Dst netip.AddrPort
	// InboundPort is where HBONE workloads are dialled, 15008 outside of tests.
	InboundPort uint16
	// OnDemand is XDS_ON_DEMAND: what the stores lack is looked up at the control plane (§2.4, §2.6).
	OnDemand bool
	// Pick chooses one of n resolved addresses, 0 ≤ result < n; nil means at random.
	Pick func(n int) int

	// Considered and Eligible count the endpoints that the service store looked at and those that passed its filters,
	// for traces. They are set once the services have answered.
	Considered, Eligible int

	inquiry
	// onOurs and onSource are the workloads that own Dst's address on our network and on the source's.
	onOurs, onSource *messages.Workload
	// service is the service that Dst addresses, nil for other traffic.
	service *messages.Service
	// upstream is the backend chosen, hop the next hop last resolved.
	upstream, hop messages.Upstream
	waypoint      membership
	demands       demands
}

// Next says what is needed next. It is called first, and once after each Learn that returned true.
func (o *Outbound) Next() Step {
	if o.answer == nil {
		return o.start()
	}
	return o.proceed()
}

func (o *Outbound) start() Step {
	ours := messages.NetworkAddress{Network: o.OurNetwork, Addr: o.Dst.Addr()}
	var theirs messages.NetworkAddress
	if o.Source.Network != o.OurNetwork {
		theirs = messages.NetworkAddress{Network: o.Source.Network, Addr: o.Dst.Addr()}
	}
	return o.findAddresses(ours, theirs, o.workloadsKnown)
}

func (o *Outbound) workloadsKnown() Step {
	w := o.found()
	o.onOurs, o.onSource = w[0], w[1]
	if o.Source.Network == o.OurNetwork {
		o.onSource = o.onOurs
	}
	return o.ask(Services, &messages.FindUpstream{
		Question: o.question(),
		Network:  o.OurNetwork,
		Source:   o.Source,
		Dst:      o.Dst,
		Owned:    o.onOurs != nil,
	}, kindUpstream, o.servicesKnown)
}

// servicesKnown is step B of the tree: the waypoint of the service that is addressed comes first.
func (o *Outbound) servicesKnown() Step {
	a := o.answer.(*messages.UpstreamFound)
	o.service, o.Considered, o.Eligible = a.Service, a.Considered, a.Eligible
	return o.addressed(a)
}

func (o *Outbound) addressed(a *messages.UpstreamFound) Step {
	if name, lacks := o.lacks(a); lacks {
		return o.demands.look(&o.inquiry, name, o.start, func() Step { return o.addressed(a) })
	}
	if a.Waypoint != nil {
		return o.resolve(*a.Waypoint, waypointRole, o.serviceWaypoint)
	}
	return o.choose(a)
}

// lacks names the address that is to be looked up on demand: Dst on our network, for step A, where nothing has it, and
// on the source's for step C, unless step B decides already. Each is looked up once.
func (o *Outbound) lacks(a *messages.UpstreamFound) (string, bool) {
	if !o.OnDemand {
		return "", false
	}
	ours := messages.NetworkAddress{Network: o.OurNetwork, Addr: o.Dst.Addr()}
	if o.onOurs == nil && a.Service == nil && !o.demands.have(ours.String()) {
		return ours.String(), true
	}
	theirs := messages.NetworkAddress{Network: o.Source.Network, Addr: o.Dst.Addr()}
	if a.Waypoint == nil && o.onSource == nil && a.Selected == nil && !o.demands.have(theirs.String()) {
		return theirs.String(), true
	}
	return "", false
}

func (o *Outbound) serviceWaypoint() Step {
	if o.hop.Workload.Network != o.Source.Network {
		return o.throughGateway(o.hop, messages.ToServerWaypoint)
	}
	return o.toWaypoint(o.service)
}

// choose is step C: the upstream that the services chose, else the workload that was called by its address. A workload
// whose address is also a passthrough service's, or one's without endpoints, is called as a workload where that is no
// service traffic: the reference sends such calls in plain text (spec/dataplane.md §15, 21).
func (o *Outbound) choose(a *messages.UpstreamFound) Step {
	switch {
	case a.Selected != nil && a.Upstream != nil && !a.Passthrough:
		return o.locate(*a.Upstream, o.Dst.Addr(), o.upstreamKnown)
	case (a.Selected == nil || o.service == nil) && o.onSource != nil:
		return o.locate(messages.Upstream{Workload: o.onSource, Port: o.Dst.Port()}, o.Dst.Addr(), o.upstreamKnown)
	case o.service != nil && o.service.Mode() != messages.BalancePassthrough:
		return deny(messages.ReasonNoHealthyUpstream, "no healthy upstream: "+o.Dst.String())
	}
	return Step{Request: &messages.Request{
		Type:     messages.Passthrough,
		Protocol: messages.OutboundTCP,
		Source:   o.Source,
		Dial:     o.Dst,
	}}
}

// upstreamKnown is steps D to F: another network, then the workload's own waypoint.
func (o *Outbound) upstreamKnown() Step {
	o.upstream = o.hop
	w := o.upstream.Workload
	if w.Network != o.Source.Network {
		if o.service == nil {
			return deny(messages.ReasonNoService, "no service for target address: "+o.Dst.String())
		}
		return o.throughGateway(o.upstream, messages.Direct)
	}
	if o.service != nil || w.Waypoint == nil {
		return o.direct()
	}
	o.waypoint = membership{
		inquiry:     &o.inquiry,
		destination: w.Waypoint.Destination,
		identity:    o.Source.Identity(),
		addr:        o.Src.Addr(),
		then:        o.fromWaypointKnown,
	}
	if o.OnDemand {
		o.waypoint.demands = &o.demands
	}
	return o.waypoint.start()
}

func (o *Outbound) fromWaypointKnown() Step {
	ref := *o.upstream.Workload.Waypoint
	then := func() Step { return o.toWaypoint(o.upstream.Service) }
	switch {
	case o.waypoint.is:
		return o.direct()
	case ref.Destination.IsHostname() && !o.waypoint.service:
		return o.resolveWorkload(ref, waypointRole, o.waypoint.workload, then)
	}
	return o.findDestination(ref, messages.ResolveWaypoint, waypointRole, then)
}

// findDestination asks the services for a reference and resolves it.
func (o *Outbound) findDestination(ref messages.GatewayAddress, mode messages.ResolutionMode, r role, then func() Step) Step {
	return o.ask(Services, &messages.FindDestination{
		Question: o.question(),
		Gateway:  ref,
		Source:   o.Source,
		Mode:     mode,
		Dst:      o.Dst,
	}, kindDestination, func() Step {
		return o.resolve(o.answer.(*messages.DestinationFound).GatewayFound, r, then)
	})
}
