package bubble

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/messages"
)

// Mesh is what every node of a world is told at its start.
type Mesh struct {
	Workloads []Workload
	Services  []*messages.Service
	Policies  []*messages.Authorization
}

// Workload is a workload by its name, which is its uid, service account and canonical name too, in namespace "ns" unless
// Change says otherwise.
type Workload struct {
	Name string
	// IPs are its addresses; the first is its host's in the world.
	IPs string
	// TCP says that it does not speak HBONE.
	TCP bool
	// Behind are the services that it is an endpoint of, by "namespace/hostname", with its own ports.
	Behind map[string]messages.PortMap
	// Change changes what is derived from the above.
	Change func(*messages.Workload)
}

// build is the workload as the stores know it.
func (w Workload) build() messages.WorkloadUpdate {
	m := &messages.Workload{
		UID: w.Name, Name: w.Name, Namespace: "ns", ServiceAccount: w.Name, TrustDomain: messages.DefaultTrustDomain,
		WorkloadName: w.Name, WorkloadType: "deployment", CanonicalName: w.Name, CanonicalRevision: "v1",
		ClusterID: messages.DefaultClusterID, Capacity: messages.DefaultCapacity, Protocol: messages.ProtocolHBONE,
	}
	if w.TCP {
		m.Protocol = messages.ProtocolTCP
	}
	for ip := range strings.FieldsSeq(w.IPs) {
		m.WorkloadIPs = append(m.WorkloadIPs, netip.MustParseAddr(ip))
	}
	u := messages.WorkloadUpdate{Workload: m, Ports: map[messages.NamespacedHostname]messages.PortMap{}}
	for _, key := range slices.Sorted(maps.Keys(w.Behind)) {
		name := Host(key)
		m.Services = append(m.Services, name)
		u.Ports[name] = w.Behind[key]
	}
	if w.Change != nil {
		w.Change(m)
	}
	return u
}

// State is the mesh as discovery delivers it.
func (m Mesh) State() discovery.State {
	s := discovery.State{Policies: m.Policies}
	for _, w := range m.Workloads {
		s.Workloads = append(s.Workloads, w.build())
	}
	for _, svc := range m.Services {
		s.Services = append(s.Services, messages.ServiceUpdate{Service: svc})
	}
	return s
}

// Host reads "namespace/hostname". It panics at anything else, as all makers of a mesh do.
func Host(s string) messages.NamespacedHostname {
	name, err := messages.ParseNamespacedHostname(s)
	if err != nil {
		panic(err)
	}
	return name
}

// Service is a public service "namespace/hostname" at a VIP.
func Service(key, vip string, ports messages.PortMap) *messages.Service {
	name := Host(key)
	short, _, _ := strings.Cut(name.Hostname, ".")
	s := &messages.Service{Name: short, Namespace: name.Namespace, Hostname: name.Hostname, Ports: ports}
	if vip != "" {
		s.VIPs = []messages.NetworkAddress{{Addr: netip.MustParseAddr(vip)}}
	}
	return s
}

// Gateway refers to a waypoint or network gateway by "network/ip" or "namespace/hostname".
func Gateway(destination string, port uint16) *messages.GatewayAddress {
	d, err := messages.ParseDestination(destination)
	if err != nil {
		panic(err)
	}
	return &messages.GatewayAddress{Destination: d, HBONEMTLSPort: port}
}

// Policy is a policy of namespace "ns" whose rules are alternatives of one match each; without rules it never matches.
func Policy(name string, action messages.Action, matches ...messages.Match) *messages.Authorization {
	p := &messages.Authorization{Key: "ns/" + name, Name: name, Namespace: "ns", Scope: messages.ScopeNamespace, Action: action}
	for _, m := range matches {
		p.Rules = append(p.Rules, messages.Rule{messages.Clause{m}})
	}
	return p
}

// Ports matches destination ports.
func Ports(ports ...uint16) messages.Match { return messages.Match{DestinationPorts: ports} }
