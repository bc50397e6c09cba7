package memnet

import (
	"testing"
	"testing/synctest"
	"time"
)

// What two connections do at the same instant is not seen at the same instant, and what one does keeps its order.
func TestSkewTellsConnectionsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{
			Link: Link{Latency: 10 * time.Millisecond},
			Skew: func(number uint64) time.Duration { return time.Duration(number) * time.Microsecond },
		})
		a, atA := w.connect(t)
		b, atB := w.connect(t)
		start := time.Now()
		mustWrite(t, b, "b")
		mustWrite(t, a, "a")
		if s, err := read(atA); s != "a" || err != nil {
			t.Fatal(s, err)
		}
		first := time.Since(start)
		_ = a.CloseWrite()
		if s, err := read(atB); s != "b" || err != nil {
			t.Fatal(s, err)
		}
		second := time.Since(start)
		if first <= 10*time.Millisecond || second <= first || second > 11*time.Millisecond {
			t.Errorf("arrived after %s and %s, want two moments a little after 10ms", first, second)
		}
	})
}
