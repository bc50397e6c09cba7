package istiod

import (
	"maps"
	"slices"

	"github.com/troupe-mesh/troupe/transport/wire/discovery"
)

// answer is what a request gets.
func (w *World) answer(s *Stream, q *discovery.DeltaDiscoveryRequest, sub *watched, asked []string) *discovery.DeltaDiscoveryResponse {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &discovery.DeltaDiscoveryResponse{TypeUrl: q.TypeUrl}
	all := w.kinds[q.TypeUrl]
	send := func(name string) {
		e := all[name]
		sub.names[name] = true
		if v := e.resource.Version; v != "" && q.InitialResourceVersions[name] == v {
			return // the client has it
		}
		r.Resources = append(r.Resources, e.resource)
	}
	if sub.wildcard {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			send(name)
		}
		for _, name := range asked {
			if all[name] == nil {
				r.RemovedResources = append(r.RemovedResources, name)
			}
		}
		return r
	}
	wanted, missed := w.lookup(all, asked)
	for name, e := range all {
		if s.node != "" && e.node == s.node && !sub.names[name] {
			wanted[name] = true
		}
	}
	if len(asked) == 0 && len(wanted) == 0 {
		// As istiod does: a request that only unsubscribes is answered with the removal of all that is left.
		r.RemovedResources = slices.Sorted(maps.Keys(sub.names))
		return r
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		send(name)
	}
	r.RemovedResources = missed
	return r
}

// lookup finds resources by name or alias, and with a service the workloads behind it.
func (w *World) lookup(all map[string]*entry, asked []string) (wanted map[string]bool, missed []string) {
	wanted = map[string]bool{}
	for _, q := range asked {
		found := false
		for name, e := range all {
			if name == q || slices.Contains(e.resource.Aliases, q) {
				found = true
				wanted[name] = true
				for behind, b := range all {
					if slices.Contains(b.behind, name) {
						wanted[behind] = true
					}
				}
			}
		}
		if !found {
			missed = append(missed, q)
		}
	}
	return wanted, missed
}
