package state

import (
	"maps"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

// WorkloadTable indexes workloads by uid, by address, by host name and, for those on our node, by identity
// (spec/control.md §3.1). It is not safe for concurrent use.
type WorkloadTable struct {
	node    string
	version uint64
	byUID   map[string]messages.WorkloadUpdate
	// byAddress has no workloads that share their node's addresses. The order is that of insertion.
	byAddress  map[messages.NetworkAddress][]*messages.Workload
	byHostname map[messages.NamespacedHostname][]*messages.Workload
	// byIdentity has local workloads only; the trust domain is no part of the key.
	byIdentity map[localIdentity][]*messages.Workload
	identities identities
	redelivery sweep[string]
}

type localIdentity struct{ namespace, serviceAccount string }

// NewWorkloadTable makes an empty table for the node of that name; without a name every workload is local.
func NewWorkloadTable(node string) *WorkloadTable {
	t := &WorkloadTable{node: node}
	t.clear()
	return t
}

func (t *WorkloadTable) clear() {
	t.byUID = map[string]messages.WorkloadUpdate{}
	t.byAddress = map[messages.NetworkAddress][]*messages.Workload{}
	t.byHostname = map[messages.NamespacedHostname][]*messages.Workload{}
	t.byIdentity = map[localIdentity][]*messages.Workload{}
	t.identities = newIdentities(t.node)
}

// Version grows with every update.
func (t *WorkloadTable) Version() uint64 { return t.version }

// Apply makes the changes that u tells, removals first. It returns the uids that a full delivery which ends with u has
// not named.
func (t *WorkloadTable) Apply(u *messages.UpdateWorkloads) (gone []string) {
	t.version++
	if u.Reset {
		begin(&t.redelivery, t.byUID)
	}
	for _, uid := range u.Remove {
		t.remove(uid)
	}
	for _, w := range u.Set {
		t.set(w)
	}
	if u.More {
		return nil
	}
	gone = t.redelivery.end()
	slices.Sort(gone)
	for _, uid := range gone {
		t.remove(uid)
	}
	return gone
}

func (t *WorkloadTable) set(u messages.WorkloadUpdate) {
	w := u.Workload
	t.redelivery.spare(w.UID)
	t.remove(w.UID)
	t.byUID[w.UID] = u
	for _, a := range addresses(w) {
		t.byAddress[a] = append(t.byAddress[a], w)
	}
	if w.Hostname != "" {
		h := hostname(w)
		t.byHostname[h] = append(t.byHostname[h], w)
	}
	if t.local(w) {
		id := localIdentity{w.Namespace, w.ServiceAccount}
		t.byIdentity[id] = append(t.byIdentity[id], w)
		t.identities.add(w)
	}
}

func (t *WorkloadTable) remove(uid string) {
	w := t.byUID[uid].Workload
	if w == nil {
		return
	}
	delete(t.byUID, uid)
	for _, a := range addresses(w) {
		drop(t.byAddress, a, w)
	}
	drop(t.byHostname, hostname(w), w)
	drop(t.byIdentity, localIdentity{w.Namespace, w.ServiceAccount}, w)
	if t.local(w) {
		t.identities.remove(w)
	}
}

// drop takes v out of one list of an index and forgets the list when it is empty.
func drop[K comparable, V comparable](index map[K][]V, key K, v V) {
	list, ok := index[key]
	if !ok {
		return
	}
	if list = slices.DeleteFunc(list, func(have V) bool { return have == v }); len(list) == 0 {
		delete(index, key)
	} else {
		index[key] = list
	}
}

func (t *WorkloadTable) local(w *messages.Workload) bool { return t.node == "" || w.Node == t.node }

func hostname(w *messages.Workload) messages.NamespacedHostname {
	return messages.NamespacedHostname{Namespace: w.Namespace, Hostname: w.Hostname}
}

func addresses(w *messages.Workload) []messages.NetworkAddress {
	if w.NetworkMode == messages.NetworkHost {
		return nil
	}
	all := make([]messages.NetworkAddress, 0, len(w.WorkloadIPs))
	for _, ip := range w.WorkloadIPs {
		if a := (messages.NetworkAddress{Network: w.Network, Addr: ip}); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// ByAddress is the workload that owns a, or nil. Of several the one with the highest rank counts, and among equals the
// one that came last.
func (t *WorkloadTable) ByAddress(a messages.NetworkAddress) *messages.Workload {
	var best *messages.Workload
	for _, w := range t.byAddress[a] {
		if best == nil || w.AddressRank() >= best.AddressRank() {
			best = w
		}
	}
	return best
}

// Local is the workload on our node that info describes, or nil.
func (t *WorkloadTable) Local(info messages.WorkloadInfo) *messages.Workload {
	for _, w := range t.byIdentity[localIdentity{info.Namespace, info.ServiceAccount}] {
		if info.Matches(w) {
			return w
		}
	}
	return nil
}

// uids names everything that the table holds, in order.
func (t *WorkloadTable) uids() []string { return slices.Sorted(maps.Keys(t.byUID)) }

// some is what the table holds of uids, as it was delivered.
func (t *WorkloadTable) some(uids []string) []messages.WorkloadUpdate {
	all := make([]messages.WorkloadUpdate, 0, len(uids))
	for _, uid := range uids {
		if u, ok := t.byUID[uid]; ok {
			all = append(all, u)
		}
	}
	return all
}

// FindAddress answers the question of that name.
func (t *WorkloadTable) FindAddress(q *messages.FindAddress) *messages.WorkloadsFound {
	a := &messages.WorkloadsFound{Answer: answer(&q.Question, t.version)}
	for i, addr := range q.Addresses {
		if addr.Addr.IsValid() {
			a.Workloads[i] = t.ByAddress(addr)
		}
	}
	return a
}

// FindHostname answers the question of that name.
func (t *WorkloadTable) FindHostname(q *messages.FindHostname) *messages.WorkloadFound {
	a := &messages.WorkloadFound{Answer: answer(&q.Question, t.version)}
	if named := t.byHostname[q.Name]; len(named) > 0 && q.Name.Hostname != "" {
		a.Workload = named[0]
	}
	return a
}

// FindWorkload answers the question of that name.
func (t *WorkloadTable) FindWorkload(q *messages.FindWorkload) *messages.WorkloadFound {
	return &messages.WorkloadFound{Answer: answer(&q.Question, t.version), Workload: t.byUID[q.UID].Workload}
}

// DumpState answers the question of that name.
func (t *WorkloadTable) DumpState(q *messages.DumpState) *messages.WorkloadsDumped {
	a := &messages.WorkloadsDumped{Answer: answer(&q.Question, t.version)}
	for _, u := range t.some(t.uids()) {
		a.Workloads = append(a.Workloads, u.Workload)
	}
	return a
}

// answer is the header of the answer to q.
func answer(q *messages.Question, version uint64) messages.Answer {
	return messages.Answer{ID: q.ID, Version: version, Asked: q.Waited}
}
