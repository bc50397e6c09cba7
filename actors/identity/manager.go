package identity

import (
	"container/heap"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

const (
	// refreshSpread is how much later than half-life a refresh may come, as a share of what is left of the certificate's
	// life, so that the pods of a node do not all come at once. A CA may date certificates back by more than they live.
	refreshSpread = 0.05
	// minRefresh is the least time between two certificates of one identity, whatever their validity says.
	minRefresh = time.Second
)

// manager decides what the certificates actor does. It is told the time and asks for nothing.
//
//	fetch     unknown: enqueue and wait. Initializing, or expired: raise the priority and wait. Available or
//	          Unavailable: answer at once.
//	finished  success: Available, next attempt in the background at half-life. Failure: an older certificate that is
//	          still valid stays, next attempt after the back-off or when it expires; without one Unavailable, next
//	          attempt after the back-off. All that wait are answered.
//	forget    dropped; all that wait are told. A running attempt runs on, and its result is used if the identity is
//	          fetched again before it ends.
//
// The back-off of an identity outlives forgetting it.
type manager struct {
	concurrency, maxIdentities, maxWaiters int
	random                                 func() float64

	entries   map[messages.Identity]*entry
	running   map[messages.Identity]struct{}
	failing   map[messages.Identity]*backoff
	ready     queue
	scheduled queue
	waiting   int
	version   uint64
	counts    messages.CertificatesMeasured // only its counters
}

// waiter is a fetch that waits for its answer.
type waiter struct {
	asker *actor.PID
	id    uint64
	asked time.Duration
	since time.Time
}

// answer is what a fetch is told.
type answer struct {
	waiter
	certificate *mtls.Certificate
	err         error
	// trace and span are those of the attempt that it waited for.
	trace messages.TraceID
	span  messages.SpanID
}

// attempt is one that is to begin.
type attempt struct {
	id       messages.Identity
	priority messages.CertificatePriority
	queued   time.Duration
}

func newManager(c Config) *manager {
	return &manager{
		concurrency: c.Concurrency, maxIdentities: c.MaxIdentities, maxWaiters: c.MaxWaiters, random: c.Random,
		entries:   map[messages.Identity]*entry{},
		running:   map[messages.Identity]struct{}{},
		failing:   map[messages.Identity]*backoff{},
		ready:     queue{less: byUrgency},
		scheduled: queue{less: byTime},
	}
}

// fetch is a question for a certificate. It returns the answer, or false when w waits for it. A w without an asker
// waits for nothing.
func (m *manager) fetch(now time.Time, id messages.Identity, p messages.CertificatePriority, w waiter) (answer, bool) {
	e := m.entries[id]
	if e == nil {
		if len(m.entries) >= m.maxIdentities {
			m.counts.RefusedIdentities++
			return answer{waiter: w, err: ErrTooManyIdentities}, true
		}
		e = m.add(now, id, p)
	} else if c := e.usable(now); c != nil {
		return answer{waiter: w, certificate: c}, true
	} else if e.err != nil {
		return answer{waiter: w, err: e.err}, true
	} else {
		m.counts.Coalesced++
		m.raise(now, e, p)
	}
	if w.asker == nil {
		return answer{}, false
	}
	if m.waiting >= m.maxWaiters {
		m.counts.RefusedWaiters++
		return answer{waiter: w, err: ErrTooManyWaiters}, true
	}
	m.waiting++
	e.waiters = append(e.waiters, w)
	return answer{}, false
}

func (m *manager) add(now time.Time, id messages.Identity, p messages.CertificatePriority) *entry {
	e := &entry{id: id}
	m.entries[id] = e
	m.version++
	if _, ok := m.running[id]; ok { // forgotten meanwhile
		e.place = running
		return e
	}
	m.put(e, ready, p, now)
	return e
}

// raise makes the entry's next attempt as urgent as p, at least.
func (m *manager) raise(now time.Time, e *entry, p messages.CertificatePriority) {
	switch {
	case e.place == scheduled:
		m.take(e)
		m.put(e, ready, p, now)
	case e.place == ready && p < e.priority:
		e.priority = p
		heap.Fix(&m.ready, e.index)
	}
}

// begin lists the attempts that are to begin now.
func (m *manager) begin(now time.Time) []attempt {
	for e := m.scheduled.first(); e != nil && !now.Before(e.due); e = m.scheduled.first() {
		m.take(e)
		m.put(e, ready, e.priority, e.due)
	}
	var all []attempt
	for len(m.running) < m.concurrency {
		e := m.ready.first()
		if e == nil {
			break
		}
		m.take(e)
		e.place = running
		m.running[e.id] = struct{}{}
		all = append(all, attempt{id: e.id, priority: e.priority, queued: now.Sub(e.due)})
	}
	return all
}

// wake is when begin must be called again though nothing happens until then; zero means never.
func (m *manager) wake() time.Time {
	if e := m.scheduled.first(); e != nil {
		return e.due
	}
	return time.Time{}
}

// finished takes the result of an attempt: a certificate or an error. It returns whom to answer, whether an older
// certificate was kept, and when the next attempt is due; zero when the identity was forgotten.
func (m *manager) finished(now time.Time, id messages.Identity, c *mtls.Certificate, err error) (answers []answer, kept bool, next time.Time) {
	delete(m.running, id)
	e := m.entries[id]
	if err == nil {
		m.counts.Issued++
		delete(m.failing, id)
	} else {
		m.counts.Failed++
	}
	if e == nil {
		return nil, false, time.Time{}
	}
	m.version++
	if err == nil {
		e.hold(now, c)
		next = now.Add(max(minRefresh, c.RefreshAfter(now)+m.refreshJitter(now, c)))
	} else {
		next = now.Add(m.backoff(id).next(m.random()))
		if old := e.usable(now); old != nil {
			kept = true
			m.counts.Retained++
			next = earlier(next, old.NotAfter)
		} else {
			e.certificate, e.err = nil, err
		}
	}
	m.put(e, scheduled, messages.PriorityBackground, next)
	return m.release(e, answer{certificate: e.certificate, err: e.err}), kept, next
}

// overdue is how long the identity's certificate is still valid, if it nears its end without having been renewed.
func (m *manager) overdue(now time.Time, id messages.Identity) (time.Duration, bool) {
	e := m.entries[id]
	if e == nil || !e.overdue(now) {
		return 0, false
	}
	return e.certificate.NotAfter.Sub(now), true
}

func (m *manager) refreshJitter(now time.Time, c *mtls.Certificate) time.Duration {
	return time.Duration(float64(c.NotAfter.Sub(now)) * refreshSpread * m.random())
}

func (m *manager) backoff(id messages.Identity) *backoff {
	b := m.failing[id]
	if b == nil {
		if len(m.failing) >= m.maxIdentities { // only when failing identities were forgotten: those are the ones to drop
			for old := range m.failing {
				if m.entries[old] == nil {
					delete(m.failing, old)
				}
			}
		}
		b = &backoff{}
		m.failing[id] = b
	}
	return b
}

// forget drops an identity and returns whom to tell.
func (m *manager) forget(id messages.Identity) []answer {
	e := m.entries[id]
	if e == nil {
		return nil
	}
	m.take(e)
	delete(m.entries, id)
	m.version++
	m.counts.Forgotten++
	return m.release(e, answer{err: ErrForgotten})
}

// release answers all that wait for e.
func (m *manager) release(e *entry, with answer) []answer {
	answers := make([]answer, len(e.waiters))
	for i, w := range e.waiters {
		with.waiter = w
		answers[i] = with
	}
	m.waiting -= len(e.waiters)
	e.waiters = nil
	return answers
}

func (m *manager) put(e *entry, where place, p messages.CertificatePriority, due time.Time) {
	e.place, e.priority, e.due = where, p, due
	if where == ready {
		heap.Push(&m.ready, e)
	} else {
		heap.Push(&m.scheduled, e)
	}
}

func (m *manager) take(e *entry) {
	switch e.place {
	case ready:
		heap.Remove(&m.ready, e.index)
	case scheduled:
		heap.Remove(&m.scheduled, e.index)
	case nowhere, running: // in no queue
	}
	e.place = nowhere
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
