package state

import (
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

// identities are those of our node's workloads: how many have each, and what an update changed of that. It decides whose
// certificate is fetched before it is needed, and whose is not needed any more (spec/control.md §5.6).
//
// Unlike in the reference a workload that gets another identity frees its former one, and the trust domain counts too.
type identities struct {
	node  string
	count map[messages.Identity]int
	// come and gone are what the current update changed; gone may have come back.
	come, gone map[messages.Identity]struct{}
}

func newIdentities(node string) identities {
	return identities{
		node: node, count: map[messages.Identity]int{},
		come: map[messages.Identity]struct{}{}, gone: map[messages.Identity]struct{}{},
	}
}

// add takes in a workload of our node. Only one that is known to be here, and speaks HBONE, will want its certificate.
func (i *identities) add(w *messages.Workload) {
	id := w.Identity()
	i.count[id]++
	if i.node != "" && w.Node == i.node && (w.NativeTunnel || w.Protocol == messages.ProtocolHBONE) {
		i.come[id] = struct{}{}
	}
}

// remove takes out a workload of our node.
func (i *identities) remove(w *messages.Workload) {
	id := w.Identity()
	if i.count[id]--; i.count[id] <= 0 {
		delete(i.count, id)
		i.gone[id] = struct{}{}
	}
}

// changed are the identities to fetch and to forget after an update, in order.
func (i *identities) changed() (fetch, forget []messages.Identity) {
	for id := range i.come {
		if i.count[id] > 0 {
			fetch = append(fetch, id)
		}
	}
	for id := range i.gone {
		if i.count[id] == 0 {
			forget = append(forget, id)
		}
	}
	clear(i.come)
	clear(i.gone)
	byName := func(a, b messages.Identity) int { return strings.Compare(a.String(), b.String()) }
	slices.SortFunc(fetch, byName)
	slices.SortFunc(forget, byName)
	return fetch, forget
}

// passCertificates tells the certificates actor what changed. Fetches have nobody who waits; as many run at a time as the
// CA is asked for.
func (s *workloads) passCertificates(ctx actor.Context) {
	fetch, forget := s.table.identities.changed()
	if s.certificates == nil {
		return
	}
	for _, id := range forget {
		send(ctx, s.certificates(), &messages.ForgetCertificate{Identity: id})
	}
	for _, id := range fetch {
		send(ctx, s.certificates(), &messages.FetchCertificate{Identity: id, Priority: messages.PriorityWarmup})
	}
}
