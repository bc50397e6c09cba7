package sim_test

import (
	"fmt"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/sim"
)

// A seed tells everything: each of some lives goes the same way every time, in the order of its messages and in its
// access logs.
func TestReplay(t *testing.T) {
	lives, times := 20, replays
	if testing.Short() {
		lives, times = 10, 3
	}
	for seed := range uint64(lives) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			one := sim.Run(t, seed)
			if len(one.History.Events()) < 100 {
				t.Fatalf("only %d deliveries", len(one.History.Events()))
			}
			for range times - 1 {
				if d := one.Differ(sim.Run(t, seed)); d != "" {
					t.Fatal(d)
				}
			}
		})
	}
	if sim.Run(t, 1).Differ(sim.Run(t, 2)) == "" {
		t.Error("two seeds make the same life")
	}
}
