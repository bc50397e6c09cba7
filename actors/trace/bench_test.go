package trace

import (
	"context"
	"io"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
)

// nowhere is an exporter that costs nothing.
type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

// BenchmarkConnection is the whole cost of one outbound connection for its flow, marks included, and with what the
// worker does for it when it is sampled (both share the processors).
func BenchmarkConnection(b *testing.B) {
	for _, c := range []struct {
		name  string
		ratio float64
		off   bool
		log   bool
	}{
		{"off", 0, true, false}, {"off+log", 0, true, true}, {"0%", 0, false, false}, {"1%", 0.01, false, false}, {"100%", 1, false, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			var o Options
			if !c.off {
				p, err := NewProvider(ProviderOptions{Ratio: c.ratio, Exporters: []Exporter{nowhere{}}})
				if err != nil {
					b.Fatal(err)
				}
				o.Provider = p
			}
			if c.log {
				filter, err := logs.ParseFilter("info")
				if err != nil {
					b.Fatal(err)
				}
				o.Logs = logs.New(io.Discard, logs.Plain, filter)
				defer o.Logs.Close(context.Background())
			}
			t, err := New(o)
			if err != nil {
				b.Fatal(err)
			}
			template := outboundRecord()
			b.ReportAllocs()
			for b.Loop() {
				connect(t, template)
			}
			b.StopTimer()
			b.ReportMetric(float64(t.metrics.jobsCut.Value())/float64(b.N), "cut/op")
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := t.Shutdown(ctx); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func connect(t *Telemetry, template *messages.Record) {
	r := *template
	t.Start(&r)
	var m *messages.Recorder
	if t.Tracing() {
		m = &r.Recorder
	}
	root := m.BeginAt(messages.SpanOutbound, messages.NoSpan, 0)
	for _, name := range [...]messages.SpanName{messages.SpanAccept, messages.SpanClassify, messages.SpanAuthorize} {
		m.End(m.Begin(name, root))
	}
	tunnel := m.Begin(messages.SpanTunnel, root)
	m.End(m.Begin(messages.SpanPoolAcquire, tunnel))
	connect := m.Begin(messages.SpanConnect, tunnel)
	_, _ = t.Outgoing(&r)
	s := t.Opened(&r)
	c := relay.Counters{LiveReceived: s.Received(), LiveSent: s.Sent()}
	m.End(connect)
	m.End(tunnel)
	m.End(root)
	t.SetupEnded(&r)
	t.Follow(&r, &c)
	c.AddReceived(84)
	c.AddSent(358)
	t.Closed(&r, s, &c)
}
