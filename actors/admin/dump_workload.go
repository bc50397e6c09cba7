package admin

import (
	"cmp"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

func dumpWorkloads(workloads []*messages.Workload) []object {
	sorted := slices.SortedFunc(slices.Values(workloads), func(a, b *messages.Workload) int { return cmp.Compare(a.UID, b.UID) })
	return list(sorted, dumpWorkload)
}

func dumpWorkload(w *messages.Workload) object {
	o := object{
		"workloadIps": list(w.WorkloadIPs, texted), "protocol": w.Protocol.String(), "networkMode": w.NetworkMode.String(),
		"name": w.Name, "namespace": w.Namespace, "status": w.Status.String(), "clusterId": w.ClusterID, "capacity": w.Capacity,
	}
	o.text("uid", w.UID)
	o.text("trustDomain", w.TrustDomain)
	o.text("serviceAccount", w.ServiceAccount)
	o.text("network", w.Network)
	o.text("workloadName", w.WorkloadName)
	o.text("workloadType", w.WorkloadType)
	o.text("canonicalName", w.CanonicalName)
	o.text("canonicalRevision", w.CanonicalRevision)
	o.text("hostname", w.Hostname)
	o.text("node", w.Node)
	o.opt("nativeTunnel", true, !w.NativeTunnel)
	o.opt("waypoint", dumpGateway(w.Waypoint), w.Waypoint == nil)
	o.opt("networkGateway", dumpGateway(w.NetworkGateway), w.NetworkGateway == nil)
	o.opt("authorizationPolicies", w.AuthorizationPolicies, len(w.AuthorizationPolicies) == 0)
	o.opt("services", list(w.Services, texted), len(w.Services) == 0)
	o.opt("locality", object{"region": w.Locality.Region, "zone": w.Locality.Zone, "subzone": w.Locality.Subzone},
		w.Locality == messages.Locality{})
	if t := w.ApplicationTunnel; t != nil {
		tunnel := object{"protocol": t.Protocol.String(), "port": nil}
		tunnel.opt("port", t.Port, t.Port == 0)
		o["applicationTunnel"] = tunnel
	}
	return o
}

// dumpStaticWorkloads shows workloads as the local file has them: services with their ports.
func dumpStaticWorkloads(updates []messages.WorkloadUpdate) []object {
	return list(updates, func(u messages.WorkloadUpdate) object {
		o := dumpWorkload(u.Workload)
		services := make(object, len(u.Ports))
		for name, ports := range u.Ports {
			services[name.String()] = portsOf(ports)
		}
		o["services"] = services
		return o
	})
}

func dumpGateway(g *messages.GatewayAddress) object {
	if g == nil {
		return nil
	}
	return object{"destination": g.Destination.String(), "hboneMtlsPort": g.HBONEMTLSPort}
}

func texted[T interface{ String() string }](v T) string { return v.String() }
