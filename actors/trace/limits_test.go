package trace

import (
	"net/netip"
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	start := time.Unix(1000, 0)
	b := newBucket(2)
	for i, step := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true},
		{0, true},
		{0, false},
		{500 * time.Millisecond, true},
		{500 * time.Millisecond, false},
		{400 * time.Millisecond, false}, // a clock that steps back gives nothing
		{10 * time.Second, true},
		{10 * time.Second, true},
		{10 * time.Second, false}, // not more than a second's worth is saved up
	} {
		if got := b.allow(start.Add(step.after)); got != step.want {
			t.Errorf("step %d at %v: %v, want %v", i, step.after, got, step.want)
		}
	}
}

func TestPeersAreToldApartUpToABound(t *testing.T) {
	l := newPeerLimits()
	now := time.Unix(1000, 0)
	at := func(i int) peer { return peer{addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})} }
	for i := range 3 * maxPeers {
		l.allow(at(i), now)
	}
	if len(l.buckets) != maxPeers {
		t.Errorf("%d peers are told apart, want %d", len(l.buckets), maxPeers)
	}
	if !l.allow(at(3*maxPeers), now.Add(time.Minute)) || len(l.buckets) > maxPeers {
		t.Errorf("a new peer finds no room among idle ones")
	}
	if l.buckets[at(3*maxPeers)] == nil {
		t.Error("a new peer did not take the place of an idle one")
	}
}
