package controlplane

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/istiod"
	"github.com/troupe-mesh/troupe/e2e/product"
	"github.com/troupe-mesh/troupe/transport/wire/security"
)

// pushEvery is how often policies are pushed: istiod collects changes for as long before it pushes them.
const pushEvery = 100 * time.Millisecond

// pushed is a policy that changes with every push, and denies nobody who is there.
func pushed(name string, port uint32) *security.Authorization {
	return &security.Authorization{
		Name: name, Namespace: "default", Scope: security.Scope_NAMESPACE, Action: security.Action_DENY,
		Rules: []*security.Rule{{Clauses: []*security.Clause{{Matches: []*security.Match{{DestinationPorts: []uint32{port}}}}}}},
	}
}

// TestPolicyPush holds many connections open and measures how long new ones take to be set up: before policies are pushed,
// while they are, and afterwards, several times over. A review of what is open must not hold up what is new. In ordinary
// runs it is small and measures nothing: that nothing fails meanwhile, and that all is closed at last, is left to be seen.
func TestPolicyPush(t *testing.T) {
	open, samples, rounds, full := 200, 20, 1, os.Getenv("TROUPE_PUSH") == "full"
	if full {
		open, samples, rounds = 10_000, 500, 5
	}
	w := newWorld(t, istiod.Script{})
	w.push()
	w.client.proxy.WaitReady()
	w.server.proxy.WaitReady()
	via := agent.Via{Target: vip + ":80", SOCKS: socks}
	w.eventually("traffic passes", func() (ok bool) { c, ok := w.open(); c.Close(); return ok })
	if held := w.client.app.Hold(agent.Many{Via: via, Connections: open, Payload: "x"}); held.Opened != open {
		t.Fatalf("opened %+v, want %d", held, open)
	}
	probe := func() []time.Duration {
		return w.client.app.Probe(agent.Probe{Via: via, Times: samples, Payload: "x"})
	}
	probe() // warms up
	var before, during, after phase
	pushes := 0
	for range rounds {
		before.took = append(before.took, probe()...)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			tick := time.NewTicker(pushEvery)
			defer tick.Stop()
			for {
				pushes++
				w.istiod.World.Change(func(c *istiod.Change) {
					for i := range 10 {
						c.Policy(pushed(fmt.Sprintf("p%d", i), uint32(10_000+pushes%100)))
					}
				})
				select {
				case <-stop:
					return
				case <-tick.C:
				}
			}
		}()
		during.took = append(during.took, probe()...)
		close(stop)
		<-stopped
		after.took = append(after.took, probe()...)
	}
	t.Logf("%d open, %d pushes of 10 policies every %v: p99 of the set-up %v before, %v during (%.2fx), %v after (%.2fx); p50 %v, %v, %v",
		open, pushes, pushEvery, before.at(99), during.at(99), during.over(before), after.at(99), after.over(before),
		before.at(50), during.at(50), after.at(50))
	if full && (during.over(before) > 2 || after.over(before) > 2) {
		t.Error("the 99th percentile has more than doubled")
	}
	w.server.proxy.ExpectSum(product.ConnectionsFailed, nil, 0)

	began := time.Now()
	w.istiod.World.Change(func(c *istiod.Change) { c.Policy(deny()) })
	w.server.proxy.ExpectSum(product.ConnectionsFailed, product.Labels{"response_flags": "DENY"}, float64(open))
	t.Logf("all closed by a policy within %v", time.Since(began))
	if held := w.client.app.LetGo(); held.Answered != 0 {
		t.Errorf("%d connections outlive the policy that denies them", held.Answered)
	}
}

// phase is how long set-ups took.
type phase struct{ took []time.Duration }

// at is a percentile.
func (p *phase) at(percent int) time.Duration {
	slices.Sort(p.took)
	return p.took[len(p.took)*percent/100]
}

// over is how many times as long as in the other phase the slowest took.
func (p *phase) over(other phase) float64 { return float64(p.at(99)) / float64(other.at(99)) }
