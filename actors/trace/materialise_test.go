package trace

import (
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// A Rust peer's context names a span that nobody exports: it must never become a parent.
func TestAForeignContextIsLinkedFromTheRoot(t *testing.T) {
	n := newNode(t, nodeOptions{ratio: 1})
	r := inboundRecord()
	n.StartStream(r)
	n.Join(r, unsampledParent, nil, true)
	root := r.Begin(messages.SpanConnect, messages.NoSpan)
	r.End(r.Begin(messages.SpanAccept, root))
	n.EarlyDenied(r)
	spans := n.exported(t)
	checkSpans(t, spans)
	links := spans[0].Links()
	if spans[0].Parent().IsValid() || len(links) != 1 || links[0].SpanContext.TraceID().String() != unsampledParent[3:35] ||
		value(spans[0], messages.AttrRemoteTraceID) != unsampledParent[3:35] {
		t.Errorf("parent %v, links %v", spans[0].Parent(), links)
	}
}

func TestTheClientsConnectHasTheIDThatWentOut(t *testing.T) {
	n := newNode(t, nodeOptions{ratio: 1})
	r := outboundRecord()
	n.Start(r)
	root := r.Begin(messages.SpanOutbound, messages.NoSpan)
	inner := r.Begin(messages.SpanConnect, root)
	r.Begin(messages.SpanConnect, inner) // the outer tunnel of a double HBONE
	n.EarlyDenied(r)
	spans := n.exported(t)
	checkSpans(t, spans)
	if len(spans) != 3 || spans[0].SpanContext().SpanID() != [8]byte(r.RootID) || spans[1].SpanContext().SpanID() != [8]byte(r.ConnectID) {
		t.Errorf("spans %v", spans)
	}
}

func TestAConnectionWithoutMarksHasOneSpan(t *testing.T) {
	plain := &messages.Record{Direction: messages.Inbound, Src: cartAddr, Dst: payAddr}
	for want, r := range map[string]*messages.Record{"outbound": outboundRecord(), "CONNECT": inboundRecord(), "inbound": plain} {
		n := newNode(t, nodeOptions{ratio: 1})
		r.Start = time.Now().Add(-time.Second)
		n.Start(r)
		n.EarlyDenied(r)
		spans := n.exported(t)
		if len(spans) != 1 || spans[0].Name() != want || spans[0].EndTime().Sub(spans[0].StartTime()) < time.Second {
			t.Errorf("want one span %s of a second, got %v", want, spans)
		}
	}
}

func TestParentsContainTheirChildren(t *testing.T) {
	spans := []messages.SpanMark{
		{Parent: messages.NoSpan, Start: 10, End: 20},
		{Parent: 0, Start: 12, End: 21},
		{Parent: 1, Start: 11, End: 30},
		{Parent: messages.NoSpan, Start: 25}, // still open, and no child of anything: the root's
		{Parent: 9, Start: 5, End: 6},        // below a span that is not there: the root's
	}
	containChildren(spans)
	for i, want := range [][2]time.Duration{{5, 30}, {11, 30}, {11, 30}, {25, 25}, {5, 6}} {
		if got := [2]time.Duration{spans[i].Start, spans[i].End}; got != want {
			t.Errorf("span %d is %v, want %v", i, got, want)
		}
	}
}
