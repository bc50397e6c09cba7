package xds

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
)

// workloadOf makes the model of a workload (spec/control.md §1.1).
func (c *converter) workloadOf(w *workload.Workload) (*messages.WorkloadUpdate, error) {
	made := &messages.Workload{
		UID: w.Uid, Name: w.Name, Namespace: same(w.Namespace), Network: same(w.Network), Hostname: w.Hostname,
		TrustDomain:    or(w.TrustDomain, messages.DefaultTrustDomain),
		ServiceAccount: or(w.ServiceAccount, messages.DefaultServiceAccount),
		ClusterID:      or(w.ClusterId, messages.DefaultClusterID),
		WorkloadName:   same(w.WorkloadName), WorkloadType: workloadType(w.WorkloadType),
		CanonicalName: same(w.CanonicalName), CanonicalRevision: same(w.CanonicalRevision),
		Node: same(w.Node), NativeTunnel: w.NativeTunnel, Capacity: messages.DefaultCapacity,
	}
	if w.Capacity != nil {
		made.Capacity = w.Capacity.Value
	}
	if l := w.Locality; l != nil {
		made.Locality = messages.Locality{Region: same(l.Region), Zone: same(l.Zone), Subzone: same(l.Subzone)}
	}
	for _, b := range w.Addresses {
		addr, err := address(b)
		if err != nil {
			return nil, err
		}
		made.WorkloadIPs = append(made.WorkloadIPs, addr)
	}
	for _, key := range w.AuthorizationPolicies {
		made.AuthorizationPolicies = append(made.AuthorizationPolicies, same(key))
	}
	if err := modes(w, made); err != nil {
		return nil, err
	}
	var err error
	if made.Waypoint, err = gateway(w.Waypoint); err != nil {
		return nil, fmt.Errorf("waypoint: %w", err)
	}
	if made.NetworkGateway, err = gateway(w.NetworkGateway); err != nil {
		return nil, fmt.Errorf("network gateway: %w", err)
	}
	u := &messages.WorkloadUpdate{Workload: made}
	return u, c.endpoints(w, u)
}

// modes reads what has a few known values only.
func modes(w *workload.Workload, made *messages.Workload) error {
	switch w.TunnelProtocol {
	case workload.TunnelProtocol_NONE:
		made.Protocol = messages.ProtocolTCP
	case workload.TunnelProtocol_HBONE:
		made.Protocol = messages.ProtocolHBONE
	default:
		return fmt.Errorf("tunnel protocol %s is not supported", w.TunnelProtocol)
	}
	switch w.Status {
	case workload.WorkloadStatus_HEALTHY:
		made.Status = messages.Healthy
	case workload.WorkloadStatus_UNHEALTHY:
		made.Status = messages.Unhealthy
	default:
		return fmt.Errorf("status %s is unknown", w.Status)
	}
	switch w.NetworkMode {
	case workload.NetworkMode_STANDARD:
		made.NetworkMode = messages.NetworkStandard
	case workload.NetworkMode_HOST_NETWORK:
		made.NetworkMode = messages.NetworkHost
	default:
		return fmt.Errorf("network mode %s is unknown", w.NetworkMode)
	}
	return tunnel(w.ApplicationTunnel, made)
}

func tunnel(t *workload.ApplicationTunnel, made *messages.Workload) error {
	if t == nil {
		return nil
	}
	at, err := port(t.Port)
	if err != nil {
		return fmt.Errorf("application tunnel: %w", err)
	}
	made.ApplicationTunnel = &messages.ApplicationTunnel{Port: at}
	switch t.Protocol {
	case workload.ApplicationTunnel_NONE:
		made.ApplicationTunnel.Protocol = messages.TunnelNone
	case workload.ApplicationTunnel_PROXY:
		made.ApplicationTunnel.Protocol = messages.TunnelProxy
	default:
		return fmt.Errorf("application tunnel: protocol %s is unknown", t.Protocol)
	}
	return nil
}

// endpoints reads which services the workload stands behind.
func (c *converter) endpoints(w *workload.Workload, u *messages.WorkloadUpdate) error {
	if len(w.Services) == 0 {
		return nil
	}
	u.Ports = make(map[messages.NamespacedHostname]messages.PortMap, len(w.Services))
	u.Workload.Services = make([]messages.NamespacedHostname, 0, len(w.Services))
	for key, list := range w.Services {
		name, err := messages.ParseNamespacedHostname(key)
		if err != nil {
			return fmt.Errorf("service %w", err)
		}
		name = messages.NamespacedHostname{Namespace: same(name.Namespace), Hostname: same(name.Hostname)}
		ports, err := c.portMap(list.GetPorts())
		if err != nil {
			return fmt.Errorf("service %s: %w", key, err)
		}
		u.Ports[name] = ports
		u.Workload.Services = append(u.Workload.Services, name)
	}
	slices.SortFunc(u.Workload.Services, func(a, b messages.NamespacedHostname) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Hostname, b.Hostname))
	})
	return nil
}

// workloadType is the lower-case name; a number that nobody knows is a deployment.
func workloadType(t workload.WorkloadType) string {
	name, ok := workload.WorkloadType_name[int32(t)]
	if !ok {
		name = workload.WorkloadType_DEPLOYMENT.String()
	}
	return same(strings.ToLower(name))
}
