package proxy

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// A node that holds little has mostly garbage of connections that come and go, and collecting it often costs processor
// time for nothing; one that holds many idle connections must not look twice as big as it is. So the heap may grow to
// heapFloor before it is collected, and beyond that by usualPercent of what is live. GOMEMLIMIT wins over both.
const (
	heapFloor    = 28 << 20
	usualPercent = 50
	mostPercent  = 1000
)

// percentFor is GOGC for a live heap.
func percentFor(live uint64) int {
	if live == 0 || live >= heapFloor {
		return usualPercent
	}
	return int(min(max((heapFloor-live)*100/live, usualPercent), mostPercent))
}

// collector sets GOGC anew after each collection.
type collector struct {
	percent atomic.Int64
	ended   atomic.Bool
	set     func(percent int)
	live    func() uint64
}

// tuneCollector begins to set GOGC; the function that it returns ends that.
func tuneCollector() (end func()) {
	c := &collector{set: func(p int) { debug.SetGCPercent(p) }, live: liveHeap}
	c.adjust()
	c.arm()
	return func() { c.ended.Store(true) }
}

// arm has adjust called after the next collection: that is when what it makes here is found to be garbage.
func (c *collector) arm() {
	sentinel := new([64]byte)
	runtime.SetFinalizer(sentinel, func(*[64]byte) {
		if !c.ended.Load() {
			c.adjust()
			c.arm()
		}
	})
}

func (c *collector) adjust() {
	if p := percentFor(c.live()); c.percent.Swap(int64(p)) != int64(p) {
		c.set(p)
	}
}

func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
