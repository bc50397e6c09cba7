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
			Skew: func(number uint64, _ time.Time) time.Duration { return time.Duration(number) * time.Microsecond },
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

// A sender hears of room when what tells of it has arrived, not when the receiver reads.
func TestRoomIsHeardOfLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const latency = 10 * time.Millisecond
		w := newWorld(t, Options{
			Link: Link{Latency: latency}, Buffer: 1000, Skew: func(uint64, time.Time) time.Duration { return time.Millisecond },
		})
		a, b := w.connect(t)
		if n, err := a.TryWrite(make([]byte, 1500)); n != 1000 || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
		<-time.After(time.Second)
		if n, err := b.Read(make([]byte, 600)); n != 600 || err != nil {
			t.Fatalf("read %d, %v", n, err)
		}
		if n, err := a.TryWrite(make([]byte, 500)); n != 0 || err != nil {
			t.Errorf("wrote %d at once, %v", n, err)
		}
		start := time.Now()
		if err := a.WaitWritable(); err != nil || time.Since(start) != latency+time.Millisecond+1 {
			t.Errorf("writable after %v, %v", time.Since(start), err)
		}
		if n, err := a.TryWrite(make([]byte, 700)); n != 600 || err != nil {
			t.Errorf("wrote %d then, %v", n, err)
		}
	})
}

// A receiver that closes before its sender has heard of the room that it made leaves nothing to wait for.
func TestRoomDoesNotOutliveTheReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Buffer: 1000, Skew: func(uint64, time.Time) time.Duration { return time.Millisecond }})
		a, b := w.connect(t)
		if _, err := a.TryWrite(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		if n, err := b.Read(make([]byte, 1000)); n != 1000 || err != nil {
			t.Fatalf("read %d, %v", n, err)
		}
		_ = b.Close()
		if err := a.WaitWritable(); err != nil {
			t.Fatal(err)
		}
		if n, err := a.TryWrite(make([]byte, 10)); n != 10 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	})
}
