package identity

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	var low, middle, high backoff
	for i, seconds := range []float64{1, 2, 4, 8, 16, 32, 64, 128, 150, 150, 150} {
		want := time.Duration(seconds * float64(time.Second))
		if got := middle.next(0.5); got != want {
			t.Errorf("failure %d: %v: want %v", i+1, got, want)
		}
		if got := low.next(0); got != want*8/10 {
			t.Errorf("failure %d at the low end: %v: want %v", i+1, got, want*8/10)
		}
		if got := high.next(1); got.Round(time.Millisecond) != want*12/10 {
			t.Errorf("failure %d at the high end: %v: want %v", i+1, got, want*12/10)
		}
	}
}
