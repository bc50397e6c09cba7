package oracle

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// call is a random outbound connection in a world with at least one workload.
func (m *maker) call(w *World, ourNetwork string) Call {
	c := Call{
		OurNetwork: ourNetwork, LocalNode: pick(m, []string{"", "n1"}), Source: pick(m, w.Workloads).Workload,
		InboundPort: 15008,
	}
	for range 2 { // a network of its own is possible and rare
		if c.Source.Network != ourNetwork {
			c.Source = pick(m, w.Workloads).Workload
		}
	}
	if c.Source.Network != ourNetwork && m.chance(2) { // it has moved
		moved := *c.Source
		moved.Network, moved.CanonicalRevision = ourNetwork, m.version()
		c.Source = &moved
	}
	src := pick(m, podIPs)
	if ips := c.Source.WorkloadIPs; len(ips) > 0 && !m.chance(4) {
		src = pick(m, ips)
	}
	c.Src = netip.AddrPortFrom(src, 1234)
	dst := pick(m, allIPs)
	if here := m.known(w, ourNetwork); len(here) > 0 && !m.chance(8) {
		dst = pick(m, here)
	}
	c.Dst = netip.AddrPortFrom(dst, pick(m, []uint16{80, 80, 80, 80, 80, 443, 15009, 9999}))
	return c
}

// known are the addresses of workloads, or the VIPs of services, on a network, or what only ranges have.
func (m *maker) known(w *World, network string) []netip.Addr {
	var all []netip.Addr
	if m.chance(6) {
		return addrs("10.1.0.9", "fd01::9", "10.0.0.4")
	}
	if m.chance(3) {
		for _, u := range w.Workloads {
			if u.Workload.Network == network {
				all = append(all, u.Workload.WorkloadIPs...)
			}
		}
		return all
	}
	for _, s := range w.Services {
		for _, v := range s.VIPs {
			if v.Network == network {
				all = append(all, v.Addr)
			}
		}
	}
	return all
}

// arrival is a random inbound connection for one of the workloads.
func (m *maker) arrival(w *World, ourNetwork string) Arrival {
	a := Arrival{
		OurNetwork: ourNetwork, Local: pick(m, w.Workloads).Workload, IllegalPorts: []uint16{15008, 15006, 15001},
		LocalhostTunnel: !m.chance(3), EnforceWaypoint: m.chance(2), Src: netip.AddrPortFrom(pick(m, podIPs), 4321),
	}
	local := pick(m, allIPs)
	if ips := a.Local.WorkloadIPs; len(ips) > 0 && !m.chance(6) {
		local = pick(m, ips)
	}
	port := pick(m, []uint16{80, 443, 8080, 9090, 15008, 15001, 15088})
	peer := pick(m, w.Workloads).Workload
	if len(peer.WorkloadIPs) > 0 && !m.chance(3) {
		a.Src = netip.AddrPortFrom(pick(m, peer.WorkloadIPs), 4321)
	}
	if m.chance(4) { // plain text
		a.Dst = netip.AddrPortFrom(local, port)
		return a
	}
	a.Identity = identity(peer)
	a.Dst = netip.AddrPortFrom(local, 15008)
	switch m.n(4) {
	case 0:
		a.Authority = messages.HostPort{Host: pick(m, append([]string{"nobody.example"}, hosts...)), Port: port}
	case 1, 2:
		a.Authority = messages.HostPort{Addr: local, Port: port}
	case 3:
		a.Authority = messages.HostPort{Addr: pick(m, allIPs), Port: port}
		if m.chance(2) {
			m.sandwich(w, &a)
		}
	}
	if m.chance(3) {
		a.ForwardedHost = pick(m, hosts)
	}
	if a.Forwarded = m.chance(4); a.Forwarded {
		a.ForwardedNetwork = pick(m, []string{"", "east", "EAST", "west"})
	}
	return a
}

// sandwich turns an arrival into one for the waypoint of its authority, where there is one.
func (m *maker) sandwich(w *World, a *Arrival) {
	u := pick(m, w.Workloads).Workload
	if u.Waypoint == nil || u.Network != a.OurNetwork || len(u.WorkloadIPs) == 0 {
		return
	}
	for _, local := range w.Workloads {
		is := func(wl *messages.Workload) bool { return wl.UID == local.Workload.UID }
		if len(local.Workload.WorkloadIPs) == 0 || !w.behind(u.Waypoint.Destination, is, is)[0].Value {
			continue
		}
		a.Local = local.Workload
		a.Dst = netip.AddrPortFrom(pick(m, a.Local.WorkloadIPs), 15008)
		a.Authority.Addr = pick(m, u.WorkloadIPs)
		return
	}
}
