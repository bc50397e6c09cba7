package state

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// at is an address "network/ip", or "ip" on the network without a name.
func at(s string) messages.NetworkAddress {
	if !strings.Contains(s, "/") {
		s = "/" + s
	}
	a, err := messages.ParseNetworkAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}

// within is a range "ip/bits" on the network without a name.
func within(s string) messages.NetworkPrefix {
	return messages.NetworkPrefix{Prefix: netip.MustParsePrefix(s)}
}

// host is the key "namespace/hostname".
func host(s string) messages.NamespacedHostname {
	h, err := messages.ParseNamespacedHostname(s)
	if err != nil {
		panic(err)
	}
	return h
}

// pod is a healthy workload of capacity 1 with the addresses given.
func pod(uid string, ips ...string) *messages.Workload {
	w := &messages.Workload{UID: uid, Name: uid, Namespace: "ns", ServiceAccount: "default", Capacity: 1}
	for _, s := range ips {
		w.WorkloadIPs = append(w.WorkloadIPs, ip(s))
	}
	return w
}

// behind makes w an endpoint of the services given, with the same ports for each.
func behind(w *messages.Workload, ports messages.PortMap, keys ...string) messages.WorkloadUpdate {
	u := messages.WorkloadUpdate{Workload: w, Ports: map[messages.NamespacedHostname]messages.PortMap{}}
	for _, key := range keys {
		w.Services = append(w.Services, host(key))
		u.Ports[host(key)] = ports
	}
	return u
}

func unhealthy(w *messages.Workload) *messages.Workload {
	w.Status = messages.Unhealthy
	return w
}

// service is a public service with port 80 → 8080 at the VIPs (ip) and ranges (ip/bits) given.
func service(key string, addresses ...string) *messages.Service {
	k := host(key)
	s := &messages.Service{
		Name: strings.Split(k.Hostname, ".")[0], Namespace: k.Namespace, Hostname: k.Hostname,
		Ports: messages.PortMap{80: 8080},
	}
	for _, a := range addresses {
		if strings.Contains(a, "/") {
			s.CIDRVIPs = append(s.CIDRVIPs, within(a))
		} else {
			s.VIPs = append(s.VIPs, at(a))
		}
	}
	return s
}

func private(s *messages.Service) *messages.Service {
	s.Visibility = messages.VisibilityNamespace
	return s
}

func canonical(s *messages.Service) *messages.Service {
	s.Canonical = true
	return s
}

func allowingAll(s *messages.Service) *messages.Service {
	s.LoadBalancer = &messages.LoadBalancer{HealthPolicy: messages.AllowAll}
	return s
}

func setServices(t *ServiceTable, services ...*messages.Service) {
	u := &messages.UpdateServices{}
	for _, s := range services {
		u.Set = append(u.Set, messages.ServiceUpdate{Service: s})
	}
	t.ApplyServices(u)
}

func removeServices(t *ServiceTable, keys ...string) {
	u := &messages.UpdateServices{}
	for _, k := range keys {
		u.Remove = append(u.Remove, host(k))
	}
	t.ApplyServices(u)
}

func setEndpoints(t *ServiceTable, set ...messages.WorkloadUpdate) {
	t.ApplyEndpoints(&messages.UpdateEndpoints{Set: set})
}

// bestAt is the key of the best service at an address as namespace sees it, or "".
func bestAt(t *ServiceTable, address, namespace string) string {
	s := t.FindAddress(&messages.FindAddress{
		Addresses: [2]messages.NetworkAddress{at(address)}, Namespace: namespace,
	}).Service
	if s == nil {
		return ""
	}
	return s.Key().String()
}

// endpointsOf are the uids of a service's eligible endpoints, in order.
func endpointsOf(t *testing.T, table *ServiceTable, key string) []string {
	t.Helper()
	e := table.byKey[host(key)]
	if e == nil {
		t.Fatalf("no service %s", key)
	}
	uids := []string{}
	for _, ep := range table.endpoints(e) {
		uids = append(uids, ep.Workload.UID)
	}
	return uids
}
