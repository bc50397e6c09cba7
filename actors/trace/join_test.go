package trace

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

const (
	sampledParent   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampledParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

func TestJoin(t *testing.T) {
	tests := []struct {
		name          string
		parent        string
		state         []string
		plain         bool
		ratio         float64
		ignoreParents bool
		joins, links  bool
		sampled, keep bool
	}{
		{name: "no context", ratio: 1, sampled: true},
		{name: "malformed", parent: "00-" + strings.Repeat("0", 52), ratio: 1, sampled: true},
		{name: "ours, sampled", parent: sampledParent, state: []string{"troupe=1"}, joins: true, sampled: true},
		{name: "ours, not sampled: honoured", parent: unsampledParent, state: []string{"a=b", "c=d, troupe=1"}, ratio: 1, joins: true},
		{name: "ours, but we decide by the id", parent: unsampledParent, state: []string{"troupe=1"}, ratio: 1, ignoreParents: true, joins: true, keep: true},
		{name: "ours, and we decide against it", parent: sampledParent, state: []string{"troupe=1"}, ignoreParents: true, joins: true},
		{name: "a Rust peer: flag 00 is no decision", parent: unsampledParent, ratio: 1, links: true, sampled: true},
		{name: "somebody else's state", parent: sampledParent, state: []string{"troupe=2,xtroupe=1"}, links: true},
		{name: "without mTLS nothing is believed", parent: sampledParent, state: []string{"troupe=1"}, plain: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, nodeOptions{ratio: tt.ratio, provider: ProviderOptions{IgnoreParents: tt.ignoreParents}})
			r := inboundRecord()
			n.StartStream(r)
			own := r.TraceID
			n.Join(r, tt.parent, tt.state, !tt.plain)
			if joined := !r.ParentID.IsZero(); joined != tt.joins || joined == (r.TraceID == own) {
				t.Errorf("parent %s, trace %s (own %s)", r.ParentID, r.TraceID, own)
			}
			if links := !r.RemoteTraceID.IsZero(); links != tt.links {
				t.Errorf("remote trace %s", r.RemoteTraceID)
			}
			if r.Sampled != tt.sampled || r.Keep != tt.keep {
				t.Errorf("sampled %v, keep %v; want %v, %v", r.Sampled, r.Keep, tt.sampled, tt.keep)
			}
		})
	}
}

func TestOutgoing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ratio float64
		off   bool
		flag  string
		state string
	}{
		{"sampled", 1, false, "-01", "troupe=1"},
		{"not sampled", 0, false, "-00", "troupe=1"},
		{"off: nobody exports the parent, so it is not marked", 1, true, "-00", ""},
	} {
		n := newNode(t, nodeOptions{ratio: tt.ratio, off: tt.off})
		r := outboundRecord()
		n.Start(r)
		parent, state := n.Outgoing(r)
		if want := "00-" + r.TraceID.String() + "-" + r.ConnectID.String() + tt.flag; parent != want || state != tt.state {
			t.Errorf("%s: %q, %q; want %q, %q", tt.name, parent, state, want, tt.state)
		}
		n.socketEnded(r)
	}
}

func TestAPeerCanNotForceEverythingToBeSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nodeOptions{})
		forced := func(identity messages.Identity) (sampled int) {
			for range 10 * forcedPerSec {
				r := inboundRecord()
				r.SrcIdentity = identity
				n.StartStream(r)
				n.Join(r, sampledParent, []string{"troupe=1"}, true)
				if r.Sampled {
					sampled++
				}
			}
			return sampled
		}
		if got := forced(cartIdentity); got != forcedPerSec {
			t.Errorf("%d sampled at once, want %d", got, forcedPerSec)
		}
		if got := forced(payIdentity); got != forcedPerSec {
			t.Errorf("another peer has %d sampled, want %d", got, forcedPerSec)
		}
		if got := n.metrics.forcedCut.Value(); got != 18*forcedPerSec {
			t.Errorf("%d counted as cut, want %d", got, 18*forcedPerSec)
		}
		pass(time.Second)
		if got := forced(cartIdentity); got != forcedPerSec {
			t.Errorf("%d sampled a second later, want %d", got, forcedPerSec)
		}
	})
}

func TestWithTracingOffTheLogStillFollowsAConnection(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	r := inboundRecord()
	n.StartStream(r)
	n.Join(r, sampledParent, []string{"troupe=1"}, true)
	if got := r.TraceID.String(); got != sampledParent[3:35] || !r.ParentID.IsZero() || r.Sampled {
		t.Errorf("trace %s, parent %s, sampled %v", got, r.ParentID, r.Sampled)
	}
}
