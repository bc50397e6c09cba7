package trace

import (
	"testing"

	"github.com/troupe-mesh/troupe/messages"
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
	if got := n.metrics.jobsCut.Value(); got != 2 {
		t.Errorf("%d records cut, want the set-up and the end", got)
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
