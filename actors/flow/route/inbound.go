package route

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
)

// Inbound is the decision tree of an inbound connection: an HBONE stream (spec/dataplane.md §4.6–§4.8) or, where
// Authority is zero, a plaintext connection (§5). The caller fills the inputs.
type Inbound struct {
	// OurNetwork is NETWORK.
	OurNetwork string
	// Local is the workload of the pod that received the connection.
	Local *messages.Workload
	// Src is the canonical TCP peer, Identity what its certificate proves; zero for plain text.
	Src      netip.AddrPort
	Identity messages.Identity
	// Dst is the connection's local address (HBONE) or the original destination (plain text), canonical.
	Dst netip.AddrPort
	// Authority is the parsed CONNECT authority ([ParseAuthority]); zero for plain text.
	Authority messages.HostPort
	// ForwardedHost is the host of the forwarded header, empty for none: a hint for the service.
	ForwardedHost string
	// ForwardedNetwork is the x-forwarded-network header; Forwarded says that there is one.
	ForwardedNetwork string
	Forwarded        bool
	// IllegalPorts are the proxy's own ports, which are never a target (§1.6).
	IllegalPorts []uint16
	// LocalhostTunnel is LOCALHOST_APP_TUNNEL: PROXY tunnels are dialled over loopback (§4.9).
	LocalhostTunnel bool
	// EnforceWaypoint is ENFORCE_WAYPOINT: find out whether the peer is the local workload's own waypoint. Without it
	// FromWaypoint stays false.
	EnforceWaypoint bool
	// OnDemand is XDS_ON_DEMAND: an authority or a peer that the workload store does not know is looked up at the control
	// plane.
	OnDemand bool

	demands demands
	inquiry
	// source is the workload that owns the peer's address.
	source       *messages.Workload
	fromWaypoint bool
	member       membership
}

// Next says what is needed next. It is called first, and once after each Learn that returned true.
func (i *Inbound) Next() Step {
	if i.answer == nil {
		return i.start()
	}
	return i.proceed()
}

// start looks for the owner of the peer's address, unless a gateway hides it, and where the authority is not ours for
// the owner of that as well.
func (i *Inbound) start() Step {
	if i.plaintext() {
		if f := LoopInbound(i.Dst.Port(), i.IllegalPorts); f != nil {
			return Step{Deny: f}
		}
	}
	var peer, target messages.NetworkAddress
	if !i.fromGateway() {
		peer = messages.NetworkAddress{Network: i.OurNetwork, Addr: i.Src.Addr()}
	}
	if i.foreign() {
		target = messages.NetworkAddress{Network: i.OurNetwork, Addr: i.Authority.Addr}
	}
	if !peer.Addr.IsValid() && !target.Addr.IsValid() {
		return i.findWaypoint()
	}
	return i.findAddresses(peer, target, i.workloadsKnown)
}

func (i *Inbound) plaintext() bool { return i.Authority.IsZero() }

// fromGateway reports whether the request crossed networks: then the peer is a gateway, not the source.
func (i *Inbound) fromGateway() bool {
	return i.Forwarded && !strings.EqualFold(i.ForwardedNetwork, i.OurNetwork)
}

// foreign reports whether the authority is an address for which we must be the waypoint (§4.6).
func (i *Inbound) foreign() bool {
	return i.Authority.Addr.IsValid() && i.Authority.Addr != i.Dst.Addr() && i.Local.ApplicationTunnel == nil
}

func (i *Inbound) workloadsKnown() Step {
	w := i.found()
	i.source = w[0]
	if name, lacks := i.lacks(); lacks {
		return i.demands.look(&i.inquiry, name, i.start, func() Step { return i.ownerKnown(w) })
	}
	return i.ownerKnown(w)
}

// lacks names the peer's address, if it is to be looked up on demand.
func (i *Inbound) lacks() (string, bool) {
	if !i.OnDemand || i.source != nil || i.fromGateway() {
		return "", false
	}
	peer := messages.NetworkAddress{Network: i.OurNetwork, Addr: i.Src.Addr()}.String()
	return peer, !i.demands.have(peer)
}

