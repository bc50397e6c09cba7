package sim

import (
	"math/rand/v2"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// The naive model and the product say the same of many policies, and both say yes and no.
func TestModelOfPolicyAgreesWithTheProduct(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	said := map[bool]int{}
	for range 20_000 {
		policies, listed := map[string]*policy{}, []string{"ns/p1", "ns/p3"}
		var apply []*messages.Authorization
		for range r.IntN(5) {
			p := drawPolicy(r)
			policies[p.key] = p
		}
		for _, p := range policies {
			if p.appliesTo(listed) {
				apply = append(apply, p.message())
			}
		}
		who, port := pick(r, []string{"a", "b", "c", ""}), pick(r, []uint16{portEcho, portBanner, portSource, portSlow})
		c := &messages.Connection{}
		c.Dst = mustAddrPort(addresses["b"], port)
		if who != "" {
			c.SrcIdentity = bubble.Identity(who)
		}
		naive := allows(policies, listed, who, port)
		said[naive]++
		if got := messages.Evaluate(apply, c).Allowed; got != naive {
			t.Fatalf("%q to %d: the product says %v, the model %v: %+v", who, port, got, naive, policies)
		}
	}
	if said[true] < 1000 || said[false] < 1000 {
		t.Errorf("said %v", said)
	}
}
