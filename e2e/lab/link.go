package lab

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The functions of this file act on the network namespace of the calling thread.

// via is a route by a gateway.
type via struct {
	to      netip.Prefix
	gateway netip.Addr
}

func setUp(link string) error {
	found, err := netlink.LinkByName(link)
	if err != nil {
		return fmt.Errorf("finding link %s: %w", link, err)
	}
	if err := netlink.LinkSetUp(found); err != nil {
		return fmt.Errorf("bringing %s up: %w", link, err)
	}
	return nil
}

func addBridge(name string, addresses ...netip.Prefix) error {
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}); err != nil {
		return fmt.Errorf("adding bridge %s: %w", name, err)
	}
	return configure(name, addresses...)
}

// addVeth makes a pair with its one end here, on the bridge if one is named, and its other end in another namespace.
func addVeth(name, bridge, peer string, there *Namespace) error {
	attrs := netlink.LinkAttrs{Name: name}
	if bridge != "" {
		master, err := netlink.LinkByName(bridge)
		if err != nil {
			return fmt.Errorf("finding bridge %s: %w", bridge, err)
		}
		attrs.MasterIndex = master.Attrs().Index
	}
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: peer, PeerNamespace: netlink.NsFd(there.file.Fd())}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("adding veth pair %s to %s in %s: %w", name, peer, there.name, err)
	}
	return setUp(name)
}

// configure brings link up and gives it addresses.
func configure(link string, addresses ...netip.Prefix) error {
	found, err := netlink.LinkByName(link)
	if err != nil {
		return fmt.Errorf("finding link %s: %w", link, err)
	}
	if err := netlink.LinkSetUp(found); err != nil {
		return fmt.Errorf("bringing %s up: %w", link, err)
	}
	for _, a := range addresses {
		addr := &netlink.Addr{IPNet: ipNet(a)}
		if a.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(found, addr); err != nil {
			return fmt.Errorf("adding %v to %s: %w", a, link, err)
		}
	}
	return nil
}

func addRoutes(routes ...via) error {
	for _, r := range routes {
		route := &netlink.Route{Dst: ipNet(r.to), Gw: r.gateway.AsSlice()}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("adding a route to %v by %v: %w", r.to, r.gateway, err)
		}
	}
	return nil
}

func addLinkRoutes(link string, to ...netip.Prefix) error {
	found, err := netlink.LinkByName(link)
	if err != nil {
		return fmt.Errorf("finding link %s: %w", link, err)
	}
	for _, p := range to {
		route := &netlink.Route{Dst: ipNet(p), LinkIndex: found.Attrs().Index, Scope: netlink.SCOPE_LINK}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("adding a route to %v on %s: %w", p, link, err)
		}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
