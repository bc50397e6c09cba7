package oracle

import (
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupe-mesh/troupe/messages"
)

// queries is how many questions are asked altogether in each direction: a few thousand, or TROUPE_ORACLE.
func queries(t *testing.T) int {
	t.Helper()
	text := os.Getenv("TROUPE_ORACLE")
	if text == "" {
		if testing.Short() {
			return 1500
		}
		return 8000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("TROUPE_ORACLE=%q: want a number of queries", text)
	}
	return n
}

const (
	batches  = 8  // of one world
	asked    = 5  // questions after each batch
	patience = 20 // draws for an answer that is only to be among the possible ones
	frequent = 0.05
	enough   = 800   // draws after which an answer with that probability has come: not in 1 of 10^17 cases
	measured = 4000  // draws for which frequencies are compared
	all      = 50000 // queries among which every kind of answer is
)

// worlds runs a property on as many generated worlds as the number of queries takes.
func worlds(t *testing.T, property func(t *rapid.T)) {
	t.Helper()
	set(t, "rapid.checks", strconv.Itoa(max(1, queries(t)/(batches*asked))))
	set(t, "rapid.nofailfile", "true")
	rapid.Check(t, property)
}

// set gives one of rapid's flags a value for the length of a test.
func set(t *testing.T, name, value string) {
	t.Helper()
	f := flag.Lookup(name)
	before := f.Value.String()
	if err := f.Value.Set(value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Value.Set(before); err != nil {
			t.Error(err)
		}
	})
}

// inWorlds builds worlds by batches in the stores and in the oracle, and asks after each of them.
func inWorlds(t *testing.T, question func(t *rapid.T, m *maker, w *World, h *house, ourNetwork string)) {
	worlds(t, func(t *rapid.T) {
		m := newMaker(t)
		w := &World{Names: m.dns()}
		h := newHouse(t.Fatalf, rapid.Uint64().Draw(t, "seed"), w.Names)
		defer h.close()
		h.deliver(h.Services, &messages.UpdateServices{})
		h.deliver(h.Workloads, &messages.UpdateWorkloads{})
		ourNetwork := pick(m, []string{"", "", "east"})
		for batch := range batches {
			size := 3
			if batch < 2 {
				size = 24 // fills the world, in one order or the other
			}
			if m.chance(2) {
				u := m.workloadUpdate(w, size)
				w.UpdateWorkloads(u)
				h.deliver(h.Workloads, u)
			}
			if m.chance(2) || len(w.Services) == 0 {
				u := m.serviceUpdate(w, size)
				w.UpdateServices(u)
				h.deliver(h.Services, u)
			}
			if len(w.Workloads) == 0 {
				u := &messages.UpdateWorkloads{Set: []messages.WorkloadUpdate{m.workload(pick(m, uids))}}
				w.UpdateWorkloads(u)
				h.deliver(h.Workloads, u)
			}
			for range asked {
				question(t, m, w, h, ourNetwork)
			}
		}
	})
}

// agree holds what is answered, again and again, against what may be answered.
func agree[T any](t *rapid.T, m *maker, w *World, question any, may []Draw[T], describe func(T) string, answer func() T) {
	want := map[string]float64{}
	loose := false
	for _, d := range may {
		want[describe(d.Value)] += d.P
		loose = loose || d.Loose
	}
	draws, weigh := 1, false
	if len(want) > 1 {
		switch draws = patience; {
		case loose:
		case m.chance(60):
			draws, weigh = measured, true
		case m.chance(4):
			draws = enough
		}
	}
	seen := map[string]int{}
	missing := func() bool {
		for text, p := range want {
			if p >= frequent && seen[text] == 0 {
				return true
			}
		}
		return false
	}
	for n := range draws {
		got := describe(answer())
		if seen[got]++; want[got] == 0 {
			t.Fatalf("%s\nanswered  %s\nwant one of %s\nin %s", describeQuestion(question), got, keys(want), describeWorld(w))
		}
		if !weigh && n >= patience && !missing() {
			return
		}
	}
	if draws < enough {
		return
	}
	if missing() {
		t.Fatalf("%s\n%d times answered only %v\nwant each of %s\nin %s", describeQuestion(question), draws, seen, keys(want), describeWorld(w))
	}
	for text, p := range want {
		n := float64(draws)
		if off := math.Abs(float64(seen[text]) - n*p); weigh && off > 7*math.Sqrt(n*p*(1-p))+10 {
			t.Fatalf("%s\n%d of %d times answered %s\nwant %.3f of all\nin %s", describeQuestion(question), seen[text], draws, text, p, describeWorld(w))
		}
	}
}

func keys(want map[string]float64) string {
	var all []string
	for text, p := range want {
		all = append(all, fmt.Sprintf("\n    %.3f %s", p, text))
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// tally counts the kinds of answers, to show that none was left out.
type tally struct {
	sync.Mutex
	kinds map[string]int
}

func (c *tally) count(kind string) {
	c.Lock()
	defer c.Unlock()
	if c.kinds == nil {
		c.kinds = map[string]int{}
	}
	c.kinds[kind]++
}

func (c *tally) need(t *testing.T, kinds ...string) {
	t.Helper()
	if queries(t) < all {
		return // too few worlds to have met everything
	}
	for _, kind := range kinds {
		if c.kinds[kind] == 0 {
			t.Errorf("no answer of the kind %q: the worlds are too poor; %v", kind, c.kinds)
		}
	}
}
