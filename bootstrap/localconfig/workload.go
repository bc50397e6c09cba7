package localconfig

import (
	"cmp"
	"maps"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

// workload reads one entry of workloads. Beyond the reference, which takes only the endpoints from its services, the
// workload lists them too, as it does from xDS: the inbound side can name the service of a connection.
func (r *reader) workload(i item) messages.WorkloadUpdate {
	o := r.object(i.node, i.path)
	w := &messages.Workload{
		UID:               o.text("uid", optional),
		Name:              o.text("name", optional),
		Namespace:         o.text("namespace", required),
		Waypoint:          o.gatewayField("waypoint"),
		NetworkGateway:    o.gatewayField("networkGateway"),
		Protocol:          choice(o, "protocol", optional, messages.ProtocolTCP, messages.ProtocolHBONE),
		NetworkMode:       choice(o, "networkMode", optional, messages.NetworkStandard, messages.NetworkHost),
		TrustDomain:       o.textOr("trustDomain", messages.DefaultTrustDomain),
		ServiceAccount:    o.textOr("serviceAccount", messages.DefaultServiceAccount),
		Network:           o.text("network", optional),
		WorkloadName:      o.text("workloadName", optional),
		WorkloadType:      o.text("workloadType", optional),
		CanonicalName:     o.text("canonicalName", optional),
		CanonicalRevision: o.text("canonicalRevision", optional),
		Hostname:          o.text("hostname", optional),
		Node:              o.text("node", optional),
		NativeTunnel:      o.boolean("nativeTunnel", optional),
		Status:            choice(o, "status", optional, messages.Healthy, messages.Unhealthy),
		ClusterID:         o.textOr("clusterId", messages.DefaultClusterID),
		Capacity:          o.number32("capacity", optional, messages.DefaultCapacity),

		AuthorizationPolicies: o.texts("authorizationPolicies", optional),
	}
	for _, ip := range o.list("workloadIps", required) {
		w.WorkloadIPs = append(w.WorkloadIPs, r.address(ip))
	}
	if n := o.nullable("applicationTunnel"); n != nil {
		w.ApplicationTunnel = r.applicationTunnel(item{n, o.at("applicationTunnel")})
	}
	if n := o.field("locality", optional); n != nil {
		w.Locality = r.locality(item{n, o.at("locality")})
	}
	update := messages.WorkloadUpdate{Workload: w, Ports: r.memberships(o.entries("services", required))}
	w.Services = sortedServices(update.Ports)
	o.done()
	r.once(i.node, i.path+".uid", "workload uid", w.UID)
	return update
}

func (r *reader) applicationTunnel(i item) *messages.ApplicationTunnel {
	o := r.object(i.node, i.path)
	t := &messages.ApplicationTunnel{
		Protocol: choice(o, "protocol", required, messages.TunnelNone, messages.TunnelProxy),
	}
	if n := o.nullable("port"); n != nil {
		t.Port = uint16(r.number(n, o.at("port"), 16))
	}
	o.done()
	return t
}

func (r *reader) locality(i item) messages.Locality {
	o := r.object(i.node, i.path)
	l := messages.Locality{
		Region:  o.text("region", required),
		Zone:    o.text("zone", required),
		Subzone: o.text("subzone", required),
	}
	o.done()
	return l
}

// memberships reads the services that a workload is an endpoint of, with its port mapping for each.
func (r *reader) memberships(entries []entry) map[messages.NamespacedHostname]messages.PortMap {
	all := make(map[messages.NamespacedHostname]messages.PortMap, len(entries))
	for _, e := range entries {
		name, err := messages.ParseNamespacedHostname(e.key.Value)
		if err != nil {
			r.reject(e.key, e.value.path, "want namespace/hostname as the key")
			continue
		}
		all[name] = r.ports(r.entries(e.value.node, e.value.path))
	}
	return all
}

// sortedServices are the services by namespace and then host name; nil when there are none.
func sortedServices(ports map[messages.NamespacedHostname]messages.PortMap) []messages.NamespacedHostname {
	return slices.SortedFunc(maps.Keys(ports), func(a, b messages.NamespacedHostname) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Hostname, b.Hostname))
	})
}
