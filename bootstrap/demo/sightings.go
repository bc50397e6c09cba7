package demo

import (
	"context"
	"fmt"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

// sightings is an exporter that hands spans on to a tree and counts them by name, so that a trace is printed when it is
// whole and not before.
type sightings struct {
	*trace.Tree
	mu   sync.Mutex
	seen map[string]int
	call messages.TraceID // the trace of the latest outbound span
	news chan struct{}
}

var _ trace.Exporter = (*sightings)(nil)

func newSightings(tree *trace.Tree) *sightings {
	return &sightings{Tree: tree, seen: map[string]int{}, news: make(chan struct{}, 1)}
}

// ExportSpans takes spans in.
func (s *sightings) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := s.Tree.ExportSpans(ctx, spans)
	s.mu.Lock()
	for _, span := range spans {
		s.seen[span.Name()]++
		if span.Name() == messages.SpanOutbound.String() {
			s.call = messages.TraceID(span.SpanContext().TraceID())
		}
	}
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
	return err
}

// take waits until every span in want has come that often, forgets the count and returns the trace of the outbound
// span.
func (s *sightings) take(ctx context.Context, want map[messages.SpanName]int) (messages.TraceID, error) {
	for {
		s.mu.Lock()
		missing := ""
		for name, n := range want {
			if s.seen[name.String()] < n {
				missing = fmt.Sprintf("%d of %d spans %s came", s.seen[name.String()], n, name)
			}
		}
		call := s.call
		if missing == "" {
			clear(s.seen)
		}
		s.mu.Unlock()
		if missing == "" {
			return call, nil
		}
		select {
		case <-s.news:
		case <-ctx.Done():
			return call, fmt.Errorf("the trace is not whole: %s: %w", missing, ctx.Err())
		}
	}
}
