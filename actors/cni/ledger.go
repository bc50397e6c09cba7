package cni

import (
	"errors"
	"maps"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

// The requests that break the protocol (spec/ops.md §3.4): the agent and we don't mean the same pods any more.
var (
	errNoInfo         = errors.New("workload_info is required but not present")
	errKeepTooLate    = errors.New("pod keep received after snapshot")
	errSnapshotTwice  = errors.New("pod snapshot received already")
	errNothingToServe = errors.New("the pod has no network namespace")
)

// candidate is a pod that is to be served. It owns namespace.
type candidate struct {
	uid       string
	info      messages.WorkloadInfo
	namespace messages.PodNamespace
}

// ledger knows which pods are served, which could not be, and which ones the agent has told of since its hello. It does
// nothing itself: what its methods return is to be carried out, in the order stop, start.
//
//	request       before the snapshot                           after it
//	add           named; served, unless it is there already     served, unless it is there already
//	keep          named                                         breaks the protocol
//	delete        not named; not tried again any more           stopped, forgotten
//	snapshot      what is not named is stopped, forgotten       breaks the protocol
//	connected     nothing is named                              nothing is named: a new snapshot begins
//
// A pod is there when it is served in the same namespace; in another one it is served anew. Between an add that has to
// be served and its started there is no other request.
//
// The reference forgets what it could not start at each reconnect, and never lets go of the admin entry of a pod that was
// deleted before it started. Here the former are tried on until a snapshot leaves them out, and the latter go.
type ledger struct {
	served map[string]messages.NamespaceID
	failed map[string]candidate
	named  map[string]struct{}
	// kept are those that the agent asked to keep since its hello: what is served of them stays, whatever we forgot in a
	// crash.
	kept     map[string]struct{}
	snapshot bool
}

func newLedger() *ledger {
	return &ledger{
		served: map[string]messages.NamespaceID{}, failed: map[string]candidate{}, named: map[string]struct{}{},
		kept: map[string]struct{}{},
	}
}

// connected begins a new snapshot.
func (l *ledger) connected() {
	clear(l.named)
	clear(l.kept)
	l.snapshot = false
}

// add takes a pod over and reports whether it has to be served; otherwise it is there.
func (l *ledger) add(c candidate) (serve bool) {
	if !l.snapshot {
		l.named[c.uid] = struct{}{}
	}
	if id, ok := l.served[c.uid]; ok && id == c.namespace.ID() {
		_ = c.namespace.Close()
		return false
	}
	delete(l.served, c.uid) // the pods actor replaces it
	return true
}

// started notes what became of serving a pod.
func (l *ledger) started(c candidate, err error) {
	l.forget(c.uid)
	if err != nil {
		l.failed[c.uid] = c
		return
	}
	l.served[c.uid] = c.namespace.ID()
	_ = c.namespace.Close()
}

// keep notes that a pod is still there.
func (l *ledger) keep(uid string) error {
	if l.snapshot {
		return errKeepTooLate
	}
	l.named[uid] = struct{}{}
	l.kept[uid] = struct{}{}
	return nil
}

// has reports whether a pod is served, or tried again.
func (l *ledger) has(uid string) bool {
	_, served := l.served[uid]
	_, failed := l.failed[uid]
	return served || failed
}

// remove takes a pod out, and reports whether it has to be stopped now.
func (l *ledger) remove(uid string) (stop bool) {
	_, failed := l.failed[uid]
	l.forget(uid)
	delete(l.kept, uid)
	if !l.snapshot {
		delete(l.named, uid)
		return failed
	}
	_, served := l.served[uid]
	delete(l.served, uid)
	return served || failed
}

// sent ends the snapshot, and returns whom it left out, in order of their uids: they have to be stopped.
func (l *ledger) sent() (stop []string, err error) {
	if l.snapshot {
		return nil, errSnapshotTwice
	}
	for uid := range l.served {
		if _, ok := l.named[uid]; !ok {
			stop = append(stop, uid)
		}
	}
	for uid := range l.failed {
		if _, ok := l.named[uid]; !ok {
			stop = append(stop, uid)
		}
	}
	slices.Sort(stop)
	for _, uid := range stop {
		delete(l.served, uid)
		l.forget(uid)
	}
	clear(l.named)
	l.snapshot = true
	return stop, nil
}

// due are the uids of the pods to try again, in order.
func (l *ledger) due() []string { return slices.Sorted(maps.Keys(l.failed)) }

// again is a pod to try again, with a namespace of its own; false if it is not to be tried any more.
func (l *ledger) again(uid string) (candidate, bool) {
	c, ok := l.failed[uid]
	if ok {
		c.namespace = c.namespace.Share()
	}
	return c, ok
}

// known are the uids of all pods, in order.
func (l *ledger) known() []string {
	known := slices.AppendSeq(slices.Collect(maps.Keys(l.served)), maps.Keys(l.failed))
	known = slices.AppendSeq(known, maps.Keys(l.kept))
	slices.Sort(known)
	return slices.Compact(known)
}

// ready reports whether the node serves all pods that it was told of (spec/ops.md §3.6).
func (l *ledger) ready() bool { return l.snapshot && len(l.failed) == 0 }

// forget lets go of a pod that could not be served.
func (l *ledger) forget(uid string) {
	if c, ok := l.failed[uid]; ok {
		_ = c.namespace.Close()
		delete(l.failed, uid)
	}
}
