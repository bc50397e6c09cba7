package admin

import (
	"cmp"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

func dumpServices(services []messages.ServiceDump) []object {
	sorted := slices.SortedStableFunc(slices.Values(services), func(a, b messages.ServiceDump) int {
		return cmp.Or(cmp.Compare(a.Service.Hostname, b.Service.Hostname), cmp.Compare(a.Service.Namespace, b.Service.Namespace))
	})
	return list(sorted, func(d messages.ServiceDump) object { return dumpService(d.Service, dumpEndpoints(d.Endpoints)) })
}

func dumpService(s *messages.Service, endpoints object) object {
	o := object{
		"name": s.Name, "namespace": s.Namespace, "hostname": s.Hostname, "vips": list(s.VIPs, texted),
		"ports": portsOf(s.Ports), "endpoints": endpoints, "subjectAltNames": list(s.SubjectAltNames, same),
		"canonical": s.Canonical, "visibility": s.Visibility.String(),
	}
	o.opt("cidrVips", list(s.CIDRVIPs, dumpCIDR), len(s.CIDRVIPs) == 0)
	o.opt("waypoint", dumpGateway(s.Waypoint), s.Waypoint == nil)
	o.opt("weightedWaypoints", list(s.WeightedWaypoints, dumpWeighted), len(s.WeightedWaypoints) == 0)
	if lb := s.LoadBalancer; lb != nil {
		o["loadBalancer"] = object{
			"routingPreferences": list(lb.RoutingPreferences, texted), "mode": lb.Mode.String(), "healthPolicy": lb.HealthPolicy.String(),
		}
	}
	o.text("ipFamilies", s.IPFamilies.String())
	return o
}

func dumpCIDR(p messages.NetworkPrefix) object {
	return object{"network": p.Network, "cidr": p.Prefix.String()}
}

func dumpWeighted(w messages.WeightedWaypoint) object {
	return object{"destination": dumpGateway(&w.Destination), "weight": w.Weight}
}

func dumpEndpoints(endpoints map[string]messages.Endpoint) object {
	o := make(object, len(endpoints))
	for uid, e := range endpoints {
		o[uid] = object{"workloadUid": e.Workload.UID, "port": portsOf(e.Ports), "status": e.Workload.Status.String()}
	}
	return o
}

func dumpStaged(staged map[messages.NamespacedHostname]map[string]messages.Endpoint) object {
	o := make(object, len(staged))
	for name, endpoints := range staged {
		o[name.String()] = dumpEndpoints(endpoints)
	}
	return o
}

// dumpStaticServices shows services as the local file has them: with the endpoints that it states.
func dumpStaticServices(updates []messages.ServiceUpdate) []object {
	return list(updates, func(u messages.ServiceUpdate) object {
		endpoints := make(object, len(u.Endpoints))
		for uid, e := range u.Endpoints {
			endpoints[uid] = object{"workloadUid": e.WorkloadUID, "port": portsOf(e.Ports), "status": e.Status.String()}
		}
		return dumpService(u.Service, endpoints)
	})
}

// portsOf is never null.
func portsOf(m messages.PortMap) messages.PortMap {
	if m == nil {
		return messages.PortMap{}
	}
	return m
}

func same[T any](v T) T { return v }
