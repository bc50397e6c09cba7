package identity

import "time"

const (
	firstBackoff = time.Second
	maxBackoff   = 150 * time.Second
	// spread is how far, as a share of it, a delay may lie from its nominal length.
	spread = 0.2
)

// backoff says how long to wait after failures in a row: 1 s, twice that each time, at most 150 s, each ±20 %. The
// reference's delays are the same, but for the spread that it leaves out after 15 minutes. The zero value has no failure.
type backoff struct {
	interval time.Duration
}

// next is the delay after another failure; random is in [0, 1).
func (b *backoff) next(random float64) time.Duration {
	if b.interval == 0 {
		b.interval = firstBackoff
	}
	d := time.Duration(float64(b.interval) * (1 - spread + 2*spread*random))
	b.interval = min(2*b.interval, maxBackoff)
	return d
}
