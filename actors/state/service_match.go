package state

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// byAddress is the best service for an address as clients of namespace see it, or nil: one with the exact VIP, else
// one with a range around it (spec/control.md §3.3).
func (t *ServiceTable) byAddress(a messages.NetworkAddress, namespace string) *entry {
	if !a.Addr.IsValid() {
		return nil
	}
	if e := best(t.byVIP[a], namespace); e != nil {
		return e
	}
	return t.byRange(a, namespace)
}

// byHostname is the best service of that host name as clients of namespace see it, or nil.
func (t *ServiceTable) byHostname(host, namespace string) *entry {
	return best(t.byHost[host], namespace)
}

// best chooses among services with one key: the first of the client's namespace, else the last canonical one, else the
// first.
func best(list []*entry, namespace string) *entry {
	var found *entry
	canonical := false
	for _, e := range list {
		switch {
		case !e.VisibleTo(namespace):
		case namespace != "" && e.Namespace == namespace:
			return e
		case e.Canonical:
			found, canonical = e, true
		case found == nil && !canonical:
			found = e
		}
	}
	return found
}

// byRange is the best service with a range around an address: one of the client's namespace, then the longest prefix,
// then a canonical one, then the one that came first.
func (t *ServiceTable) byRange(a messages.NetworkAddress, namespace string) *entry {
	ranges := t.byCIDR[a.Network]
	if ranges == nil {
		return nil
	}
	var found rangeMatch
	for prefix, list := range ranges.Supernets(netip.PrefixFrom(a.Addr, a.Addr.BitLen())) {
		for _, e := range list {
			if !e.VisibleTo(namespace) {
				continue
			}
			m := rangeMatch{e, namespace != "" && e.Namespace == namespace, prefix.Bits()}
			if found.entry == nil || m.beats(found) {
				found = m
			}
		}
	}
	return found.entry
}

type rangeMatch struct {
	*entry
	own  bool
	bits int
}

func (m rangeMatch) beats(o rangeMatch) bool {
	switch {
	case m.own != o.own:
		return m.own
	case m.bits != o.bits:
		return m.bits > o.bits
	}
	return m.Canonical && !o.Canonical
}
