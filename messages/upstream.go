package messages

import (
	"net/netip"
	"strconv"
	"strings"
)

// ChooseIP is the address of w to dial for a connection whose application asked for dialled: that very address where w
// owns it; otherwise, among those that families allows, the first of the same family as dialled, or else the first.
// It is not valid where none is left (spec/dataplane.md §2.4).
func (w *Workload) ChooseIP(families IPFamilies, dialled netip.Addr) netip.Addr {
	if w.HasIP(dialled) {
		return dialled
	}
	var first netip.Addr
	for _, ip := range w.WorkloadIPs {
		if !families.Allows(ip) {
			continue
		}
		if ip.Is4() == dialled.Is4() {
			return ip
		}
		if !first.IsValid() {
			first = ip
		}
	}
	return first
}

// NoDestination is the failure of a connection to w for which w has no usable address.
func NoDestination(w *Workload) *Failure {
	return Fail(ReasonNoDestination, "no valid routing destination for workload: "+w.String())
}

// Families is the restriction of the service that chose the upstream, or none.
func (u *Upstream) Families() IPFamilies {
	if u.Service == nil {
		return FamiliesUnset
	}
	return u.Service.IPFamilies
}

// Identities are the identities that the upstream may present: its service's alternative names in their order, then
// the workload's own.
func (u *Upstream) Identities() []Identity {
	return append(u.Service.Identities(), u.Workload.Identity())
}

// Identities are the service's subject alternative names that are SPIFFE ids, in their order; others are skipped. A nil
// service has none.
func (s *Service) Identities() []Identity {
	if s == nil || len(s.SubjectAltNames) == 0 {
		return nil
	}
	ids := make([]Identity, 0, len(s.SubjectAltNames)+1)
	for _, san := range s.SubjectAltNames {
		if id, err := ParseIdentity(san); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// MapPort is the target port on the workload for a service port: the endpoint's own mapping, else the service's target
// port if it is not a named one, else, for a workload with an application tunnel on a port of its own, the service port
// itself. It is false where none of these says (spec/dataplane.md §2.4).
func (e Endpoint) MapPort(s *Service, port uint16) (uint16, bool) {
	if target, ok := e.Ports[port]; ok {
		return target, true
	}
	if target := s.Ports[port]; target > 0 {
		return target, true
	}
	if t := e.Workload.ApplicationTunnel; t != nil && t.Port > 0 {
		return port, true
	}
	return 0, false
}

// String is the whole reference, in the form that the reference implementation's error texts show.
func (g GatewayAddress) String() string {
	var b strings.Builder
	b.WriteString("GatewayAddress { destination: ")
	if d := g.Destination; d.IsHostname() {
		b.WriteString("Hostname(NamespacedHostname { namespace: " + strconv.Quote(d.Hostname.Namespace) +
			", hostname: " + strconv.Quote(d.Hostname.Hostname) + " })")
	} else {
		b.WriteString("Address(NetworkAddress { network: " + strconv.Quote(d.Address.Network) +
			", address: " + d.Address.Addr.String() + " })")
	}
	b.WriteString(", hbone_mtls_port: " + strconv.Itoa(int(g.HBONEMTLSPort)) + " }")
	return b.String()
}
