package trace

import (
	"sync/atomic"
	"time"
)

// Histogram counts observations in buckets.
type Histogram struct {
	bounds []float64 // seconds
	counts []atomic.Uint64
	nanos  atomic.Uint64
}

func newHistogram(bounds []float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts one duration; a negative one counts as zero.
func (h *Histogram) Observe(d time.Duration) {
	d = max(d, 0)
	v := d.Seconds()
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.nanos.Add(uint64(d))
}

// read is the count of each bucket, and the sum in nanoseconds.
func (h *Histogram) read() (counts []uint64, nanos uint64) {
	counts = make([]uint64, len(h.counts))
	for i := range h.counts {
		counts[i] = h.counts[i].Load()
	}
	return counts, h.nanos.Load()
}
