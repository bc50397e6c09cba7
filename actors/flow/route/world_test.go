package route_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
)

// world is what the stores hold; it answers the trees' questions as the real stores do, at once.
type world struct {
	t         *testing.T
	workloads *state.WorkloadTable
	services  *state.ServiceTable
	names     map[string][]netip.Addr
	// later is what the control plane has, by the names that it is demanded under; demanded are those that were.
	later    map[string]any
	demanded []string
	// asked are the questions in their order: store and type.
	asked []string
}

func newWorld(t *testing.T, things ...any) *world {
	t.Helper()
	w := &world{t: t, workloads: state.NewWorkloadTable(""), services: state.NewServiceTable(nil), names: map[string][]netip.Addr{}}
	for _, thing := range things {
		w.add(thing)
	}
	return w
}

// add makes the stores know a thing.
func (w *world) add(thing any) {
	w.t.Helper()
	switch v := thing.(type) {
	case messages.WorkloadUpdate:
		w.workloads.Apply(&messages.UpdateWorkloads{Set: []messages.WorkloadUpdate{v}})
		w.services.ApplyEndpoints(&messages.UpdateEndpoints{Set: []messages.WorkloadUpdate{v}})
	case *messages.Workload:
		w.workloads.Apply(&messages.UpdateWorkloads{Set: []messages.WorkloadUpdate{{Workload: v}}})
		w.services.ApplyEndpoints(&messages.UpdateEndpoints{Set: []messages.WorkloadUpdate{{Workload: v}}})
	case *messages.Service:
		w.services.ApplyServices(&messages.UpdateServices{Set: []messages.ServiceUpdate{{Service: v}}})
	default:
		w.t.Fatalf("a world has no %T", thing)
	}
}

type tree interface {
	Next() route.Step
	Learn(answer any) bool
}

// run drives a tree to its end. Answers that are not awaited must not disturb it.
func (w *world) run(tr tree) route.Step {
	w.t.Helper()
	w.asked = nil
	for range 20 {
		s := tr.Next()
		if s.Final() {
			return s
		}
		w.asked = append(w.asked, s.Store.String())
		if tr.Learn(&messages.WorkloadsFound{Answer: messages.Answer{ID: 1 << 40}}) || tr.Learn("nonsense") || tr.Learn(nil) {
			w.t.Fatal("learnt from an answer that was not awaited")
		}
		a := w.answer(s)
		if !tr.Learn(a) {
			w.t.Fatalf("did not learn from %T, the answer to %T", a, s.Ask)
		}
		if tr.Learn(a) {
			w.t.Fatalf("learnt twice from %T", a)
		}
	}
	w.t.Fatal("the tree does not end")
	return route.Step{}
}

func (w *world) answer(s route.Step) any {
	w.t.Helper()
	switch s.Store {
	case route.Workloads:
		switch q := s.Ask.(type) {
		case *messages.FindAddress:
			return w.workloads.FindAddress(q)
		case *messages.FindHostname:
			return w.workloads.FindHostname(q)
		}
	case route.Services:
		switch q := s.Ask.(type) {
		case *messages.FindAddress:
			return w.services.FindAddress(q)
		case *messages.FindUpstream:
			return w.services.FindUpstream(q)
		case *messages.FindDestination:
			return w.services.FindDestination(q)
		case *messages.IsGatewayOf:
			return w.services.IsGatewayOf(q)
		case *messages.FindInbound:
			return w.services.FindInbound(q)
		}
	case route.DNS:
		if q, ok := s.Ask.(*messages.ResolveName); ok {
			a := &messages.NameResolved{Answer: messages.Answer{ID: q.ID}, Hostname: q.Hostname}
			addrs, known := w.names[q.Hostname]
			if a.Addrs = addrs; !known {
				a.Err = errors.New("no such name")
			}
			return a
		}
	case route.Discovery:
		if q, ok := s.Ask.(*messages.DemandResource); ok {
			return w.demand(q)
		}
	case route.NoStore:
	}
	w.t.Fatalf("%v is not asked %T", s.Store, s.Ask)
	return nil
}

