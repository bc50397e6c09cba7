package trace

import (
	"context"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// spanContext is a context that carries the ids of the one span which is started with it.
type spanContext struct {
	context.Context
	trace messages.TraceID
	span  messages.SpanID
}

type spanContextKey struct{}

// Value answers contextIDs.
func (c *spanContext) Value(key any) any {
	if _, ok := key.(spanContextKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// contextIDs takes ids from the context: they were fixed at accept, long before the span is made.
type contextIDs struct{}

var _ sdktrace.IDGenerator = contextIDs{}

// NewIDs returns both ids of the context.
func (contextIDs) NewIDs(ctx context.Context) (oteltrace.TraceID, oteltrace.SpanID) {
	c := ctx.Value(spanContextKey{}).(*spanContext)
	return oteltrace.TraceID(c.trace), oteltrace.SpanID(c.span)
}

// NewSpanID returns the span id of the context.
func (contextIDs) NewSpanID(ctx context.Context, _ oteltrace.TraceID) oteltrace.SpanID {
	c := ctx.Value(spanContextKey{}).(*spanContext)
	return oteltrace.SpanID(c.span)
}

// made is everything of one finished span; emit makes it.
type made struct {
	name       messages.SpanName
	kind       oteltrace.SpanKind
	trace      messages.TraceID
	span       messages.SpanID
	parent     messages.SpanID // zero: a root
	remote     bool            // the parent is a peer's
	start, end time.Time
	attrs      []attribute.KeyValue
	events     []event
	links      []oteltrace.Link
	reason     messages.Reason
	text       string // describes the reason where there is more to say
}

type event struct {
	name  string
	at    time.Time
	attrs []attribute.KeyValue
}

// emit makes one span out of thin air, with the times and ids that it is given.
func (p *Provider) emit(m *made) {
	ctx := context.Background()
	if !m.parent.IsZero() {
		ctx = oteltrace.ContextWithSpanContext(ctx, reference(m.trace, m.parent).WithRemote(m.remote))
	}
	_, span := p.tracer.Start(&spanContext{ctx, m.trace, m.span}, m.name.String(),
		oteltrace.WithSpanKind(m.kind),
		oteltrace.WithTimestamp(m.start),
		oteltrace.WithAttributes(m.attrs...),
		oteltrace.WithLinks(m.links...))
	for _, e := range m.events {
		span.AddEvent(e.name, oteltrace.WithTimestamp(e.at), oteltrace.WithAttributes(e.attrs...))
	}
	setStatus(span, m)
	span.End(oteltrace.WithTimestamp(m.end))
}

func reference(t messages.TraceID, s messages.SpanID) oteltrace.SpanContext {
	return oteltrace.NewSpanContext(oteltrace.SpanContextConfig{
		TraceID:    oteltrace.TraceID(t),
		SpanID:     oteltrace.SpanID(s),
		TraceFlags: oteltrace.FlagsSampled,
	})
}

func link(t messages.TraceID, s messages.SpanID) oteltrace.Link {
	return oteltrace.Link{SpanContext: reference(t, s)}
}
