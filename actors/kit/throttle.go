package kit

import "sync/atomic"

// quiet is how long a throttle keeps quiet after it let something pass, in nanoseconds.
const quiet = int64(1e9)

// throttle lets the first of many alike pass, then one a second with the number of those that came meanwhile.
type throttle struct {
	next  atomic.Int64
	count atomic.Uint64
}

// pass returns for how many the caller shall speak, 0 for not at all.
func (t *throttle) pass(now int64) uint64 {
	t.count.Add(1)
	next := t.next.Load()
	if now < next || !t.next.CompareAndSwap(next, now+quiet) {
		return 0
	}
	return t.count.Swap(0)
}
