package identity

import (
	"container/heap"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// place is where an entry is.
type place uint8

const (
	nowhere   place = iota
	ready           // waits for its turn
	scheduled       // waits for its time
	running         // is being signed
)

// entry is what is known of one identity:
//
//	Initializing  no certificate, no err      the first attempt has not ended
//	Available     a certificate               it may have expired; then a fetch waits for the next attempt
//	Unavailable   no certificate, err         the last attempt failed
type entry struct {
	id          messages.Identity
	certificate *mtls.Certificate
	err         error
	waiters     []waiter
	// late is when the certificate should have been renewed long ago.
	late time.Time

	place    place
	priority messages.CertificatePriority
	due      time.Time
	index    int // in its queue
}

// state is the name in dumps (spec/control.md §7).
func (e *entry) state() string {
	switch {
	case e.certificate != nil:
		return "Available"
	case e.err != nil:
		return "Unavailable: " + e.err.Error()
	default:
		return "Initializing"
	}
}

// usable is the certificate if it may be handed out.
func (e *entry) usable(now time.Time) *mtls.Certificate {
	if e.certificate == nil || !now.Before(e.certificate.NotAfter) {
		return nil
	}
	return e.certificate
}

// hold takes a certificate that came at now. From late on it is overdue: only a third of the time is left that it had
// then, while renewals begin at half-life at the latest. One that lives no longer than the one it replaces renews nothing: it
// is as overdue as that, for a CA whose own certificate ends gives nothing better until all end together.
func (e *entry) hold(now time.Time, c *mtls.Certificate) {
	if old := e.certificate; old == nil || c.NotAfter.After(old.NotAfter) {
		e.late = c.NotAfter.Add(-c.NotAfter.Sub(now) / 3)
	}
	e.certificate, e.err = c, nil
}

// overdue reports whether the certificate that is held nears its end without having been renewed.
func (e *entry) overdue(now time.Time) bool { return e.certificate != nil && !now.Before(e.late) }

// queue is entries in an order. Each is in one queue at most.
type queue struct {
	entries []*entry
	less    func(a, b *entry) bool
}

var _ heap.Interface = (*queue)(nil)

// byUrgency puts the more urgent first, and of equals the one that was due first.
func byUrgency(a, b *entry) bool {
	if a.priority != b.priority {
		return a.priority < b.priority
	}
	return a.due.Before(b.due)
}

func byTime(a, b *entry) bool { return a.due.Before(b.due) }

func (q *queue) Len() int           { return len(q.entries) }
func (q *queue) Less(i, j int) bool { return q.less(q.entries[i], q.entries[j]) }

func (q *queue) Swap(i, j int) {
	q.entries[i], q.entries[j] = q.entries[j], q.entries[i]
	q.entries[i].index, q.entries[j].index = i, j
}

// Push is heap's.
func (q *queue) Push(x any) {
	e := x.(*entry)
	e.index = len(q.entries)
	q.entries = append(q.entries, e)
}

// Pop is heap's.
func (q *queue) Pop() any {
	last := len(q.entries) - 1
	e := q.entries[last]
	q.entries[last] = nil
	q.entries = q.entries[:last]
	return e
}

// first is the entry whose turn it is, nil when there is none.
func (q *queue) first() *entry {
	if len(q.entries) == 0 {
		return nil
	}
	return q.entries[0]
}
