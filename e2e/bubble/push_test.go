package bubble_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/memnet"
)

// TestPolicyPush opens many connections and measures how long new ones take to be set up: before policies are pushed, while
// they are, and afterwards. No stall of the review may be seen in the 99th percentile. In ordinary runs it is small and
// measures nothing: that all of it works is left to be seen.
func TestPolicyPush(t *testing.T) {
	open, samples, full := 200, 100, os.Getenv("TROUPE_PUSH") == "full"
	if full {
		open, samples = 10_000, 4000
	}
	w := bubble.NewLive(t, two(), memnet.Options{})
	defer w.Close()
	server := w.StartWith("server", bubble.Options{Untraced: true})
	server.Echo("10.0.0.2:8080")
	for range open {
		c := w.DialFrom("legacy", "10.0.0.2:8080")
		c.Say("x")
		c.Hear("x")
		defer func() { _ = c.Close() }()
	}
	defer func() {
		if t.Failed() {
			lines := server.Access()
			t.Log(lines[max(0, len(lines)-5):])
		}
	}()
	setUp := func() time.Duration {
		began := time.Now()
		c := w.DialFrom("legacy", "10.0.0.2:8080")
		c.Say("x")
		c.Hear("x")
		took := time.Since(began)
		_ = c.Close()
		return took
	}
	percentile := func() time.Duration {
		var took []time.Duration
		for range samples {
			took = append(took, setUp())
		}
		slices.Sort(took)
		return took[len(took)*99/100]
	}
	percentile() // warms up
	before := percentile()
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		for pushes := 0; ; pushes++ {
			var set []*messages.Authorization
			for i := range 10 {
				set = append(set, bubble.Policy(fmt.Sprintf("p%d", i), messages.ActionDeny, bubble.Ports(uint16(10_000+pushes%100))))
			}
			server.System.Send(server.Stores().Policies, &messages.UpdatePolicies{Set: set})
			select {
			case <-stop:
				stopped <- pushes
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	during := percentile()
	close(stop)
	pushes := <-stopped
	after := percentile()
	server.WantFlag("DENY", 0)
	deny := messages.UpdatePolicies{Set: []*messages.Authorization{bubble.Policy("all", messages.ActionDeny, bubble.Ports(8080))}}
	began := time.Now()
	server.UpdatePolicies(deny)
	for server.Counts().Sockets > 0 {
		if time.Since(began) > time.Minute {
			t.Fatalf("%d connections outlive the policy that denies them", server.Counts().Sockets)
		}
		w.Settle()
	}
	t.Logf("%d open, %d pushes: p99 of the set-up %v before, %v during (%.2fx), %v after (%.2fx); all closed by a policy within %v",
		open, pushes, before, during, float64(during)/float64(before), after, float64(after)/float64(before), time.Since(began))
	if full && (during > 2*before || after > 2*before) {
		t.Error("the 99th percentile has more than doubled")
	}
}
