package trace

import (
	"context"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/troupe-mesh/troupe/messages"
)

// A node of ours and any other with the SDK's sampler must agree about a trace.
func TestTheSamplerDecidesAsTheSDKDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ratio := rapid.Float64Range(0, 1).Draw(t, "ratio")
		var id messages.TraceID
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		want := sdktrace.TraceIDRatioBased(ratio).ShouldSample(sdktrace.SamplingParameters{
			ParentContext: context.Background(), TraceID: trace.TraceID(id),
		}).Decision == sdktrace.RecordAndSample
		if got := ratioSampler(ratio, true).root(id); got != want {
			t.Fatalf("ratio %v of %s: %v, want %v", ratio, id, got, want)
		}
	})
}

func TestTheShareOfSampledTracesIsTheRatio(t *testing.T) {
	ids := newIDSource(&[2]uint64{1, 2})
	s := ratioSampler(0.1, true)
	n := 0
	for range 100_000 {
		if s.root(ids.trace()) {
			n++
		}
	}
	if n < 9_600 || n > 10_400 {
		t.Errorf("%d of 100000 sampled at 0.1", n)
	}
}
