package state

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// preferredVIP is the VIP by which a service is told to an application: one on our network, IPv4 first, else any, and
// the last among equals; not valid when the service has none (spec/dataplane.md §4.7).
func preferredVIP(s *messages.Service, network string) netip.Addr {
	var found netip.Addr
	top := -1
	for _, vip := range s.VIPs {
		rank := 0
		if vip.Network == network {
			rank = 1
			if vip.Addr.Is4() {
				rank = 2
			}
		}
		if rank >= top {
			found, top = vip.Addr, rank
		}
	}
	return found
}
