package lab

import (
	"fmt"
	"net/netip"
)

// routing is what a namespace needs to forward between its links, and to accept packets whose source is an address
// that it reaches by another link.
var routing = map[string]string{
	"ipv4/ip_forward":                        "1",
	"ipv4/conf/all/rp_filter":                "0",
	"ipv4/conf/default/rp_filter":            "0",
	"ipv6/conf/all/forwarding":               "1",
	"ipv6/conf/default/forwarding":           "1",
	"ipv6/conf/default/dad_transmits":        "0",
	"ipv6/conf/default/accept_dad":           "0",
	"ipv6/conf/all/disable_ipv6":             "0",
	"ipv6/conf/default/disable_ipv6":         "0",
	"ipv6/conf/default/router_solicitations": "0",
}

// hosting is what a pod's namespace needs.
var hosting = map[string]string{
	"ipv4/conf/all/rp_filter":         "0",
	"ipv4/conf/default/rp_filter":     "0",
	"ipv4/conf/lo/rp_filter":          "0",
	"ipv6/conf/all/disable_ipv6":      "0",
	"ipv6/conf/default/disable_ipv6":  "0",
	"ipv6/conf/default/dad_transmits": "0",
	"ipv6/conf/default/accept_dad":    "0",
	"ipv4/ip_unprivileged_port_start": "0",
}

func (n *Namespace) bringUpRoot() error {
	if err := n.sysctl(routing); err != nil {
		return err
	}
	return n.Do(func() error {
		if err := setUp("lo"); err != nil {
			return err
		}
		return addBridge("br0", rootIPv4(), rootIPv6())
	})
}

// connectNode puts n on the bridge and tells everybody the way to its pods.
func (l *Lab) connectNode(n *Node) error {
	if err := n.ns.sysctl(routing); err != nil {
		return err
	}
	err := l.root.Do(func() error {
		if err := addVeth(fmt.Sprintf("veth%d", n.id), "br0", "eth0", n.ns); err != nil {
			return err
		}
		return addRoutes(via{podsIPv4(n.id), nodeIPv4(n.id)}, via{podsIPv6(n.id), nodeIPv6(n.id)})
	})
	if err != nil {
		return err
	}
	err = n.ns.Do(func() error {
		if err := setUp("lo"); err != nil {
			return err
		}
		return configure("eth0",
			netip.PrefixFrom(nodeIPv4(n.id), rootIPv4().Bits()), netip.PrefixFrom(nodeIPv6(n.id), rootIPv6().Bits()))
	})
	if err != nil {
		return err
	}
	for _, other := range l.nodes {
		if err := introduce(n, other); err != nil {
			return err
		}
	}
	return nil
}

// introduce tells two nodes the way to each other's pods.
func introduce(a, b *Node) error {
	for _, pair := range [][2]*Node{{a, b}, {b, a}} {
		at, to := pair[0], pair[1].id
		if err := at.ns.Do(func() error {
			return addRoutes(via{podsIPv4(to), nodeIPv4(to)}, via{podsIPv6(to), nodeIPv6(to)})
		}); err != nil {
			return err
		}
	}
	return nil
}

// connectPod links p to its node, as a host route there and a default route here.
func (n *Node) connectPod(p *Pod, id byte) error {
	if err := p.NS.sysctl(hosting); err != nil {
		return err
	}
	gateway4, gateway6 := gateways(n.id)
	outside := fmt.Sprintf("veth%d", id)
	err := n.ns.Do(func() error {
		if err := addVeth(outside, "", "eth0", p.NS); err != nil {
			return err
		}
		if err := configure(outside, host(gateway4), host(gateway6)); err != nil {
			return err
		}
		return addLinkRoutes(outside, host(p.IPv4), host(p.IPv6))
	})
	if err != nil {
		return err
	}
	return p.NS.Do(func() error {
		if err := setUp("lo"); err != nil {
			return err
		}
		if err := configure("eth0", host(p.IPv4), host(p.IPv6)); err != nil {
			return err
		}
		if err := addLinkRoutes("eth0", host(gateway4), host(gateway6)); err != nil {
			return err
		}
		return addRoutes(
			via{netip.PrefixFrom(netip.IPv4Unspecified(), 0), gateway4}, via{netip.PrefixFrom(netip.IPv6Unspecified(), 0), gateway6})
	})
}

// connectBehind links a machine to the pod it is behind.
func connectBehind(p *Pod, machine *Namespace, link string) error {
	inside, outside := []netip.Prefix{netip.MustParsePrefix("192.168.77.1/24"), netip.MustParsePrefix("fd00:77::1/64")},
		[]netip.Prefix{netip.MustParsePrefix("192.168.77.2/24"), netip.MustParsePrefix("fd00:77::2/64")}
	if err := machine.sysctl(hosting); err != nil {
		return err
	}
	err := p.NS.Do(func() error {
		if err := addVeth(link, "", "eth0", machine); err != nil {
			return err
		}
		return configure(link, inside...)
	})
	if err != nil {
		return err
	}
	return machine.Do(func() error {
		if err := setUp("lo"); err != nil {
			return err
		}
		if err := configure("eth0", outside...); err != nil {
			return err
		}
		return addRoutes(via{netip.PrefixFrom(netip.IPv4Unspecified(), 0), inside[0].Addr()},
			via{netip.PrefixFrom(netip.IPv6Unspecified(), 0), inside[1].Addr()})
	})
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
