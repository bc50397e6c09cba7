package route

import (
	"net/netip"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

// LoopText is the reference's text for a call to the proxy's own ports.
const LoopText = "attempted recursive call to ourselves"

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
)

// accept ends the tree: the application is reached on port, or on the port of its tunnel.
func (i *Inbound) accept(port uint16, a *messages.InboundFound) Step {
	r := &messages.InboundRequest{
		Local:        i.Local,
		Source:       i.source,
		FromGateway:  i.fromGateway(),
		FromWaypoint: i.fromWaypoint,
	}
	if t := i.Local.ApplicationTunnel; t != nil && !i.plaintext() {
		if t.Port != 0 {
			port = t.Port
		}
		target := i.Authority.AddrPort()
		if i.Authority.Host != "" {
			if !a.VIP.IsValid() {
				return deny(messages.ReasonNoDestination,
					"requested service "+i.Authority.Host+" found, but has no IP addresses")
			}
			target = netip.AddrPortFrom(a.VIP, i.Authority.Port)
		}
		if t.Protocol == messages.TunnelProxy {
			r.TunnelTarget, r.Loopback = target, i.LocalhostTunnel
		}
	}
	r.Target = netip.AddrPortFrom(i.Dst.Addr(), port)
	r.Dial = r.Target
	if r.Loopback {
		r.Dial = netip.AddrPortFrom(loopbackLike(i.Dst.Addr()), port)
	}
	r.Service = GuessService(a.Services, i.ForwardedHost, port)
	return Step{Inbound: r}
}

func loopbackLike(a netip.Addr) netip.Addr {
	if a.Is4() {
		return loopback4
	}
	return loopback6
}

// GuessService is the candidate that an inbound connection was probably meant for: the one that the peer named, else
// the first with a port that leads to the port dialled, else nil (spec/dataplane.md §4.8). It is for labels only.
func GuessService(candidates []messages.InboundService, forwardedHost string, port uint16) *messages.Service {
	if forwardedHost != "" {
		for _, c := range candidates {
			if c.Service.Hostname == forwardedHost {
				return c.Service
			}
		}
	}
	for _, c := range candidates {
		for service, target := range c.Service.Ports {
			if own, ok := c.Ports[service]; target == port || ok && own == port {
				return c.Service
			}
		}
	}
	return nil
}

// Loop is the failure of an outbound call to one of the proxy's own ports over loopback, or nil (spec/dataplane.md
// §1.6).
func Loop(dst netip.AddrPort, illegalPorts []uint16) *messages.Failure {
	if !dst.Addr().IsLoopback() {
		return nil
	}
	return LoopInbound(dst.Port(), illegalPorts)
}

// LoopInbound is the failure of an inbound call to one of the proxy's own ports, whatever the address, or nil
// (spec/dataplane.md §1.6).
func LoopInbound(port uint16, illegalPorts []uint16) *messages.Failure {
	if !slices.Contains(illegalPorts, port) {
		return nil
	}
	return messages.Fail(messages.ReasonLoopRejected, LoopText)
}
