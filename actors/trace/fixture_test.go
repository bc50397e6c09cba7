package trace

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
)

// collector is an exporter that keeps everything.
type collector struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

func (c *collector) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = append(c.spans, spans...)
	return nil
}

func (c *collector) Shutdown(context.Context) error { return nil }

func (c *collector) take() []sdktrace.ReadOnlySpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.spans
	c.spans = nil
	return out
}

// testNode is a node's telemetry with everything it says caught.
type testNode struct {
	*Telemetry
	spans *collector
	lines *bytes.Buffer
	log   *logs.Logs
}

// nodeOptions are options for a node that samples ratio of its connections and logs everything.
type nodeOptions struct {
	name      string
	ratio     float64
	off       bool
	tree      *Tree
	telemetry Options
	provider  ProviderOptions
}

func newNode(t testing.TB, o nodeOptions) *testNode {
	t.Helper()
	n := &testNode{spans: &collector{}, lines: &bytes.Buffer{}}
	filter, err := logs.ParseFilter("debug")
	if err != nil {
		t.Fatal(err)
	}
	n.log = logs.New(n.lines, logs.Plain, filter)
	if !o.off {
		p := o.provider
		p.Ratio = o.ratio
		p.Direct = append(p.Direct, n.spans)
		if o.tree != nil {
			p.Direct = append(p.Direct, o.tree)
		}
		p.Resource = map[string]string{"k8s.node.name": o.name}
		if o.telemetry.Provider, err = NewProvider(p); err != nil {
			t.Fatal(err)
		}
	}
	o.telemetry.Logs = n.log
	if n.Telemetry, err = New(o.telemetry); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.stop(t) })
	return n
}

func (n *testNode) stop(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := n.log.Close(ctx); err != nil {
		t.Error(err)
	}
}

// exported waits for all spans handed over and takes them.
func (n *testNode) exported(t testing.TB) []sdktrace.ReadOnlySpan {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	return n.spans.take()
}

// logged takes the lines so far, without their time.
func (n *testNode) logged(t testing.TB) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.log.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(n.lines.String()) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		out = append(out, rest)
	}
	n.lines.Reset()
	return out
}

// exposition is the text of a node's metrics without process_* and tokio_*, which differ.
func (n *testNode) exposition(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	if err := n.WriteMetrics(&b); err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(b.String(), "# HELP istio_build")
	if !ok {
		t.Fatalf("no istio_build in\n%s", b.String())
	}
	return "# HELP istio_build" + rest
}

var (
	cartIdentity = messages.Identity{TrustDomain: "cluster.local", Namespace: "shop", ServiceAccount: "cart"}
	payIdentity  = messages.Identity{TrustDomain: "cluster.local", Namespace: "shop", ServiceAccount: "pay"}
	cart         = &messages.Workload{
		UID: "Kubernetes//Pod/shop/cart-1", Name: "cart-1", Namespace: "shop", TrustDomain: "cluster.local",
		ServiceAccount: "cart", WorkloadName: "cart", WorkloadType: "deployment", CanonicalName: "cart",
		CanonicalRevision: "v1", ClusterID: "Kubernetes", Locality: messages.Locality{Region: "eu", Zone: "eu-1"},
	}
	pay = &messages.Workload{
		UID: "Kubernetes//Pod/shop/pay-7", Name: "pay-7", Namespace: "shop", TrustDomain: "cluster.local",
		ServiceAccount: "pay", WorkloadName: "pay", WorkloadType: "deployment", CanonicalName: "pay",
		CanonicalRevision: "v2", ClusterID: "Kubernetes", Locality: messages.Locality{Region: "eu", Zone: "eu-2"},
	}
	paySvc = &messages.Service{Name: "pay", Namespace: "shop", Hostname: "pay.shop.svc.cluster.local"}

	cartAddr   = netip.MustParseAddrPort("10.0.2.2:43370")
	payAddr    = netip.MustParseAddrPort("10.0.3.9:8080")
	payTunnel  = netip.MustParseAddrPort("10.0.3.9:15008")
	payVIP     = netip.MustParseAddrPort("10.96.0.7:80")
	denyPolicy = &messages.Authorization{Key: "shop/deny-cart", Namespace: "shop", Name: "deny-cart", Action: messages.ActionDeny}
)

// outboundRecord is a connection of cart to pay's service over HBONE, as its flow knows it before it dials.
func outboundRecord() *messages.Record {
	return &messages.Record{
		Direction: messages.Outbound, Mode: messages.ModeHBONE, Type: messages.Direct,
		Src: cartAddr, Dst: payTunnel, OriginalDst: payVIP, HBONEAddr: messages.AddrHostPort(payAddr), MutualTLS: true,
		Source: cart, Destination: pay, Service: paySvc,
		DerivedSource: &messages.DerivedWorkload{Identity: cartIdentity}, SrcIdentity: cartIdentity,
	}
}

// inboundRecord is the same connection at the node of pay.
func inboundRecord() *messages.Record {
	return &messages.Record{
		Direction: messages.Inbound, Mode: messages.ModeHBONE,
		Src: netip.MustParseAddrPort("10.0.2.2:51000"), Dst: payTunnel, HBONEAddr: messages.AddrHostPort(payAddr),
		MutualTLS: true, Source: cart, Destination: pay, Service: paySvc,
		DerivedSource: &messages.DerivedWorkload{
			Workload: "cart", CanonicalName: "cart", CanonicalRevision: "v1", Namespace: "shop",
			Cluster: "Kubernetes", Region: "eu", Zone: "eu-1", Identity: cartIdentity,
		},
		SrcIdentity: cartIdentity, DstIdentity: payIdentity,
	}
}

var _ io.Writer = (*bytes.Buffer)(nil)
