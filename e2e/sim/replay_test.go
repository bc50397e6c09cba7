package sim_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/sim"
)

// replays is how often whole lives are played; 50 makes minutes of it.
var replays = flag.Int("replays", 3, "how often TestReplayWholeLives plays each life")

// lives is how many seeds are played again.
func lives() uint64 {
	if testing.Short() || raceDetector {
		return 5
	}
	return 20
}

// A seed tells everything: each of some lives goes the same way every time, in the order of its messages and in its
// access logs.
func TestReplay(t *testing.T) {
	times := 50
	if testing.Short() || raceDetector {
		times = 5
	}
	for seed := range lives() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { replay(t, seed, times, sim.RunBriefly) })
	}
	if sim.RunBriefly(t, 1).Differ(sim.RunBriefly(t, 2)) == "" {
		t.Error("two seeds make the same life")
	}
}

// So do lives in their full length; task replay plays each of them fifty times.
func TestReplayWholeLives(t *testing.T) {
	for seed := range lives() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { replay(t, seed, *replays, sim.Run) })
	}
}

func replay(t *testing.T, seed uint64, times int, run func(*testing.T, uint64) *sim.Life) {
	t.Helper()
	one := run(t, seed)
	if len(one.History.Events()) < 100 {
		t.Fatalf("only %d deliveries", len(one.History.Events()))
	}
	for range times - 1 {
		if d := one.Differ(run(t, seed)); d != "" {
			t.Fatal(d)
		}
	}
}
