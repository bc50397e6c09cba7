package dns

import (
	"math/rand/v2"
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// addresses are what a service is told as to a client that asks for addresses of one family, in random order
// (spec/control.md §6.5): its VIPs on the client's network; without any VIP, the first address of each endpoint. They are
// appended to into.
func addresses(into []netip.Addr, f *messages.HostFound, client *messages.Workload, ipv6 bool) []netip.Addr {
	wanted := func(a netip.Addr) bool { return a.Is6() == ipv6 && f.Service.IPFamilies.Allows(a) }
	if len(f.Service.VIPs) > 0 {
		for _, vip := range f.Service.VIPs {
			if vip.Network == client.Network && wanted(vip.Addr) {
				into = append(into, vip.Addr)
			}
		}
	} else {
		for _, ep := range f.Endpoints {
			for _, a := range ep.Workload.WorkloadIPs {
				if wanted(a) {
					into = append(into, a)
					break
				}
			}
		}
	}
	rand.Shuffle(len(into), func(i, j int) { into[i], into[j] = into[j], into[i] })
	return into
}

// target is the name that the question's is an alias of, empty for none: a name that hit without one of the search
// domains, unless by a wildcard.
func target(f *messages.HostFound) string {
	if f.Wildcard {
		return ""
	}
	return f.Alias.Stripped
}
