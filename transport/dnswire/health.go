package dnswire

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// penalty is how long a server that was silent is asked after the others.
const penalty = 30 * time.Second

// server is an upstream server and how it does.
type server struct {
	addr netip.AddrPort
	// silentUntil is the end of its penalty, in Unix nanoseconds, slow the smoothed time that it takes, in nanoseconds.
	silentUntil, slow atomic.Int64
}

// note remembers how a turn went. A server that says it can't has answered.
func (s *server) note(now time.Time, took time.Duration, err error) {
	if err != nil && !said(err) {
		s.silentUntil.Store(now.Add(penalty).UnixNano())
		return
	}
	s.silentUntil.Store(0)
	old := s.slow.Load()
	if old == 0 {
		old = int64(took)
	}
	s.slow.Store(old + (int64(took)-old)/8)
}

// rank is the order in which servers are asked: those that answer first, and of these the configured order, unless one is
// much slower than another.
func rank(servers []*server, now time.Time) []*server {
	order := slices.Clone(servers)
	if len(order) < 2 {
		return order
	}
	class := func(s *server) int64 {
		if now.UnixNano() < s.silentUntil.Load() {
			return 1 << 40
		}
		return s.slow.Load() / int64(nextServerAfter)
	}
	slices.SortStableFunc(order, func(a, b *server) int {
		switch x, y := class(a), class(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return order
}
