package bubble

import (
	"context"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/e2e/product"
	"github.com/troupe-mesh/troupe/messages"
)

// Metrics is a scrape of the node.
func (n *Node) Metrics() product.Metrics {
	n.w.tb.Helper()
	var b strings.Builder
	if err := n.telemetry.WriteMetrics(&b); err != nil {
		n.w.tb.Fatal(err)
	}
	m, err := product.ParseMetrics(b.String())
	if err != nil {
		n.w.tb.Fatal(err)
	}
	return m
}

// Counts are how many connections the node has opened, closed and failed, and how many sockets are open.
type Counts struct{ Opened, Closed, Failed, Sockets int }

// Counts are the node's, over all series.
func (n *Node) Counts() Counts {
	n.w.tb.Helper()
	m := n.Metrics()
	return Counts{
		Opened:  int(m.Sum(product.ConnectionsOpened, nil)),
		Closed:  int(m.Sum(product.ConnectionsClosed, nil)),
		Failed:  int(m.Sum(product.ConnectionsFailed, nil)),
		Sockets: int(m.Sum("istio_tcp_sockets_open", nil)),
	}
}

// WantCounts fails the test unless the counts are these.
func (n *Node) WantCounts(want Counts) {
	n.w.tb.Helper()
	n.w.Settle()
	if got := n.Counts(); got != want {
		n.w.tb.Errorf("counts of %s: %+v, want %+v", n.name, got, want)
	}
}

// WantFlag fails the test unless the node has closed so many connections with a response flag.
func (n *Node) WantFlag(flag string, want int) {
	n.w.tb.Helper()
	n.w.Settle()
	if got := int(n.Metrics().Sum(product.ConnectionsClosed, product.Labels{"response_flags": flag})); got != want {
		n.w.tb.Errorf("%s closed %d connections with flag %s, want %d", n.name, got, flag, want)
	}
}

// Spans are the spans that the node has exported.
func (n *Node) Spans() tracetest.SpanStubs {
	n.w.tb.Helper()
	if n.spans == nil {
		n.w.tb.Fatalf("node %s is not traced", n.name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if err := n.telemetry.Flush(ctx); err != nil {
		n.w.tb.Fatal(err)
	}
	return n.spans.GetSpans()
}

// WantWholeTraces fails the test unless every span of the world has ended and has its parent among them.
func (w *World) WantWholeTraces() {
	w.tb.Helper()
	var all tracetest.SpanStubs
	for _, n := range w.nodes {
		if n.spans != nil && !n.stopped {
			all = append(all, n.Spans()...)
		}
	}
	known := map[[24]byte]bool{}
	key := func(trace [16]byte, span [8]byte) (k [24]byte) {
		copy(k[:], trace[:])
		copy(k[16:], span[:])
		return k
	}
	for _, s := range all {
		known[key(s.SpanContext.TraceID(), s.SpanContext.SpanID())] = true
	}
	for _, s := range all {
		if s.EndTime.Before(s.StartTime) {
			w.tb.Errorf("span %s ends before it starts", s.Name)
		}
		if s.Parent.IsValid() && !known[key(s.Parent.TraceID(), s.Parent.SpanID())] {
			w.tb.Errorf("span %s of trace %s: its parent %s was not exported", s.Name, s.SpanContext.TraceID(), s.Parent.SpanID())
		}
	}
}

// Events are what went wrong with a node's actors.
type Events struct {
	mu  sync.Mutex
	all []kit.Event
}

func (e *Events) add(event kit.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// All are the events so far.
func (e *Events) All() []kit.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]kit.Event(nil), e.all...)
}

// EventsOf are the events of one type.
func EventsOf[T kit.Event](n *Node) []T {
	var of []T
	for _, e := range n.Events.All() {
		if t, ok := e.(T); ok {
			of = append(of, t)
		}
	}
	return of
}

// WantRejections fails the test unless the node has refused or cut so many connections for revocation, as a client
// ("source") or a server ("destination").
func (n *Node) WantRejections(reporter string, want int) {
	n.w.tb.Helper()
	if got := int(n.Metrics().Sum("istio_crl_policy_rejections_total", product.Labels{"reporter": reporter})); got != want {
		n.w.tb.Errorf("%s: %d rejections as %s, want %d", n.name, got, reporter, want)
	}
}

// WantUntracked fails the test unless the node could not track so many connections for revocation.
func (n *Node) WantUntracked(reporter string, want int) {
	n.w.tb.Helper()
	if got := int(n.Metrics().Sum("istio_crl_untracked_connections_total", product.Labels{"reporter": reporter})); got != want {
		n.w.tb.Errorf("%s: %d untracked connections as %s, want %d", n.name, got, reporter, want)
	}
}

// WantClosedBy fails the test unless a policy has closed so many live connections of the node, and as many of their closing
// spans name it. An empty policy stands for the lack of one that allows.
func (n *Node) WantClosedBy(policy string, want int) {
	n.w.tb.Helper()
	if got := int(n.Metrics().Sum("troupe_policy_closed_total", product.Labels{"policy": policy})); got != want {
		n.w.tb.Errorf("%s closed %d connections because of %q, want %d", n.name, got, policy, want)
	}
	spans := 0
	for _, s := range n.Spans() {
		if s.Name != messages.SpanTunnelClose.String() {
			continue
		}
		name, denied := "", false
		for _, a := range s.Attributes {
			switch string(a.Key) {
			case messages.AttrRuleName:
				name = a.Value.AsString()
			case messages.AttrVerdict:
				denied = true
			}
		}
		if denied && name == policy {
			spans++
		}
	}
	if spans != want {
		n.w.tb.Errorf("%d closing spans of %s tell of %q, want %d", spans, n.name, policy, want)
	}
}
