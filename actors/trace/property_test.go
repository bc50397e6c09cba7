package trace

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/troupe-mesh/troupe/messages"
)

var anIP = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+|[0-9a-f]*::[0-9a-f]*`)

// anyRecord is a record that some flow might leave behind: well-behaved or not.
func anyRecord(t *rapid.T, n *Telemetry) *messages.Record {
	r := &messages.Record{
		Direction: messages.Direction(rapid.IntRange(0, 1).Draw(t, "direction")),
		Mode:      messages.Mode(rapid.IntRange(0, 5).Draw(t, "mode")),
		Type:      messages.RequestType(rapid.IntRange(0, 4).Draw(t, "type")),
		MutualTLS: rapid.Bool().Draw(t, "mTLS"),
		Src:       netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), 4), Dst: payAddr,
	}
	if rapid.Bool().Draw(t, "known") {
		r.Source, r.Destination, r.Service = cart, pay, paySvc
	}
	if rapid.Bool().Draw(t, "hbone") {
		r.HBONEAddr = messages.AddrHostPort(payAddr)
	}
	if rapid.Bool().Draw(t, "failed") {
		r.Failure = messages.Fail(rapid.SampledFrom(messages.Reasons()).Draw(t, "reason"), "it failed")
	}
	r.Start = time.Now().Add(-time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "age")))
	n.Start(r)
	if r.Direction == messages.Inbound {
		parent := rapid.SampledFrom([]string{"", sampledParent, unsampledParent, "nonsense"}).Draw(t, "parent")
		state := rapid.SampledFrom([]string{"", "troupe=1"}).Draw(t, "state")
		n.Join(r, parent, []string{state}, rapid.Bool().Draw(t, "over mTLS"))
	}
	names := messages.SpanNames()[:messages.SpanH2Settings]
	for i := range rapid.IntRange(0, 30).Draw(t, "spans") {
		parent := messages.SpanRef(rapid.IntRange(-1, 30).Draw(t, "parent span"))
		at := time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "at"))
		s := r.BeginAt(rapid.SampledFrom(names).Draw(t, "name"), parent, at)
		switch i % 3 {
		case 0:
			r.Fail(s, r.Reason())
		case 1:
			r.Event(s, messages.EventRoute, messages.BoolAttr("b", true), messages.IntAttr("i", 1))
			r.Attr(s, messages.StringAttr(messages.AttrStore, "services"))
			r.Link(s, messages.TraceID{1}, messages.SpanID{2})
		}
	}
	return r
}

// Whatever a flow leaves behind: all that was kept comes out whole, and what comes out keeps to TRACING §9.2. A parent on
// another node is there exactly when that node exports it: it sampled, or was told to keep.
func TestEveryExportIsWhole(t *testing.T) {
	node := newNode(t, nodeOptions{ratio: 0.5, telemetry: Options{LatePerSec: 1 << 30}})
	rapid.Check(t, func(t *rapid.T) {
		r := anyRecord(t, node.Telemetry)
		told := node.WantsKeep(r)
		marks := len(r.Spans())
		node.SetupEnded(r)
		kept := r.Sampled || r.Keep
		if err := node.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		spans := node.spans.take()
		if want := max(marks, 1); kept && len(spans) != want || !kept && len(spans) != 0 {
			t.Fatalf("%d spans of %d marks, kept %v", len(spans), marks, kept)
		}
		if r.Failure != nil && !kept {
			t.Fatalf("a connection that failed with %s has no trace", r.Reason())
		}
		if !kept {
			return
		}
		roots := 0
		for i, s := range spans {
			if anIP.MatchString(s.Name()) {
				t.Fatalf("an address in the name %q", s.Name())
			}
			if s.SpanContext().TraceID() != [16]byte(r.TraceID) {
				t.Fatalf("%s is in another trace", s.Name())
			}
			if i == 0 || s.Parent().IsRemote() {
				roots++
				if s.SpanContext().SpanID() != [8]byte(r.RootID) || s.Parent().SpanID() != [8]byte(r.ParentID) {
					t.Fatalf("the root %s is %v below %v", s.Name(), s.SpanContext().SpanID(), s.Parent().SpanID())
				}
			}
		}
		if roots != 1 {
			t.Fatalf("%d roots", roots)
		}
		if !r.ParentID.IsZero() && !r.Sampled && !told {
			t.Fatal("the parent was neither sampled nor told to be kept")
		}
		if !r.ParentID.IsZero() { // the parent is the other node's: its own export has it
			spans = slices.Delete(spans, 0, 1)
			for _, s := range spans {
				if !s.Parent().SpanID().IsValid() {
					t.Fatalf("%s has no parent", s.Name())
				}
			}
			return
		}
		checkSpans(t, spans)
	})
}

func TestMadeSpansHaveTheirKinds(t *testing.T) {
	for _, tt := range []struct {
		name   messages.SpanName
		parent messages.SpanRef
		want   string
	}{
		{messages.SpanOutbound, messages.NoSpan, "server"},
		{messages.SpanInbound, messages.NoSpan, "server"},
		{messages.SpanConnect, messages.NoSpan, "server"},
		{messages.SpanConnect, 0, "client"},
		{messages.SpanDial, 0, "client"},
		{messages.SpanAccept, 0, "internal"},
		{messages.SpanConnectionSetup, messages.NoSpan, "internal"},
		{messages.SpanDNSQuery, messages.NoSpan, "server"},
		{messages.SpanDNSForward, 0, "client"},
	} {
		if got := kindOf(messages.SpanMark{Name: tt.name, Parent: tt.parent}).String(); got != tt.want {
			t.Errorf("%s below %d is %s, want %s", tt.name, tt.parent, got, tt.want)
		}
	}
}
