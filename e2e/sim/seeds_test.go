package sim_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/sim"
)

var (
	seeds = flag.Int("seeds", 20, "how many lives to play")
	first = flag.Uint64("seed", 1, "the seed of the first")
	tell  = flag.Bool("history", false, "list every delivery and the access logs")
)

// Whatever a seed makes up, what must hold holds.
func TestSeeds(t *testing.T) {
	calls, went, faults, deliveries := 0, 0, 0, 0
	ends := map[string]int{}
	for seed := *first; seed < *first+uint64(*seeds); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			life := sim.Run(t, seed)
			if *tell {
				list(t, life)
			}
			if len(life.Problems) > 0 {
				t.Error(life.Complain())
			}
			calls, went, faults = calls+life.Calls, went+life.Went, faults+life.Faults
			for end, n := range life.Ends {
				ends[end] += n
			}
			deliveries += len(life.History.Events())
		})
	}
	t.Logf("%d lives: %d calls, %d of which went well, %d faults, %d deliveries", *seeds, calls, went, faults, deliveries)
	for _, end := range slices.Sorted(maps.Keys(ends)) {
		t.Logf("%6d ended with %q", ends[end], end)
	}
	if calls == 0 || went == 0 {
		t.Error("nothing happened")
	}
}

func list(t *testing.T, life *sim.Life) {
	for _, line := range life.Script {
		t.Log(line)
	}
	for i, e := range life.History.Events() {
		t.Log(i, e)
	}
	for _, node := range slices.Sorted(maps.Keys(life.Access)) {
		for _, line := range life.Access[node] {
			t.Log(node, line)
		}
	}
}
