package oracle

import (
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/troupe-mesh/troupe/messages"
)

// The generated worlds are small and crowded, so that everything collides with everything.
var (
	networks   = []string{"", "", "", "", "", "", "east", "east", "west"}
	namespaces = []string{"a", "b"}
	uids       = []string{
		"k//Pod/a/w0", "k//Pod/a/w1", "k//Pod/b/w2", "k//Pod/b/w3", "k//Pod/a/w4", "k/v1/Pod/a/w5", "k/WorkloadEntry/a/w6",
		"k/WorkloadEntry/b/w7", "east/SplitHorizonWorkload/w8", "k/ServiceEntry/a/w9",
	}
	podIPs = addrs("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "fd00::1", "fd00::2", "fd00::3")
	vips   = addrs("10.1.0.1", "10.1.0.2", "10.1.0.3", "fd01::1", "fd01::2", "10.0.0.5")
	allIPs = append(append(addrs("192.0.2.1", "10.1.0.9", "fd01::9", "127.0.0.1"), podIPs...), vips...)
	ranges = prefixes("10.1.0.0/24", "10.1.0.0/24", "10.1.0.0/30", "10.0.0.4/31", "fd01::/64", "fd01::/64", "fd01::/120", "::/0")
	hosts  = []string{"web.example", "api.example", "gate.example", "way.example"}
	names  = []string{"vm-one.example", "vm-two.example", "vm-three.example"}
	ports  = []uint16{80, 443, 15008, 15009}
	scopes = []messages.Scope{
		messages.ScopeNetwork, messages.ScopeRegion, messages.ScopeZone, messages.ScopeSubzone, messages.ScopeNode,
		messages.ScopeCluster,
	}
)

func addrs(all ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range all {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func prefixes(all ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// maker draws the parts of a world.
type maker struct {
	t *rapid.T
	// made numbers the versions of things.
	made int
	// networks, homes (the workloads' networks) and ranges are those of this world: sometimes few, so that things collide
	// more, and sometimes nearly everybody is at home elsewhere.
	networks, homes []string
	ranges          []netip.Prefix
}

func newMaker(t *rapid.T) *maker {
	m := &maker{t: t}
	m.networks = pick(m, [][]string{networks, networks, {"", "east"}})
	m.homes = pick(m, [][]string{m.networks, m.networks, {"east", "east", "east", ""}})
	m.ranges = ranges
	if m.chance(2) {
		m.ranges = []netip.Prefix{pick(m, ranges)}
	}
	return m
}

func pick[T any](m *maker, from []T) T { return from[m.n(len(from))] }

// n is a number below limit.
func (m *maker) n(limit int) int { return even(limit).Draw(m.t, "n") }

// even draws numbers below limit, each as likely as the others: rapid's own are mostly small, which makes dull worlds.
func even(limit int) *rapid.Generator[int] {
	return rapid.Custom(func(t *rapid.T) int {
		n := 0
		for range bits.Len(uint(limit-1)) + 3 {
			n *= 2
			if rapid.Bool().Draw(t, "bit") {
				n++
			}
		}
		return n % limit
	})
}

// chance is true once in n.
func (m *maker) chance(n int) bool { return m.n(n) == n-1 }

func (m *maker) some(limit int, one func()) {
	for range m.n(limit + 1) {
		one()
	}
}

func (m *maker) version() string {
	m.made++
	return fmt.Sprint("v", m.made)
}

func (m *maker) workload(uid string) messages.WorkloadUpdate {
	w := &messages.Workload{
		UID: uid, Name: uid[strings.LastIndexByte(uid, '/')+1:], Namespace: pick(m, namespaces),
		Protocol: messages.Protocol(m.n(2)), TrustDomain: pick(m, []string{"td", "td", "other"}),
		ServiceAccount: pick(m, []string{"default", "gate"}), Network: pick(m, m.homes), CanonicalRevision: m.version(),
		Node: pick(m, []string{"", "n1", "n2"}), ClusterID: pick(m, []string{"k1", "k2"}),
		Locality: messages.Locality{Region: pick(m, []string{"", "r1"}), Zone: pick(m, []string{"z1", "z2"}), Subzone: pick(m, []string{"", "s1"})},
		Capacity: pick(m, []uint32{1, 1, 1, 1, 2, 2, 3, 0}),
	}
	for range pick(m, []int{1, 1, 1, 2, 3, 0, 0}) {
		if ip := pick(m, podIPs); !w.HasIP(ip) {
			w.WorkloadIPs = append(w.WorkloadIPs, ip)
		}
	}
	if m.chance(4) || (len(w.WorkloadIPs) == 0 && m.chance(2)) {
		w.Hostname = pick(m, names)
	}
	if m.chance(8) {
		w.NetworkMode = messages.NetworkHost
	}
	if m.chance(4) {
		w.Status = messages.Unhealthy
	}
	if m.chance(4) {
		w.Waypoint = m.gateway()
	}
	if m.chance(3) {
		w.NetworkGateway = m.gateway()
	}
	if m.chance(6) {
		w.ApplicationTunnel = &messages.ApplicationTunnel{Protocol: messages.TunnelProtocol(m.n(2)), Port: pick(m, []uint16{0, 15088, 80})}
	}
	u := messages.WorkloadUpdate{Workload: w, Ports: map[messages.NamespacedHostname]messages.PortMap{}}
	for range m.n(7) {
		u.Ports[m.key()] = m.portMap([]uint16{8080, 9090, 443, 15008})
	}
	if strings.HasPrefix(uid, "east/") { // the summary of another network, as istiod makes it
		w.Network, w.Protocol, w.WorkloadIPs, w.Hostname, w.NetworkGateway = "east", messages.ProtocolHBONE, nil, "", m.gateway()
		u.Ports[messages.NamespacedHostname{Namespace: pick(m, namespaces), Hostname: "way.example"}] = messages.PortMap{15008: 15008}
	}
	if m.chance(4) {
		u.Ports[messages.NamespacedHostname{Namespace: pick(m, namespaces), Hostname: "gate.example"}] = messages.PortMap{15008: 15009}
	}
	for key := range u.Ports {
		w.Services = append(w.Services, key)
	}
	slices.SortFunc(w.Services, func(a, b messages.NamespacedHostname) int { return strings.Compare(a.String(), b.String()) })
	return u
}

// again is a workload as it is sent once more: unchanged, or with its health the other way round.
func (m *maker) again(u messages.WorkloadUpdate) messages.WorkloadUpdate {
	if m.chance(2) {
		return u
	}
	w := *u.Workload
	w.Status = messages.Unhealthy - w.Status
	w.CanonicalRevision = m.version()
	return messages.WorkloadUpdate{Workload: &w, Ports: u.Ports}
}

func (m *maker) key() messages.NamespacedHostname {
	return messages.NamespacedHostname{Namespace: pick(m, namespaces), Hostname: pick(m, hosts)}
}

func (m *maker) portMap(targets []uint16) messages.PortMap {
	p := messages.PortMap{}
	m.some(3, func() { p[pick(m, ports)] = pick(m, targets) })
	return p
}

// gateway names somebody by address or host name: a workload, a service, or nobody.
func (m *maker) gateway() *messages.GatewayAddress {
	g := &messages.GatewayAddress{HBONEMTLSPort: pick(m, []uint16{15008, 15008, 15008, 15009, 80})}
	switch m.n(6) {
	case 0, 4:
		g.HBONEMTLSPort = 15008
		g.Destination.Hostname = messages.NamespacedHostname{Namespace: pick(m, namespaces), Hostname: pick(m, hosts[2:])}
	case 1:
		g.Destination.Hostname = messages.NamespacedHostname{Namespace: pick(m, namespaces), Hostname: pick(m, names)}
	case 2, 5:
		g.Destination.Address = messages.NetworkAddress{Network: pick(m, m.networks), Addr: pick(m, podIPs)}
	case 3:
		g.Destination.Address = messages.NetworkAddress{Network: pick(m, m.networks), Addr: pick(m, vips)}
	}
	return g
}

func (m *maker) service(key messages.NamespacedHostname) *messages.Service {
	s := &messages.Service{
		Name: m.version(), Namespace: key.Namespace, Hostname: key.Hostname, Canonical: m.chance(3),
		Ports: m.portMap([]uint16{8080, 0, 9090, 443}), IPFamilies: messages.IPFamilies(m.n(4)),
	}
	if !m.chance(4) {
		s.Ports[80] = pick(m, []uint16{8080, 8080, 0})
	}
	if !m.chance(3) {
		s.Ports[15008] = pick(m, []uint16{15008, 15088, 0})
	}
	m.some(3, func() {
		vip := messages.NetworkAddress{Network: pick(m, m.networks), Addr: pick(m, vips)}
		if !slices.Contains(s.VIPs, vip) {
			s.VIPs = append(s.VIPs, vip)
		}
	})
	if m.chance(3) {
		s.CIDRVIPs = append(s.CIDRVIPs, messages.NetworkPrefix{Network: pick(m, m.networks), Prefix: pick(m, m.ranges)})
	}
	if m.chance(3) {
		s.Visibility = messages.VisibilityNamespace
	}
	m.some(2, func() {
		s.SubjectAltNames = append(s.SubjectAltNames, pick(m, []string{"spiffe://td/ns/a/sa/gate", "not-spiffe", "spiffe://other/ns/b/sa/x"}))
	})
	if m.chance(3) {
		s.Waypoint = m.gateway()
	}
	if m.chance(6) {
		m.some(3, func() {
			s.WeightedWaypoints = append(s.WeightedWaypoints, messages.WeightedWaypoint{
				Destination: *m.gateway(), Weight: pick(m, []uint32{0, 1, 2, math.MaxUint32}),
			})
		})
	}
	if m.chance(2) {
		s.LoadBalancer = &messages.LoadBalancer{
			Mode: messages.LoadBalancerMode(m.n(4)), HealthPolicy: messages.HealthPolicy(m.n(2)),
			RoutingPreferences: m.preferences(),
		}
	}
	return s
}

// preferences are some scopes, in the usual order or any.
func (m *maker) preferences() []messages.Scope {
	if m.chance(3) {
		return rapid.Permutation(scopes).Draw(m.t, "scopes")[:m.n(4)]
	}
	return slices.Clone(scopes[m.n(2):][:m.n(5)])
}

// dns says what the names resolve to, some of them to nothing and some not at all.
func (m *maker) dns() map[string][]netip.Addr {
	all := map[string][]netip.Addr{}
	for _, name := range names {
		switch m.n(5) {
		case 0:
		case 1:
			all[name] = nil
		case 2:
			all[name] = addrs("198.51.100.1")
		case 3:
			all[name] = addrs("198.51.100.2", "2001:db8::2", "198.51.100.3")
		case 4:
			all[name] = addrs("2001:db8::4", "2001:db8::5")
		}
	}
	return all
}

// workloadUpdate is a batch for the workload store.
func (m *maker) workloadUpdate(w *World, size int) *messages.UpdateWorkloads {
	u := &messages.UpdateWorkloads{Reset: m.chance(20), More: m.chance(4)}
	m.some(size, func() {
		if len(w.Workloads) > 0 && m.chance(4) {
			u.Set = append(u.Set, m.again(pick(m, w.Workloads)))
			return
		}
		u.Set = append(u.Set, m.workload(pick(m, uids)))
	})
	if m.chance(2) {
		m.some(2, func() { u.Remove = append(u.Remove, pick(m, uids)) })
	}
	return u
}

// serviceUpdate is a batch for the service store.
func (m *maker) serviceUpdate(w *World, size int) *messages.UpdateServices {
	u := &messages.UpdateServices{Reset: m.chance(20), More: m.chance(4)}
	m.some(size, func() {
		if len(w.Services) > 0 && m.chance(4) {
			u.Set = append(u.Set, messages.ServiceUpdate{Service: pick(m, w.Services)})
			return
		}
		u.Set = append(u.Set, messages.ServiceUpdate{Service: m.service(m.key())})
	})
	if m.chance(2) {
		m.some(2, func() { u.Remove = append(u.Remove, m.key()) })
	}
	return u
}
