package oracle

import (
	"net/netip"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
)

// workloadAt is the workload of an address: pods that speak HBONE before pods before those that speak HBONE before
// others, the last of equals. Workloads of the host's network are not found by address (§2.4).
func (w *World) workloadAt(network string, ip netip.Addr) *messages.Workload {
	var best *messages.Workload
	bestRank := -1
	for _, u := range w.Workloads {
		wl := u.Workload
		if wl.NetworkMode == messages.NetworkHost || wl.Network != network || !owns(wl, ip) {
			continue
		}
		isPod, isHBONE := strings.Contains(wl.UID, "//Pod/"), wl.Protocol == messages.ProtocolHBONE
		rank := 0
		switch {
		case isPod && isHBONE:
			rank = 3
		case isPod:
			rank = 2
		case isHBONE:
			rank = 1
		}
		if rank >= bestRank {
			best, bestRank = wl, rank
		}
	}
	return best
}

func owns(wl *messages.Workload, ip netip.Addr) bool {
	for _, have := range wl.WorkloadIPs {
		if have == ip {
			return true
		}
	}
	return false
}

// workloadsNamed are the workloads with a host name in a namespace; which of several is found is not said.
func (w *World) workloadsNamed(n messages.NamespacedHostname) []*messages.Workload {
	var all []*messages.Workload
	for _, u := range w.Workloads {
		if u.Workload.Namespace == n.Namespace && u.Workload.Hostname == n.Hostname {
			all = append(all, u.Workload)
		}
	}
	return all
}

// serviceNamed is the service with exactly that key.
func (w *World) serviceNamed(n messages.NamespacedHostname) *messages.Service {
	for _, s := range w.Services {
		if s.Namespace == n.Namespace && s.Hostname == n.Hostname {
			return s
		}
	}
	return nil
}

// visible says whether a client of a namespace may see a service; no namespace sees all.
func visible(s *messages.Service, client string) bool {
	return client == "" || s.Visibility != messages.VisibilityNamespace || s.Namespace == client
}

// best of the candidates in their order: the client's namespace, else the last canonical one, else the first.
func best(candidates []*messages.Service, client string) *messages.Service {
	var seen []*messages.Service
	for _, s := range candidates {
		if visible(s, client) {
			seen = append(seen, s)
		}
	}
	for _, s := range seen {
		if client != "" && s.Namespace == client {
			return s
		}
	}
	for i := len(seen) - 1; i >= 0; i-- {
		if seen[i].Canonical {
			return seen[i]
		}
	}
	if len(seen) > 0 {
		return seen[0]
	}
	return nil
}

// serviceAt is the best service for a VIP: among those with exactly that VIP, else among the ranges.
func (w *World) serviceAt(network string, ip netip.Addr, client string) *messages.Service {
	var exact []*messages.Service
	for _, s := range w.Services {
		for _, vip := range s.VIPs {
			if vip.Network == network && vip.Addr == ip {
				exact = append(exact, s)
				break
			}
		}
	}
	if s := best(exact, client); s != nil {
		return s
	}
	return w.serviceAround(network, ip, client)
}

// serviceAround is the best service among those with a range that holds the address: the client's namespace, then the
// longest prefix, then canonical; the first of equals.
func (w *World) serviceAround(network string, ip netip.Addr, client string) *messages.Service {
	var found *messages.Service
	var foundRank [3]int
	for _, s := range w.Services {
		for _, r := range s.CIDRVIPs {
			if r.Network != network || r.Prefix.Addr().Is4() != ip.Is4() || !r.Prefix.Contains(ip) || !visible(s, client) {
				continue
			}
			rank := [3]int{one(client != "" && s.Namespace == client), r.Prefix.Bits(), one(s.Canonical)}
			if found == nil || less(foundRank, rank) {
				found, foundRank = s, rank
			}
		}
	}
	return found
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func less(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// serviceOfHost is the best service with a host name, for clients of a namespace.
func (w *World) serviceOfHost(hostname, client string) *messages.Service {
	var same []*messages.Service
	for _, s := range w.Services {
		if s.Hostname == hostname {
			same = append(same, s)
		}
	}
	return best(same, client)
}
