package xds

import "time"

// The times of spec/control.md §2.5. There the waits have no jitter, and some endings no wait at all: whatever cut the
// streams of all nodes at once would bring them back at once.
const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = 15 * time.Second
	// gracefulSpread is over how long clients come back to a server that has ended their streams in good order.
	gracefulSpread = 500 * time.Millisecond
	// steady is how long a stream must have lived for its end to be no sign of trouble: one that opens, answers and breaks
	// at once is as bad as none.
	steady = maxBackoff
)

// Backoff says how long to wait before the next stream. The zero value is ready.
type Backoff struct{ last time.Duration }

// Next is the wait after a stream that ended so and lived for that long since it first answered, where chance is 0 to 1.
//
//	graceful, lived ≥ 15 s    10 to 510 ms, and the next wait is the first again
//	anything else             twice the last, 20 ms to 15 s, or the first again after a life of 15 s; of that 50 to 100 %
func (b *Backoff) Next(e Ending, lived time.Duration, chance float64) time.Duration {
	if lived >= steady {
		b.last = 0
		if e == EndReconnect || e == EndComplete {
			return firstBackoff + time.Duration(chance*float64(gracefulSpread))
		}
	}
	b.last = min(max(b.last, firstBackoff)*2, maxBackoff)
	return b.last/2 + time.Duration(chance*float64(b.last/2))
}
