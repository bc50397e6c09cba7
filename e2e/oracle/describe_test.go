package oracle

import (
	"fmt"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
)

func describeWay(w Way) string {
	if w.Deny != nil {
		return fmt.Sprint("deny ", w.Deny.Reason, ": ", w.Deny.Text)
	}
	r := w.Request
	return fmt.Sprintf("%v %v dial %v authority %v expecting %v inner %v to %s of %s gateway %v from %s", r.Type, r.Protocol, r.Dial,
		r.Authority, r.ExpectedIdentities, r.InnerIdentities, nameWorkload(r.Destination), nameService(r.Service), r.Gateway,
		nameWorkload(r.Source))
}

func describeReception(r Reception) string {
	if r.Deny != nil {
		return fmt.Sprint("deny ", r.Deny.Reason, ": ", r.Deny.Text)
	}
	i := r.Inbound
	return fmt.Sprintf("dial %v loopback %v target %v for %s from %s service %s gateway %v waypoint %v tunnel %v", i.Dial, i.Loopback,
		i.Target, nameWorkload(i.Local), nameWorkload(i.Source), nameService(i.Service), i.FromGateway, i.FromWaypoint, i.TunnelTarget)
}

// nameWorkload and nameService tell the versions of a thing apart.
func nameWorkload(w *messages.Workload) string {
	if w == nil {
		return "nobody"
	}
	return w.UID + "@" + w.CanonicalRevision
}

func nameService(s *messages.Service) string {
	if s == nil {
		return "none"
	}
	return s.Key().String() + "@" + s.Name
}

func describeQuestion(q any) string {
	switch v := q.(type) {
	case Call:
		return fmt.Sprintf("call from %v (%s %+v) to %v, network %q node %q", v.Src, nameWorkload(v.Source), v.Source, v.Dst, v.OurNetwork, v.LocalNode)
	case Arrival:
		return fmt.Sprintf("arrival %+v for %+v", v, v.Local)
	}
	return fmt.Sprint(q)
}

func describeWorld(w *World) string {
	var b strings.Builder
	for _, u := range w.Workloads {
		fmt.Fprintf(&b, "\n  workload %+v", *u.Workload)
		fmt.Fprintf(&b, "\n    ports %v waypoint %v gateway %v tunnel %v", u.Ports, u.Workload.Waypoint, u.Workload.NetworkGateway, u.Workload.ApplicationTunnel)
	}
	for _, s := range w.Services {
		fmt.Fprintf(&b, "\n  service %+v waypoint %v balancer %v", *s, s.Waypoint, s.LoadBalancer)
	}
	return fmt.Sprintf("%s\n  names %v", b.String(), w.Names)
}
