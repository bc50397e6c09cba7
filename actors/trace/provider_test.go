package trace

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/troupe-mesh/troupe/messages"
)

// stuck is an exporter that does not return until it is let go.
type stuck struct {
	collector
	let chan struct{}
}

func (s *stuck) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	<-s.let
	return s.collector.ExportSpans(ctx, spans)
}

// failing is an exporter that can't export.
type failing struct{ collector }

func (*failing) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	return errors.New("collector is away")
}

func denyMany(n *testNode, count int) {
	for range count {
		r := outboundRecord()
		n.Start(r)
		r.Begin(messages.SpanOutbound, messages.NoSpan)
		n.EarlyDenied(r)
	}
}

func TestAStuckExporterCostsOnlySpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exporter := &stuck{let: make(chan struct{})}
		n := newNode(t, nodeOptions{ratio: 1, provider: ProviderOptions{Exporters: []Exporter{exporter}, SpanQueue: 10, Batch: 4}})
		denyMany(n, 100)
		synctest.Wait()
		if got := n.provider.dropped.Value(); got != 90 {
			t.Errorf("%d spans dropped, want 90", got)
		}
		close(exporter.let)
		n.exported(t)
		if got := len(exporter.take()); got != 10 || n.provider.exported.Value() != 10 {
			t.Errorf("%d spans exported, %d counted; want 10", got, n.provider.exported.Value())
		}
		denyMany(n, 5)
		n.exported(t)
		if got := len(exporter.take()); got != 5 {
			t.Errorf("%d spans exported after it came loose, want 5", got)
		}
		want := `troupe_trace_spans_dropped_total{where="queue"} 90`
		if got := n.exposition(t); !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	})
}

func TestFailedExportsAreCountedAndWarnedOfOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nodeOptions{ratio: 1, provider: ProviderOptions{Exporters: []Exporter{&failing{}}, Batch: 1}})
		denyMany(n, 3)
		n.exported(t)
		if got := n.provider.failed.Value(); got != 3 {
			t.Errorf("%d spans counted as failed, want 3", got)
		}
		var warnings []string
		for _, line := range n.logged(t) {
			if strings.HasPrefix(line, "warn\ttrace\t") {
				warnings = append(warnings, line)
			}
		}
		if len(warnings) != 1 || warnings[0] != "warn\ttrace\tspans could not be exported\tspans=1 error=\"collector is away\"" {
			t.Errorf("warnings %q", warnings)
		}
	})
}

func TestARatioOutOfRangeIsRefused(t *testing.T) {
	for _, ratio := range []float64{-0.1, 1.1} {
		if _, err := NewProvider(ProviderOptions{Ratio: ratio}); err == nil {
			t.Errorf("ratio %v is taken", ratio)
		}
	}
}

func TestBatchesWaitNoLongerThanTheirDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exporter := &collector{}
		n := newNode(t, nodeOptions{ratio: 1, provider: ProviderOptions{Exporters: []Exporter{exporter}}})
		denyMany(n, 1)
		pass(DefaultBatchDelay + time.Millisecond)
		if got := len(exporter.take()); got != 1 {
			t.Errorf("%d spans exported after the delay, want 1", got)
		}
	})
}
