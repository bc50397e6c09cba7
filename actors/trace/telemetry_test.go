package trace

import (
	"io"
	"strconv"
	"sync"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
)

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{{Queue: -1}, {MaxSeries: -1}, {MaxFollows: -1}, {LatePerSec: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestAfterTheEndConnectionsAreStillCountedAndLogged(t *testing.T) {
	n := newNode(t, nodeOptions{ratio: 1})
	if err := n.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := outboundRecord()
	n.Start(r)
	s := n.Opened(r)
	r.Begin(messages.SpanOutbound, messages.NoSpan)
	n.SetupEnded(r)
	n.Follow(r, nil)
	n.Closed(r, s, nil)
	if got := n.logged(t); len(got) != 2 || s.closed.Value() != 1 {
		t.Errorf("%d closed, lines %q", s.closed.Value(), got)
	}
	if got := n.metrics.jobsCut.Value(); got != 1 {
		t.Errorf("%d records cut, want 1", got)
	}
	if err := n.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestASetUpEndsOnce(t *testing.T) {
	n := newNode(t, nodeOptions{ratio: 1})
	r := outboundRecord()
	n.Start(r)
	r.Begin(messages.SpanOutbound, messages.NoSpan)
	r.Failure = messages.Fail(messages.ReasonNoHealthyUpstream, "no healthy upstream: 10.96.0.7:80")
	n.SetupEnded(r)
	n.EarlyDenied(r)
	if spans := n.exported(t); len(spans) != 1 {
		t.Errorf("%d spans, want 1", len(spans))
	}
}

// Flows call from their own goroutines while scrapes read: nothing is lost, and every kept connection is whole.
func TestManyFlowsAtOnce(t *testing.T) {
	n := newNode(t, nodeOptions{ratio: 0.3, telemetry: Options{MaxSeries: 20, Queue: 100_000}})
	const flows, each = 8, 200
	var kept Counter
	var wg sync.WaitGroup
	for f := range flows {
		wg.Go(func() {
			w := *cart
			w.WorkloadName = "w" + strconv.Itoa(f)
			for i := range each {
				r := outboundRecord()
				r.Source = &w
				n.Start(r)
				root := r.Begin(messages.SpanOutbound, messages.NoSpan)
				r.End(r.Begin(messages.SpanAccept, root))
				s := n.Opened(r)
				c := &relay.Counters{LiveReceived: s.Received(), LiveSent: s.Sent()}
				n.SetupEnded(r)
				n.Follow(r, c)
				c.AddReceived(3)
				c.AddSent(5)
				if i%10 == 0 {
					r.Failure = messages.Fail(messages.ReasonRelayFailed, "send: broken")
				}
				if r.Sampled {
					kept.Add(1)
				}
				n.Closed(r, s, c)
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if err := n.WriteMetrics(io.Discard); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	var opened, closed, failed, received, sent uint64
	for _, s := range n.metrics.traffic.order {
		opened, closed, failed = opened+s.opened.Value(), closed+s.closed.Value(), failed+s.failed.Value()
		received, sent = received+s.received.Value(), sent+s.sent.Value()
	}
	const all = flows * each
	if opened != all || closed != all || failed != all/10 || received != 3*all || sent != 5*all {
		t.Errorf("opened %d, closed %d, failed %d, received %d, sent %d", opened, closed, failed, received, sent)
	}
	if got := n.metrics.socketsOpen[messages.Outbound].Value(); got != 0 {
		t.Errorf("%d sockets are still open", got)
	}
	spans := n.exported(t)
	checkSpans(t, spans)
	names := make(map[string]uint64)
	for _, s := range spans {
		names[s.Name()]++
	}
	if names["outbound"] != kept.Value() || names["accept"] != kept.Value() || names["tunnel.close"] < kept.Value() {
		t.Errorf("%d connections kept, spans %v", kept.Value(), names)
	}
}
