package localconfig

import (
	"github.com/troupe-mesh/troupe/messages"
)

// service reads one entry of services.
func (r *reader) service(i item) messages.ServiceUpdate {
	o := r.object(i.node, i.path)
	s := &messages.Service{
		Name:            o.text("name", required),
		Namespace:       o.text("namespace", required),
		Hostname:        o.text("hostname", required),
		Ports:           r.ports(o.entries("ports", required)),
		SubjectAltNames: o.texts("subjectAltNames", optional),
		Waypoint:        o.gatewayField("waypoint"),
		Canonical:       o.boolean("canonical", optional),
		Visibility:      choice(o, "visibility", optional, messages.VisibilityPublic, messages.VisibilityNamespace),
	}
	for _, vip := range o.list("vips", required) {
		s.VIPs = append(s.VIPs, r.vip(vip))
	}
	for _, c := range o.list("cidrVips", optional) {
		s.CIDRVIPs = append(s.CIDRVIPs, r.cidrVIP(c))
	}
	for _, w := range o.list("weightedWaypoints", optional) {
		s.WeightedWaypoints = append(s.WeightedWaypoints, r.weightedWaypoint(w))
	}
	if n := o.nullable("loadBalancer"); n != nil {
		s.LoadBalancer = r.loadBalancer(item{n, o.at("loadBalancer")})
	}
	if n := o.nullable("ipFamilies"); n != nil {
		s.IPFamilies = choose(r, item{n, o.at("ipFamilies")},
			messages.FamiliesDual, messages.FamiliesIPv4, messages.FamiliesIPv6)
	}
	update := messages.ServiceUpdate{Service: s, Endpoints: r.endpoints(o.entries("endpoints", optional))}
	o.done()
	r.once(i.node, i.path+".hostname", "service", s.Key().String())
	return update
}

func (r *reader) vip(i item) messages.NetworkAddress {
	text := r.text(i)
	a, err := messages.ParseNetworkAddress(text)
	if err != nil && text != "" {
		r.reject(i.node, i.path, "want network/ip; the network may be empty: /10.0.0.1")
	}
	a.Addr = a.Addr.Unmap()
	return a
}

func (r *reader) cidrVIP(i item) messages.NetworkPrefix {
	o := r.object(i.node, i.path)
	p := messages.NetworkPrefix{Network: o.text("network", required)}
	if n := o.field("cidr", required); n != nil {
		p.Prefix = r.prefix(item{n, o.at("cidr")})
	}
	o.done()
	return p
}

func (r *reader) weightedWaypoint(i item) messages.WeightedWaypoint {
	o := r.object(i.node, i.path)
	w := messages.WeightedWaypoint{Weight: o.number32("weight", required, 0)}
	if n := o.field("destination", required); n != nil {
		w.Destination = *r.gateway(item{n, o.at("destination")})
	}
	o.done()
	return w
}

func (r *reader) loadBalancer(i item) *messages.LoadBalancer {
	o := r.object(i.node, i.path)
	lb := &messages.LoadBalancer{
		Mode: choice(o, "mode", required, messages.BalanceStandard, messages.BalanceStrict,
			messages.BalanceFailover, messages.BalancePassthrough),
		HealthPolicy: choice(o, "healthPolicy", required, messages.OnlyHealthy, messages.AllowAll),
	}
	for _, p := range o.list("routingPreferences", required) {
		lb.RoutingPreferences = append(lb.RoutingPreferences, choose(r, p, messages.ScopeRegion, messages.ScopeZone,
			messages.ScopeSubzone, messages.ScopeNode, messages.ScopeCluster, messages.ScopeNetwork))
	}
	o.done()
	return lb
}

// endpoints reads the endpoints that are stated with their service, by workload uid; nil when there are none.
func (r *reader) endpoints(entries []entry) map[string]messages.StatedEndpoint {
	if len(entries) == 0 {
		return nil
	}
	all := make(map[string]messages.StatedEndpoint, len(entries))
	for _, e := range entries {
		o := r.object(e.value.node, e.value.path)
		all[e.key.Value] = messages.StatedEndpoint{
			WorkloadUID: o.text("workloadUid", required),
			Ports:       r.ports(o.entries("port", required)),
			Status:      choice(o, "status", required, messages.Healthy, messages.Unhealthy),
		}
		o.done()
	}
	return all
}
