// Package scale measures the stores with the state of a big cluster: how long it takes to load, how much memory a workload
// costs, how long a question takes, also while loading goes on.
package scale

import (
	"fmt"
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// endpointsPerService is how many workloads stand behind each service.
const endpointsPerService = 10

// The generated cluster's address ranges: pods in 10.0.0.0/8, VIPs in 172.16.0.0/12.
func podIP(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func serviceVIP(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{172, 16 + byte(i>>16), byte(i >> 8), byte(i)})
}

// text is a string of its own, as a decoder of wire messages makes it: equal ones do not share their bytes.
func text(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func serviceKey(i int) messages.NamespacedHostname {
	ns := i % 200
	return messages.NamespacedHostname{Namespace: text("ns-%d", ns), Hostname: text("app-%d.ns-%d.svc.cluster.local", i, ns)}
}

// Workload is the i-th workload as istiod describes a pod of a deployment.
func Workload(i int) messages.WorkloadUpdate {
	s := i / endpointsPerService
	key := serviceKey(s)
	name := text("app-%d-7f9c6d5b8f-%05d", s, i)
	w := &messages.Workload{
		UID: text("Kubernetes//Pod/%s/%s", key.Namespace, name), Name: name, Namespace: text("%s", key.Namespace),
		WorkloadIPs: []netip.Addr{podIP(i)}, Protocol: messages.ProtocolHBONE, TrustDomain: text("cluster.local"),
		ServiceAccount: text("app-%d", s), Network: text("network-1"), WorkloadName: text("app-%d", s), WorkloadType: text("deployment"),
		CanonicalName: text("app-%d", s), CanonicalRevision: text("v1"), Node: text("node-%d", i%1000), ClusterID: text("Kubernetes"),
		Locality: messages.Locality{Region: text("europe-west1"), Zone: text("europe-west1-%d", i%3)}, Capacity: 1,
		Services: []messages.NamespacedHostname{key},
	}
	return messages.WorkloadUpdate{Workload: w, Ports: map[messages.NamespacedHostname]messages.PortMap{
		{Namespace: text("%s", key.Namespace), Hostname: text("%s", key.Hostname)}: {80: 8080},
	}}
}

// Service is the i-th service.
func Service(i int) messages.ServiceUpdate {
	key := serviceKey(i)
	return messages.ServiceUpdate{Service: &messages.Service{
		Name: text("app-%d", i), Namespace: key.Namespace, Hostname: key.Hostname, Canonical: true,
		VIPs:  []messages.NetworkAddress{{Network: text("network-1"), Addr: serviceVIP(i)}},
		Ports: messages.PortMap{80: 8080, 443: 8443}, IPFamilies: messages.FamiliesIPv4,
	}}
}
