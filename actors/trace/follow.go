package trace

import (
	"container/heap"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
	"go.opentelemetry.io/otel/attribute"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// The lengths of a connection's segments: the first, doubling up to the longest (TRACING §6).
const (
	firstSegment   = time.Minute
	longestSegment = 15 * time.Minute
)

// Follow makes tunnel.segment spans of an established connection while it lives, if its set-up was kept. Closed ends
// it. c must stay valid until then; what the record says of the connection is copied now.
func (t *Telemetry) Follow(r *messages.Record, c *relay.Counters) {
	if t.provider == nil || !r.Established || (!r.Sampled && !r.Keep) {
		return
	}
	now := time.Now()
	f := &followed{key: r, counters: c, last: now, length: firstSegment, due: now.Add(firstSegment)}
	f.record.Record = *r
	if !t.follows.add(f) {
		t.metrics.followsCut.Add(1)
	}
}

// followed is one open connection that gets segments.
type followed struct {
	key            *messages.Record // only compared
	record         frozen
	counters       *relay.Counters
	received, sent uint64 // until last
	number         int64
	last, due      time.Time
	length         time.Duration
	previous       spanRef // the segment before
	place          int     // in the heap
}

// spanRef names a span that was made.
type spanRef struct {
	trace messages.TraceID
	span  messages.SpanID
}

// IsZero reports whether it names none.
func (r spanRef) IsZero() bool { return r.span.IsZero() }

// follows are the open connections that get segments, bounded, with one goroutine that wakes when the next is due.
type follows struct {
	max int

	mu   sync.Mutex
	open map[*messages.Record]*followed
	due  dueHeap

	earlier chan struct{} // a connection became the first that is due
	quit    chan struct{}
	done    chan struct{}
	once    sync.Once
}

func startFollows(max int, t *Telemetry) *follows {
	s := &follows{
		max: max, open: make(map[*messages.Record]*followed),
		earlier: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go s.run(t)
	return s
}

// stop ends the goroutine; no segment is made after it returns.
func (s *follows) stop() {
	s.once.Do(func() { close(s.quit) })
	<-s.done
}

func (s *follows) add(f *followed) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= s.max || s.open[f.key] != nil {
		return false
	}
	s.open[f.key] = f
	heap.Push(&s.due, f)
	if s.due[0] == f {
		select {
		case s.earlier <- struct{}{}:
		default:
		}
	}
	return true
}

// end forgets a connection and returns its last segment.
func (s *follows) end(r *messages.Record) spanRef {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.open[r]
	if f == nil {
		return spanRef{}
	}
	delete(s.open, r)
	heap.Remove(&s.due, f.place)
	return f.previous
}

func (s *follows) run(t *Telemetry) {
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(s.wait(t))
		select {
		case <-timer.C:
		case <-s.earlier:
		case <-s.quit:
			return
		}
	}
}

// wait makes the segments that are due and returns how long it is to the next.
func (s *follows) wait(t *Telemetry) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.due) > 0 {
		now := time.Now()
		f := s.due[0]
		if now.Before(f.due) {
			return f.due.Sub(now)
		}
		t.segment(f, now)
		heap.Fix(&s.due, 0)
	}
	return time.Hour
}

// segment hands one tunnel.segment span to the worker and sets when the next is due.
func (t *Telemetry) segment(f *followed, now time.Time) {
	received, sent := totals(f.counters)
	f.number++
	m := made{
		name: messages.SpanTunnelSegment, kind: oteltrace.SpanKindInternal,
		span: t.ids.span(), start: f.last, end: now,
		attrs: append(bytesAttributes(received-f.received, sent-f.sent),
			attribute.Int64(messages.AttrSegment, f.number)),
	}
	t.place(&m, &f.record.Record, true, now)
	if !f.previous.IsZero() {
		m.links = append(m.links, link(f.previous.trace, f.previous.span))
	}
	if t.worker.submit(func() { t.provider.emit(&m) }) {
		f.previous = spanRef{m.trace, m.span}
	}
	f.received, f.sent, f.last = received, sent, now
	f.length = min(2*f.length, longestSegment)
	f.due = now.Add(f.length)
}

// dueHeap orders connections by when their next segment is due.
type dueHeap []*followed

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].place, h[j].place = i, j }

// Push is heap.Interface's.
func (h *dueHeap) Push(x any) {
	f := x.(*followed)
	f.place = len(*h)
	*h = append(*h, f)
}

// Pop is heap.Interface's.
func (h *dueHeap) Pop() any {
	old := *h
	f := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return f
}
