package kit

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// WaitBuckets is how many buckets a histogram of waits has.
const WaitBuckets = 14

// WaitBound is the upper bound of bucket i, which is exclusive: 1 µs, 4 µs and so on by four to 16.8 s; the last bucket
// has none and returns 0.
func WaitBound(i int) time.Duration {
	if i >= WaitBuckets-1 {
		return 0
	}
	return time.Microsecond << (2 * i)
}

// histogram counts waits.
type histogram struct {
	buckets [WaitBuckets]atomic.Uint64
	sum     atomic.Int64
	most    atomic.Int64
}

func (h *histogram) observe(d time.Duration) {
	h.buckets[bucket(d)].Add(1)
	h.sum.Add(int64(d))
	for {
		most := h.most.Load()
		if int64(d) <= most || h.most.CompareAndSwap(most, int64(d)) {
			return
		}
	}
}

func bucket(d time.Duration) int {
	return min((bits.Len64(uint64(d/time.Microsecond))+1)/2, WaitBuckets-1)
}
