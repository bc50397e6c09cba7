package memnet

import "time"

// Link is a wire between two hosts, the same in both directions.
type Link struct {
	// Latency is how long a byte takes one way; opening a connection takes two of them.
	Latency time.Duration
	// Bandwidth is how many bytes per second each direction of each connection takes; 0 means no limit.
	Bandwidth int64
}

// transmission is how long n bytes take to be put on the wire.
func (l Link) transmission(n int) time.Duration {
	if l.Bandwidth <= 0 {
		return 0
	}
	return time.Duration(float64(n) / float64(l.Bandwidth) * float64(time.Second))
}

// link is a Link with its state.
type link struct {
	Link
	cut   bool
	since time.Time // of the partition
}

// horizon is up to when things have arrived: now, or the beginning of the partition.
func (l *link) horizon() time.Time {
	if l.cut {
		return l.since
	}
	return time.Now()
}

// due is when something arrives that would do so at t: while the link is cut not before it is healed, see resend.
func (l *link) due(t time.Time) time.Time {
	if l.cut {
		return later(t, l.since.Add(1))
	}
	return t
}

// arrived says whether what is due at t is there.
func (l *link) arrived(t time.Time) bool { return !t.After(l.horizon()) }

// pair is two hosts, the older first.
type pair struct{ a, b *Host }

// link is the link between two hosts; the caller holds the lock.
func (n *Network) link(a, b *Host) *link {
	if a.serial > b.serial {
		a, b = b, a
	}
	key := pair{a, b}
	l := n.links[key]
	if l == nil {
		l = &link{}
		if a != b {
			l.Link = n.options.Link
		}
		n.links[key] = l
	}
	return l
}
