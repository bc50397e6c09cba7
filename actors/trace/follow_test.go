package trace

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
)

// establish starts a connection and follows it.
func establish(n *testNode) (*messages.Record, *Series, *relay.Counters) {
	r, c := outboundRecord(), &relay.Counters{}
	n.Start(r)
	s := n.Opened(r)
	r.Begin(messages.SpanOutbound, messages.NoSpan)
	n.SetupEnded(r)
	n.Follow(r, c)
	return r, s, c
}

func TestSegmentsDoubleUpToTheLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nodeOptions{ratio: 1})
		r, s, c := establish(n)
		began := time.Now()
		n.exported(t)
		var ends []time.Duration
		last := time.Duration(0)
		var previous [8]byte
		fresh := 0
		for range 7 {
			c.AddReceived(10)
			pass(15*time.Minute + time.Second) // so that no segment is due just now
			for _, span := range n.exported(t) {
				end := span.EndTime().Sub(began)
				ends = append(ends, end-last)
				if span.StartTime().Sub(began) != last {
					t.Errorf("a segment starts at %v, the one before ended at %v", span.StartTime().Sub(began), last)
				}
				last = end
				links := span.Links()
				if previous != [8]byte{} && (len(links) == 0 || links[len(links)-1].SpanContext.SpanID() != previous) {
					t.Errorf("segment until %v does not link to the one before", end)
				}
				previous = span.SpanContext().SpanID()
				if own := span.SpanContext().TraceID() != [16]byte(r.TraceID); own != (end >= time.Hour) || own == span.Parent().IsValid() {
					t.Errorf("segment until %v: a trace of its own is %v", end, own)
				} else if own {
					fresh++
				}
			}
		}
		want := []int{1, 2, 4, 8, 15, 15, 15, 15, 15, 15}
		for i, d := range ends {
			if i >= len(want) || d.Minutes() != float64(want[i]) {
				t.Fatalf("segments last %v, want %v minutes", ends, want)
			}
		}
		if len(ends) != len(want) || fresh == 0 {
			t.Errorf("segments last %v, %d in traces of their own", ends, fresh)
		}
		n.Closed(r, s, c)
		pass(time.Hour)
		spans := n.exported(t)
		if len(spans) != 1 || spans[0].Name() != "tunnel.close" || spans[0].Parent().IsValid() {
			t.Errorf("after the end of an old connection: %v", spans)
		}
	})
}

func TestOnlyKeptConnectionsAreFollowedUpToABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nodeOptions{ratio: 1, telemetry: Options{MaxFollows: 2}})
		for range 5 {
			r, s, c := establish(n)
			defer n.Closed(r, s, c)
		}
		unsampled := newNode(t, nodeOptions{ratio: 0})
		r, s, c := establish(unsampled)
		defer unsampled.Closed(r, s, c)
		if got := len(n.follows.open); got != 2 || n.metrics.followsCut.Value() != 3 || len(unsampled.follows.open) != 0 {
			t.Errorf("%d followed, %d cut; want 2 and 3; %d unsampled, want none", got, n.metrics.followsCut.Value(), len(unsampled.follows.open))
		}
	})
}

func TestFollowingEndsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nodeOptions{ratio: 1})
		type open struct {
			r *messages.Record
			s *Series
			c *relay.Counters
		}
		var all []open
		for range 50 {
			r, s, c := establish(n)
			all = append(all, open{r, s, c})
			pass(time.Second)
		}
		for i := 0; i < len(all); i += 2 {
			n.Closed(all[i].r, all[i].s, all[i].c)
		}
		n.exported(t)
		pass(time.Minute)
		if got := len(n.exported(t)); got != 25 || len(n.follows.due) != 25 {
			t.Errorf("%d segments, %d still followed; want 25 of each", got, len(n.follows.due))
		}
		for i := 1; i < len(all); i += 2 {
			n.Closed(all[i].r, all[i].s, all[i].c)
		}
		if len(n.follows.open)+len(n.follows.due) != 0 {
			t.Errorf("%d connections are still followed", len(n.follows.open))
		}
	})
}
