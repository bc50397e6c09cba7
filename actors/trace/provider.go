package trace

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Defaults of ProviderOptions (TRACING §5).
const (
	DefaultRatio         = 0.01
	DefaultService       = "troupe"
	DefaultSpanQueue     = 16_384
	DefaultBatch         = 512
	DefaultBatchDelay    = time.Second
	DefaultExportTimeout = 30 * time.Second
)

// Exporter takes finished spans; it is the SDK's interface.
type Exporter = sdktrace.SpanExporter

// ProviderOptions say where spans go and which connections are sampled.
type ProviderOptions struct {
	// Exporters get every span in batches, from a goroutine of the SDK; a slow one only loses spans of its own.
	Exporters []Exporter
	// Direct exporters get every span at once, on the trace worker. They must be fast and never block: a Tree is.
	Direct []Exporter
	// Ratio is the share of connections that the head decision samples, from 0 to 1.
	Ratio float64
	// IgnoreParents makes the head decision a function of the trace id even where a peer of ours decided already.
	IgnoreParents bool
	// Service is service.name; empty is DefaultService. Resource are further attributes of the resource, such as the
	// node and pod that this process runs on.
	Service  string
	Resource map[string]string
	// SpanQueue bounds the spans that wait for each exporter, Batch how many are exported at once, BatchDelay how long
	// a batch may wait to fill, ExportTimeout one export. Zero is the default.
	SpanQueue, Batch          int
	BatchDelay, ExportTimeout time.Duration
}

// Provider makes spans and exports them. It belongs to the Telemetry that it is given to, which shuts it down.
type Provider struct {
	sdk     *sdktrace.TracerProvider
	tracer  oteltrace.Tracer
	sampler sampler

	exported, dropped, failed Counter

	onError atomic.Pointer[func(spans int, err error)]
}

// NewProvider makes a provider.
func NewProvider(o ProviderOptions) (*Provider, error) {
	if o.Ratio < 0 || o.Ratio > 1 {
		return nil, fmt.Errorf("trace provider: ratio %v; want a number from 0 to 1", o.Ratio)
	}
	p := &Provider{sampler: ratioSampler(o.Ratio, !o.IgnoreParents)}
	attrs := []attribute.KeyValue{attribute.String("service.name", orString(o.Service, DefaultService))}
	for k, v := range o.Resource {
		if k != "service.name" {
			attrs = append(attrs, attribute.String(k, v))
		}
	}
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithSampler(sdktrace.AlwaysSample()), // whoever makes a span has decided to keep it
		sdktrace.WithIDGenerator(contextIDs{}),
		sdktrace.WithResource(resource.NewSchemaless(attrs...)),
	}
	for _, e := range o.Direct {
		options = append(options, sdktrace.WithSpanProcessor(sdktrace.NewSimpleSpanProcessor(e)))
	}
	for _, e := range o.Exporters {
		options = append(options, sdktrace.WithSpanProcessor(newBounded(p, e, &o)))
	}
	p.sdk = sdktrace.NewTracerProvider(options...)
	p.tracer = p.sdk.Tracer("github.com/troupe-mesh/troupe/actors/trace")
	return p, nil
}

func orString(v, def string) string {
	if v == "" {
		return def
	}
	return v
}

func orInt[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

func (p *Provider) flush(ctx context.Context) error {
	if err := p.sdk.ForceFlush(ctx); err != nil {
		return fmt.Errorf("export spans: %w", err)
	}
	return nil
}

func (p *Provider) shutdown(ctx context.Context) error {
	if err := p.sdk.Shutdown(ctx); err != nil {
		return fmt.Errorf("close the span exporters: %w", err)
	}
	return nil
}

// bounded is the SDK's batch processor behind a bound of our own, because the SDK's drops without saying how many
// (TRACING §5.4). pending are the spans taken and not yet exported.
type bounded struct {
	sdktrace.SpanProcessor
	p       *Provider
	max     int64
	pending atomic.Int64
}

func newBounded(p *Provider, e Exporter, o *ProviderOptions) *bounded {
	queue := orInt(o.SpanQueue, DefaultSpanQueue)
	b := &bounded{p: p, max: int64(queue)}
	b.SpanProcessor = sdktrace.NewBatchSpanProcessor(&counting{e, b},
		sdktrace.WithMaxQueueSize(queue+1), // one more, for the SDK's own flush mark
		sdktrace.WithMaxExportBatchSize(min(queue, orInt(o.Batch, DefaultBatch))),
		sdktrace.WithBatchTimeout(orInt(o.BatchDelay, DefaultBatchDelay)),
		sdktrace.WithExportTimeout(orInt(o.ExportTimeout, DefaultExportTimeout)))
	return b
}

// OnEnd takes a span if there is room, and counts it as dropped if not.
func (b *bounded) OnEnd(s sdktrace.ReadOnlySpan) {
	if b.pending.Add(1) > b.max {
		b.pending.Add(-1)
		b.p.dropped.Add(1)
		return
	}
	b.SpanProcessor.OnEnd(s)
}

// counting tells bounded what became of the spans.
type counting struct {
	Exporter
	b *bounded
}

// ExportSpans never fails: an export that did is counted and reported here, so that the SDK does not write it to
// standard error.
func (c *counting) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := c.Exporter.ExportSpans(ctx, spans)
	n := len(spans)
	c.b.pending.Add(-int64(n))
	if err == nil {
		c.b.p.exported.Add(uint64(n))
		return nil
	}
	c.b.p.failed.Add(uint64(n))
	if report := c.b.p.onError.Load(); report != nil {
		(*report)(n, err)
	}
	return nil
}
