package kit

import (
	"testing"
	"time"
)

func TestWaitBuckets(t *testing.T) {
	tests := map[time.Duration]int{
		0: 0, 999: 0,
		time.Microsecond: 1, 3 * time.Microsecond: 1,
		4 * time.Microsecond: 2, 16 * time.Microsecond: 3,
		time.Millisecond: 5, time.Second: 10,
		16 * time.Second: 12, 17 * time.Second: 13, time.Hour: 13, 1<<63 - 1: 13,
	}
	for d, want := range tests {
		if got := bucket(d); got != want {
			t.Errorf("bucket(%v) = %d, want %d", d, got, want)
		}
	}
	for i := range WaitBuckets - 1 {
		if b := WaitBound(i); bucket(b-1) != i || bucket(b) != i+1 {
			t.Errorf("bound %d is %v, which is in bucket %d", i, b, bucket(b))
		}
	}
	if WaitBound(WaitBuckets-1) != 0 {
		t.Error("the last bucket has a bound")
	}
}
