package kit

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxRoles bounds the roles of a system; Specs beyond share one.
const maxRoles = 256

// overflowRole is the role of Specs beyond maxRoles.
const overflowRole = "other"

type counter = atomic.Uint64

// role is what the actors of one role have in common: their counters and their supervision.
type role struct {
	name     string
	strategy atomic.Pointer[strategy]

	handled, refused, undelivered, unknown counter
	failures, restarts, gaveUp             counter
	late, expired, overasked               counter
	live, working                          atomic.Int64
	peak                                   atomic.Int32
	waits                                  histogram
	refusals, leftovers, unknowns          throttle
	mu                                     sync.Mutex
	cells                                  map[*cell]struct{} // those with a goroutine of their own or the caller's
}

func (r *role) join(c *cell) {
	r.live.Add(1)
	if c.run.kind == onFlow {
		return // many, and short-lived: peak tells enough
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cells[c] = struct{}{}
}

func (r *role) leave(c *cell) {
	r.live.Add(-1)
	if c.run.kind == onFlow {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cells, c)
}

// reached notes a mailbox's depth.
func (r *role) reached(n int32) {
	for {
		peak := r.peak.Load()
		if n <= peak || r.peak.CompareAndSwap(peak, n) {
			return
		}
	}
}

func (r *role) waited(d time.Duration) { r.waits.observe(d) }

// depth is how many user messages wait in the mailboxes that are listed.
func (r *role) depth() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for c := range r.cells {
		n += c.UserMessageCount()
	}
	return n
}

// roles are a system's, by name. Reading takes no lock.
type roles struct {
	byName atomic.Pointer[map[string]*role]
	limit  int
	mu     sync.Mutex
}

func (rs *roles) get(name string) *role {
	if known := rs.byName.Load(); known != nil {
		if r := (*known)[name]; r != nil {
			return r
		}
	}
	return rs.add(name)
}

func (rs *roles) add(name string) *role {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	next := make(map[string]*role)
	if known := rs.byName.Load(); known != nil {
		for n, r := range *known {
			next[n] = r
		}
	}
	if len(next) >= rs.limit {
		name = overflowRole
	}
	if r := next[name]; r != nil {
		return r
	}
	r := &role{name: name, cells: make(map[*cell]struct{})}
	next[name] = r
	rs.byName.Store(&next)
	return r
}

func (rs *roles) all() map[string]*role {
	if known := rs.byName.Load(); known != nil {
		return *known
	}
	return nil
}
