package trace

import (
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"

	"github.com/troupe-mesh/troupe/messages"
)

func TestCertificateSigned(t *testing.T) {
	n := newNode(t, nodeOptions{name: "a"})
	began := time.Now().Add(-time.Minute)
	id := messages.Identity{TrustDomain: "cluster.local", Namespace: "shop", ServiceAccount: "cart"}
	n.CertificateSigned(Signed{Identity: id, Priority: messages.PriorityWarmup, Began: began, Took: time.Second, Queued: time.Millisecond})
	trace, span := n.CertificateSigned(Signed{Identity: id, Began: began, Err: errors.New("the CA is away"), Retained: true, Overdue: true})
	spans := n.exported(t)
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	good, bad := spans[0], spans[1]
	if good.Name() != "csr" || !good.StartTime().Equal(began) || good.EndTime().Sub(began) != time.Second || value(good, messages.AttrIdentity) != id.String() ||
		value(good, messages.AttrPriority) != "Warmup" || value(good, messages.AttrWait) != "1000" || good.Status().Code == codes.Error {
		t.Errorf("a certificate that was made: %+v", good)
	}
	if bad.Status().Code != codes.Error || value(bad, messages.AttrErrorType) != "identity_unavailable" || bad.Status().Description != "the CA is away" ||
		value(bad, messages.AttrRetained) != "true" || value(bad, messages.AttrOverdue) != "true" {
		t.Errorf("an attempt that failed: %+v", bad)
	}
	if sc := bad.SpanContext(); sc.TraceID() != [16]byte(trace) || sc.SpanID() != [8]byte(span) {
		t.Error("its ids are others")
	}
	off := newNode(t, nodeOptions{off: true})
	if trace, _ := off.CertificateSigned(Signed{Identity: id}); !trace.IsZero() {
		t.Error("a trace though nothing is traced")
	}
}

// What was rejected is always traced, the ordinary once a second.
func TestStateApplied(t *testing.T) {
	n := newNode(t, nodeOptions{name: "a"})
	began := time.Now()
	for range 5 {
		n.StateApplied(Applied{Kind: "addresses", Start: began, End: began.Add(time.Millisecond), Resources: 7, Removed: 2, Bytes: 90})
	}
	for range 5 {
		n.StateApplied(Applied{
			Kind: "authorizations", Start: began, End: began, RejectedCount: 9, Rejected: []Rejected{{"ns/odd", "scope 9 is unknown"}},
		})
	}
	spans := n.exported(t)
	if len(spans) != 6 {
		t.Fatalf("%d spans, want 6", len(spans))
	}
	first, last := spans[0], spans[5]
	if first.Name() != "xds.apply" || value(first, messages.AttrResourceKind) != "addresses" || value(first, messages.AttrResources) != "7" ||
		value(first, messages.AttrRemoved) != "2" || value(first, messages.AttrBytesReceived) != "90" || first.EndTime().Sub(began) != time.Millisecond {
		t.Errorf("%+v", first)
	}
	events := last.Events()
	if value(last, messages.AttrRejected) != "9" || len(events) != 1 || events[0].Name != messages.EventResourceRejected ||
		events[0].Attributes[0].Value.AsString() != "ns/odd" || events[0].Attributes[1].Value.AsString() != "scope 9 is unknown" {
		t.Errorf("%+v, %+v", last, events)
	}
}
