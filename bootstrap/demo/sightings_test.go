package demo

import (
	"context"
	"io"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

func TestSightings(t *testing.T) {
	s := newSightings(trace.NewTree(io.Discard))
	see := func(name messages.SpanName, id byte) {
		span := tracetest.SpanStub{Name: name.String(), SpanContext: oteltrace.NewSpanContext(oteltrace.SpanContextConfig{
			TraceID: oteltrace.TraceID{id}, SpanID: oteltrace.SpanID{1},
		})}.Snapshot()
		if err := s.ExportSpans(t.Context(), []sdktrace.ReadOnlySpan{span}); err != nil {
			t.Error(err)
		}
	}
	want := map[messages.SpanName]int{messages.SpanOutbound: 1, messages.SpanConnect: 2}
	see(messages.SpanConnect, 7)
	see(messages.SpanOutbound, 8)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.take(ended, want); err == nil || !strings.Contains(err.Error(), "1 of 2 spans CONNECT came") {
		t.Errorf("got %v", err)
	}
	go see(messages.SpanConnect, 8)
	id, err := s.take(t.Context(), want)
	if err != nil || id != (messages.TraceID{8}) {
		t.Errorf("got trace %v, %v", id, err)
	}
	if _, err := s.take(ended, want); err == nil {
		t.Error("what was taken counts again")
	}
	if got := s.Spans(messages.TraceID{8}); got != 2 {
		t.Errorf("the tree has %d spans of the trace, want 2", got)
	}
}
