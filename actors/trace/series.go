package trace

import (
	"sync"
	"sync/atomic"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
)

// Series are the traffic counters of one label set, shared by all connections that have it.
type Series struct {
	labels labels
	// opening says that the opened and byte families have this label set, closing and failing that the other two do.
	opening, closing, failing atomic.Bool
	opened, closed, failed    Counter
	// shared says that label sets beyond the bound share these counters.
	shared   bool
	_        [40]byte
	received Counter
	_        [56]byte
	sent     Counter
}

// Received and Sent take the bytes of a live connection, downstream to upstream and back: for relay.Counters.
func (s *Series) Received() *Counter { return &s.received }

// Sent is described with Received.
func (s *Series) Sent() *Counter { return &s.sent }

var _ relay.Adder = (*Counter)(nil)

// traffic is the table of all series. It is bounded: beyond max label sets, connections share sets that say only who
// reports, the flag and the security policy.
type traffic struct {
	max        int
	mu         sync.RWMutex
	known      map[ends]*Series
	series     map[labels]*Series
	order      []*Series
	overflowed Counter
}

// maxKnown bounds the short cut from the ends of a record to its series; it is forgotten as a whole when full, so that
// it does not hold workloads that are gone for long.
const maxKnown = 4096

// ends are what the labels of a record derive from: two records with equal ends have equal labels.
type ends struct {
	reporter                          messages.Direction
	mutualTLS, fromDerived, toDerived bool
	source, destination               *messages.Workload
	service                           *messages.Service
	derivedSource, derivedDestination messages.DerivedWorkload
}

func endsOfRecord(r *messages.Record) (e ends) {
	e = ends{
		reporter: r.Direction, mutualTLS: r.MutualTLS,
		source: r.Source, destination: r.Destination, service: r.Service,
	}
	if r.DerivedSource != nil {
		e.fromDerived, e.derivedSource = true, *r.DerivedSource
	}
	if r.DerivedDestination != nil {
		e.toDerived, e.derivedDestination = true, *r.DerivedDestination
	}
	return e
}

func newTraffic(max int) *traffic {
	return &traffic{max: max, known: make(map[ends]*Series), series: make(map[labels]*Series)}
}

// of is the series of a record with the flag "-".
func (t *traffic) of(r *messages.Record) *Series {
	e := endsOfRecord(r)
	t.mu.RLock()
	s := t.known[e]
	t.mu.RUnlock()
	if s != nil {
		if s.shared {
			t.overflowed.Add(1)
		}
		return s
	}
	l := labelsOf(r)
	s = t.find(&l)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= maxKnown {
		clear(t.known)
	}
	t.known[e] = s
	return s
}

func (t *traffic) find(l *labels) *Series {
	t.mu.RLock()
	s := t.series[*l]
	t.mu.RUnlock()
	if s != nil {
		return s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s = t.series[*l]; s != nil {
		return s
	}
	shared := len(t.order) >= t.max
	if shared {
		t.overflowed.Add(1)
		over := l.overflowed()
		if s = t.series[over]; s != nil {
			return s
		}
		l = &over
	}
	s = &Series{labels: *l, shared: shared}
	t.series[*l] = s
	t.order = append(t.order, s)
	return s
}

// labelsFor are the labels of a record whose series is s.
func (s *Series) labelsFor(r *messages.Record) *labels {
	if !s.shared {
		return &s.labels
	}
	l := labelsOf(r)
	return &l
}

// Opened counts a connection as opened, once everything its labels need is known, and returns its series. The byte
// counters keep the flag "-" (spec/dataplane.md §11.3). It writes the debug line of the access log.
func (t *Telemetry) Opened(r *messages.Record) *Series {
	s := t.metrics.traffic.of(r)
	if !s.opening.Load() {
		s.opening.Store(true)
	}
	s.opened.Add(1)
	t.logOpened(r, s)
	return s
}

// closed counts the end of a connection under its final flag.
func (t *traffic) closed(s *Series, reason messages.Reason) {
	flag := reason.Flag()
	if flag != s.labels.flags {
		l := s.labels
		l.flags = flag
		s = t.find(&l)
	}
	if !s.closing.Load() {
		s.closing.Store(true)
	}
	s.closed.Add(1)
	if flag != messages.ReasonNone.Flag() {
		s.failing.Store(true)
		s.failed.Add(1)
	}
}

var (
	openedHead   = trafficHead("opened", "The total number of TCP connections opened.")
	closedHead   = trafficHead("closed", "The total number of TCP connections closed.")
	receivedHead = head{
		name: "istio_tcp_received_bytes", kind: kindCounter, labels: trafficLabels,
		help: "The size of total bytes received during request in case of a TCP connection.",
	}
	sentHead = head{
		name: "istio_tcp_sent_bytes", kind: kindCounter, labels: trafficLabels,
		help: "The size of total bytes sent during response in case of a TCP connection.",
	}
	failedHead = trafficHead("failed", "The total number of TCP connections that failed to establish (unstable).")
)

func trafficHead(what, help string) head {
	return head{name: "istio_tcp_connections_" + what, kind: kindCounter, labels: trafficLabels, help: help}
}

func (t *traffic) write(e *exposition) {
	t.mu.RLock()
	all := t.order[:len(t.order):len(t.order)]
	t.mu.RUnlock()
	values := make([]string, 0, labelCount)
	family := func(h *head, has func(*Series) bool, n func(*Series) *Counter) {
		first := true
		for _, s := range all {
			if !has(s) {
				continue
			}
			if first {
				e.head(h)
				first = false
			}
			values = s.labels.values(values)
			e.str(h.name, "_total")
			e.labels(h.labels[:len(values)], values)
			e.uint(n(s).Value())
		}
	}
	opening := func(s *Series) bool { return s.opening.Load() }
	family(&openedHead, opening, func(s *Series) *Counter { return &s.opened })
	family(&closedHead, func(s *Series) bool { return s.closing.Load() }, func(s *Series) *Counter { return &s.closed })
	family(&receivedHead, opening, func(s *Series) *Counter { return &s.received })
	family(&sentHead, opening, func(s *Series) *Counter { return &s.sent })
	family(&failedHead, func(s *Series) bool { return s.failing.Load() }, func(s *Series) *Counter { return &s.failed })
}
