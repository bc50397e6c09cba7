package proxy

import (
	"runtime"
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		live uint64
		want int
	}{
		{0, usualPercent},
		{1 * mib, mostPercent},
		{heapFloor / 8, 700},
		{heapFloor / 4, 300},
		{heapFloor / 2, 100},
		{heapFloor, usualPercent},
		{500 * mib, usualPercent},
	} {
		if got := percentFor(test.live); got != test.want {
			t.Errorf("%d MiB live: %d, want %d", test.live/mib, got, test.want)
		}
	}
}

func TestCollectorAdjustsAfterEachCollection(t *testing.T) {
	set := make(chan int, 16)
	live := uint64(heapFloor / 8)
	looks := make(chan uint64, 16)
	c := &collector{set: func(p int) { set <- p }, live: func() uint64 {
		select {
		case live = <-looks:
		default:
		}
		return live
	}}
	c.adjust()
	c.arm()
	if got := <-set; got != 700 {
		t.Fatalf("began with %d, want 700", got)
	}
	looks <- heapFloor / 4
	deadline := time.After(10 * time.Second)
	for {
		runtime.GC()
		select {
		case got := <-set:
			if got != 300 {
				t.Errorf("set %d, want 300", got)
			}
			c.ended.Store(true)
			return
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatal("GOGC was not set after a collection")
		}
	}
}