func (i *Inbound) ownerKnown(w [2]*messages.Workload) Step {
	switch {
	case !i.foreign():
		return i.findWaypoint()
	case w[1] != nil:
		return i.ownedBy(w[1].Waypoint, nil)
	}
	return i.ask(Services, &messages.FindAddress{
		Question:  i.question(),
		Addresses: [2]messages.NetworkAddress{{Network: i.OurNetwork, Addr: i.Authority.Addr}},
	}, kindService, func() Step {
		if s := i.answer.(*messages.ServiceFound).Service; s != nil {
			return i.ownedBy(s.Waypoint, s.WeightedWaypoints)
		}
		target := messages.NetworkAddress{Network: i.OurNetwork, Addr: i.Authority.Addr}.String()
		if i.OnDemand && !i.demands.have(target) {
			return i.demands.look(&i.inquiry, target, i.start, i.mismatch)
		}
		return i.mismatch()
	})
}

// ownedBy goes on if a waypoint of the authority's owner is the local workload: the single one or one of those that
// share its traffic, which the reference forgets here (spec/dataplane.md §15, 7).
func (i *Inbound) ownedBy(waypoint *messages.GatewayAddress, weighted []messages.WeightedWaypoint) Step {
	for waypoint == nil {
		if len(weighted) == 0 {
			return i.mismatch()
		}
		if weighted[0].Weight > 0 {
			waypoint = &weighted[0].Destination
		}
		weighted = weighted[1:]
	}
	i.member = membership{
		inquiry:     &i.inquiry,
		destination: waypoint.Destination,
		uid:         i.Local.UID,
		addr:        i.Dst.Addr(),
		then: func() Step {
			if !i.member.is {
				return i.ownedBy(nil, weighted)
			}
			return i.findWaypoint()
		},
	}
	return i.member.start()
}

func (i *Inbound) mismatch() Step {
	return deny(messages.ReasonAddressMismatch,
		"ip mismatch: "+i.Dst.Addr().String()+" != "+i.Authority.Addr.String())
}

// findWaypoint finds out whether the peer is the local workload's waypoint, where that matters.
func (i *Inbound) findWaypoint() Step {
	if !i.EnforceWaypoint || i.Local.Waypoint == nil || i.Identity.IsZero() {
		return i.findServices()
	}
	i.member = membership{
		inquiry:     &i.inquiry,
		destination: i.Local.Waypoint.Destination,
		identity:    i.Identity,
		addr:        i.Src.Addr(),
		then: func() Step {
			i.fromWaypoint = i.member.is
			return i.findServices()
		},
	}
	return i.member.start()
}

func (i *Inbound) findServices() Step {
	port := i.Authority.Port
	if i.plaintext() {
		port = i.Dst.Port()
	}
	return i.ask(Services, &messages.FindInbound{
		Question: i.question(),
		Local:    i.Local,
		Hostname: i.Authority.Host,
		Port:     port,
		Network:  i.OurNetwork,
	}, kindInbound, i.servicesKnown)
}

func (i *Inbound) servicesKnown() Step {
	a := i.answer.(*messages.InboundFound)
	if i.plaintext() {
		return i.accept(i.Dst.Port(), a)
	}
	port := i.Authority.Port
	if i.Authority.Host != "" {
		if len(a.Services) == 0 {
			return deny(messages.ReasonNoService, "no service or workload for hostname: "+i.Authority.Host)
		}
		if port = servicePort(a.Services[0], port); port == 0 {
			return deny(messages.ReasonNoDestination, "requested service "+i.Authority.Host+":"+
				strconv.Itoa(int(i.Authority.Port))+" found, but cannot resolve port")
		}
	}
	if f := LoopInbound(port, i.IllegalPorts); f != nil {
		return Step{Deny: f}
	}
	return i.accept(port, a)
}

// servicePort is the local workload's port for a service port, 0 for none.
func servicePort(s messages.InboundService, port uint16) uint16 {
	if own, ok := s.Ports[port]; ok {
		return own
	}
	return s.Service.Ports[port]
}
