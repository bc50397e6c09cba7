package trace

import (
	"net/netip"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// bucket is a token bucket: rate tokens a second, at most rate saved up.
type bucket struct {
	mu     sync.Mutex
	rate   float64
	tokens float64
	last   time.Time
}

func newBucket(perSec int) *bucket { return &bucket{rate: float64(perSec), tokens: float64(perSec)} }

// allow takes one token if there is one.
func (b *bucket) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.last.IsZero() && now.After(b.last) {
		b.tokens = min(b.rate, b.tokens+b.rate*now.Sub(b.last).Seconds())
	}
	if b.last.IsZero() || now.After(b.last) {
		b.last = now
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// lateLimits has one bucket for each cause of a late keep.
type lateLimits [causeCount]*bucket

func newLateLimits(perSec int) (l lateLimits) {
	for c := range l {
		l[c] = newBucket(perSec)
	}
	return l
}

// A peer may have at most forcedPerSec connections a second sampled by its flag; maxPeers peers are told apart, the
// rest share one bucket.
const (
	forcedPerSec = 200
	maxPeers     = 1024
)

// peer is who sends a context: its identity, or its address when it has none.
type peer struct {
	identity messages.Identity
	addr     netip.Addr
}

func peerOf(r *messages.Record) peer {
	if r.SrcIdentity.IsZero() {
		return peer{addr: r.Src.Addr()}
	}
	return peer{identity: r.SrcIdentity}
}

// peerLimits keeps a peer from having everything sampled by its flag.
type peerLimits struct {
	mu      sync.Mutex
	buckets map[peer]*bucket
	rest    *bucket
}

func newPeerLimits() *peerLimits {
	return &peerLimits{buckets: make(map[peer]*bucket), rest: newBucket(forcedPerSec)}
}

func (l *peerLimits) allow(p peer, now time.Time) bool {
	l.mu.Lock()
	b := l.buckets[p]
	if b == nil && len(l.buckets) >= maxPeers {
		l.forgetIdle(now)
	}
	if b == nil && len(l.buckets) < maxPeers {
		b = newBucket(forcedPerSec)
		l.buckets[p] = b
	}
	if b == nil {
		b = l.rest
	}
	l.mu.Unlock()
	return b.allow(now)
}

// forgetIdle drops the buckets that are full again: forgetting them changes nothing. It looks at few at a time, so
// that a flood of new peers costs little.
func (l *peerLimits) forgetIdle(now time.Time) {
	const look = 16
	seen := 0
	for p, b := range l.buckets {
		if seen++; seen > look {
			return
		}
		b.mu.Lock()
		idle := now.Sub(b.last) > time.Second
		b.mu.Unlock()
		if idle {
			delete(l.buckets, p)
		}
	}
}
