package trace

import (
	"strings"
	"testing"
)

func TestWatchedFamiliesAreReadAtEveryScrape(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	reads := uint64(0)
	n.Watch(
		Watched{Name: "troupe_doors", Help: "The total number of doors", Counter: true, Label: "colour", Read: func(tell func(string, uint64)) {
			reads++
			tell("red", reads)
			tell("blue", 7)
		}},
		Watched{Name: "troupe_rooms", Help: "The current number of rooms", Read: func(tell func(string, uint64)) { tell("ignored", 3) }},
		Watched{Name: "troupe_nothing", Help: "The current number of nothing", Read: func(func(string, uint64)) {}},
	)
	first := n.exposition(t)
	for _, want := range []string{
		"# HELP troupe_doors The total number of doors (unstable).\n# TYPE troupe_doors counter\n" +
			"troupe_doors_total{colour=\"red\"} 1\ntroupe_doors_total{colour=\"blue\"} 7\n",
		"# HELP troupe_rooms The current number of rooms (unstable).\n# TYPE troupe_rooms gauge\ntroupe_rooms 3\n",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("the metrics lack\n%s", want)
		}
	}
	if strings.Contains(first, "troupe_nothing") {
		t.Error("a family without values has a head")
	}
	if !strings.Contains(n.exposition(t), `troupe_doors_total{colour="red"} 2`) {
		t.Error("the second scrape was not told the values anew")
	}
}