// demand answers as discovery does: the resource is in the stores by then.
func (w *world) demand(q *messages.DemandResource) *messages.ResourceDemanded {
	w.demanded = append(w.demanded, q.Name)
	a := &messages.ResourceDemanded{Answer: messages.Answer{ID: q.ID}, Name: q.Name, Outcome: messages.DemandAbsent}
	if thing, ok := w.later[q.Name]; ok {
		w.add(thing)
		a.Outcome = messages.DemandArrived
	}
	return a
}

func address(s string) messages.NetworkAddress {
	if !strings.Contains(s, "/") {
		s = "/" + s
	}
	a, err := messages.ParseNetworkAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}

func hostname(s string) messages.NamespacedHostname {
	h, err := messages.ParseNamespacedHostname(s)
	if err != nil {
		panic(err)
	}
	return h
}

// gateway is a reference "network/ip", "ip" or "namespace/hostname".
func gateway(s string, port uint16) *messages.GatewayAddress {
	if !strings.Contains(s, "/") {
		s = "/" + s
	}
	d, err := messages.ParseDestination(s)
	if err != nil {
		panic(err)
	}
	return &messages.GatewayAddress{Destination: d, HBONEMTLSPort: port}
}

// workload is a TCP workload with the defaults that discovery fills in; change alters it.
func workload(uid string, ips []string, change ...func(*messages.Workload)) *messages.Workload {
	w := &messages.Workload{
		UID: uid, TrustDomain: messages.DefaultTrustDomain, ServiceAccount: messages.DefaultServiceAccount,
		ClusterID: messages.DefaultClusterID, Capacity: messages.DefaultCapacity,
	}
	w.Name = uid[strings.LastIndexByte(uid, '/')+1:]
	for _, ip := range ips {
		w.WorkloadIPs = append(w.WorkloadIPs, netip.MustParseAddr(ip))
	}
	for _, c := range change {
		c(w)
	}
	return w
}

func hbone(w *messages.Workload) { w.Protocol = messages.ProtocolHBONE }

func unhealthy(w *messages.Workload) { w.Status = messages.Unhealthy }

func hostNetwork(w *messages.Workload) { w.NetworkMode = messages.NetworkHost }

func onNode(node string) func(*messages.Workload) {
	return func(w *messages.Workload) { w.Node = node }
}

func onNetwork(network string) func(*messages.Workload) {
	return func(w *messages.Workload) { w.Network = network }
}

func behindGateway(ref string, port uint16) func(*messages.Workload) {
	return func(w *messages.Workload) { w.NetworkGateway = gateway(ref, port) }
}

func withWaypoint(ref string) func(*messages.Workload) {
	return func(w *messages.Workload) { w.Waypoint = gateway(ref, 15008) }
}

func named(host string) func(*messages.Workload) {
	return func(w *messages.Workload) { w.Hostname = host }
}

// serving makes w an endpoint of a service.
func serving(w *messages.Workload, service string, ports messages.PortMap) messages.WorkloadUpdate {
	w.Services = []messages.NamespacedHostname{hostname(service)}
	return messages.WorkloadUpdate{Workload: w, Ports: map[messages.NamespacedHostname]messages.PortMap{hostname(service): ports}}
}

// service is a service "namespace/hostname" with VIPs; change alters it.
func service(key string, vips []string, ports messages.PortMap, change ...func(*messages.Service)) *messages.Service {
	k := hostname(key)
	s := &messages.Service{Namespace: k.Namespace, Hostname: k.Hostname, Ports: ports}
	for _, v := range vips {
		s.VIPs = append(s.VIPs, address(v))
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func balanced(mode messages.LoadBalancerMode, preferences ...messages.Scope) func(*messages.Service) {
	return func(s *messages.Service) {
		s.LoadBalancer = &messages.LoadBalancer{Mode: mode, RoutingPreferences: preferences}
	}
}

func guarded(ref string) func(*messages.Service) {
	return func(s *messages.Service) { s.Waypoint = gateway(ref, 15008) }
}

func families(f messages.IPFamilies) func(*messages.Service) {
	return func(s *messages.Service) { s.IPFamilies = f }
}
