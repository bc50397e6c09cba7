package jaeger

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

// arrivals is an exporter that gathers spans as trees and knows which connections' traces are whole.
type arrivals struct {
	*trace.Tree
	mu    sync.Mutex
	spans map[messages.TraceID]map[string]int // by name
	calls []outbound
	news  chan struct{}
}

// outbound is a connection that a client opened.
type outbound struct {
	id    messages.TraceID
	start time.Time
}

var _ trace.Exporter = (*arrivals)(nil)

func newArrivals(out io.Writer) *arrivals {
	return &arrivals{Tree: trace.NewTree(out), spans: map[messages.TraceID]map[string]int{}, news: make(chan struct{}, 1)}
}

// ExportSpans takes spans in.
func (a *arrivals) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := a.Tree.ExportSpans(ctx, spans)
	a.mu.Lock()
	for _, s := range spans {
		id := messages.TraceID(s.SpanContext().TraceID())
		if a.spans[id] == nil {
			a.spans[id] = map[string]int{}
		}
		a.spans[id][s.Name()]++
		if s.Name() == messages.SpanOutbound.String() {
			a.calls = append(a.calls, outbound{id, s.StartTime()})
		}
	}
	a.mu.Unlock()
	select {
	case a.news <- struct{}{}:
	default:
	}
	return err
}

// await waits until n connections have the spans that both nodes make, and as many named end, and forgets them. They
// come in the order in which they began.
func (a *arrivals) await(ctx context.Context, n int, end messages.SpanName) ([]messages.TraceID, error) {
	for {
		if ids := a.whole(n, end.String()); ids != nil {
			return ids, nil
		}
		select {
		case <-a.news:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the traces of %d connections: %w", n, ctx.Err())
		}
	}
}

func (a *arrivals) whole(n int, end string) []messages.TraceID {
	a.mu.Lock()
	defer a.mu.Unlock()
	slices.SortFunc(a.calls, func(x, y outbound) int { return x.start.Compare(y.start) })
	var ids []messages.TraceID
	for _, call := range a.calls {
		if seen := a.spans[call.id]; seen[messages.SpanConnect.String()] == len(nodes) && seen[end] == len(nodes) {
			ids = append(ids, call.id)
		}
	}
	if len(ids) < n {
		return nil
	}
	a.calls = slices.DeleteFunc(a.calls, func(o outbound) bool { return slices.Contains(ids, o.id) })
	return ids
}
