package route

import (
	"math/rand/v2"
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// role is what a gateway reference is for: it names the error texts.
type role struct {
	reason       messages.Reason
	prefix, name string
}

var (
	waypointRole = role{messages.ReasonUnknownWaypoint, "unknown waypoint: ", "waypoint"}
	networkRole  = role{messages.ReasonUnknownGateway, "unknown network gateway: ", "network gateway"}
)

func (r role) unknown(what string) Step {
	return deny(r.reason, r.prefix+r.name+" "+what+" not found")
}

// resolve turns what the services know of a reference into the next hop, asking the workloads where no service stands
// behind it; the hop is in o.hop when then runs. An unresolvable reference denies (spec/dataplane.md §2.4).
func (o *Outbound) resolve(g messages.GatewayFound, r role, then func() Step) Step {
	ref := g.Reference
	if g.Known {
		if g.Upstream == nil {
			return r.unknown(ref.String())
		}
		return o.locate(*g.Upstream, o.dialledFor(ref), then)
	}
	if ref.Destination.IsHostname() {
		return o.findHostname(ref.Destination.Hostname, func() Step {
			return o.resolveWorkload(ref, r, o.foundNamed(), then)
		})
	}
	return o.findAddresses(ref.Destination.Address, messages.NetworkAddress{}, func() Step {
		return o.resolveWorkload(ref, r, o.found()[0], then)
	})
}

func (o *Outbound) resolveWorkload(ref messages.GatewayAddress, r role, w *messages.Workload, then func() Step) Step {
	if w == nil {
		if ref.Destination.IsHostname() {
			return r.unknown(ref.Destination.Hostname.Hostname)
		}
		return r.unknown(ref.String())
	}
	return o.locate(messages.Upstream{Workload: w, Port: ref.HBONEMTLSPort}, o.dialledFor(ref), then)
}

// dialledFor is the address that guides the choice among a gateway's: the reference's own, or for a reference by host
// name the original destination, so that the address family follows the client.
func (o *Outbound) dialledFor(ref messages.GatewayAddress) netip.Addr {
	if ref.Destination.IsHostname() {
		return o.Dst.Addr()
	}
	return ref.Destination.Address.Addr
}

// locate makes u the hop with an address to dial: its own, or one that its host name resolves to. A workload that is
// only reached through a network gateway stays without.
func (o *Outbound) locate(u messages.Upstream, dialled netip.Addr, then func() Step) Step {
	w := u.Workload
	if !u.IP.IsValid() {
		u.IP = w.ChooseIP(u.Families(), dialled)
	}
	switch {
	case u.IP.IsValid():
	case w.Hostname != "":
		return o.ask(DNS, &messages.ResolveName{Question: o.question(), Hostname: w.Hostname}, kindName,
			func() Step { return o.named(u, dialled, then) })
	case w.NetworkGateway == nil:
		return Step{Deny: messages.NoDestination(w)}
	}
	o.hop = u
	return then()
}

func (o *Outbound) named(u messages.Upstream, dialled netip.Addr, then func() Step) Step {
	a := o.answer.(*messages.NameResolved)
	if a.Err != nil {
		f := messages.Fail(messages.ReasonNameResolution,
			"no ip addresses were resolved for workload: "+u.Workload.UID)
		f.Err = a.Err
		return Step{Deny: f}
	}
	if u.IP = o.pick(a.Addrs, dialled); !u.IP.IsValid() {
		return deny(messages.ReasonNameResolution, "ip addresses were resolved for workload "+u.Workload.UID+
			", but valid dns response had no A/AAAA records")
	}
	o.hop = u
	return then()
}

// pick is one of addrs, at random among those of dialled's family or, where there are none, among the others.
func (o *Outbound) pick(addrs []netip.Addr, dialled netip.Addr) netip.Addr {
	var same, other []netip.Addr
	for _, a := range addrs {
		if a.Is4() == dialled.Is4() {
			same = append(same, a)
		} else {
			other = append(other, a)
		}
	}
	if len(same) == 0 {
		same = other
	}
	if len(same) == 0 {
		return netip.Addr{}
	}
	if o.Pick == nil {
		return same[rand.IntN(len(same))]
	}
	return same[o.Pick(len(same))]
}
