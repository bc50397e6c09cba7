package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// word is the n-th message of one actor to another, at a depth of a conversation.
type word struct{ from, to, n, depth int }

// chat lets some actors talk to each other, and returns what they heard, in order.
func chat(t *testing.T, seed uint64) (heard []word, history *History) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := NewDirector(seed)
		s := kit.NewSystem(kit.Config{Scheduler: d.Of("node")})
		var pids []*actor.PID
		for i := range 4 {
			var sent [4]int
			pid, err := s.SpawnRoot(kit.Spec{Role: "talker", Capacity: 64, New: func() actor.Actor {
				return actor.ReceiveFunc(func(ctx actor.Context) {
					w, ok := ctx.Message().(word)
					if !ok {
						return
					}
					heard = append(heard, w)
					for _, to := range []int{(i + 1) % 4, (i + 1) % 4, (i + 2) % 4} {
						if w.depth < 2 {
							sent[to]++
							ctx.Send(pids[to], word{i, to, sent[to], w.depth + 1})
						}
					}
				})
			}}, fmt.Sprint("talker", i))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			for i, pid := range pids {
				s.Send(pid, word{-1, i, 1, 0})
			}
			<-time.After(time.Second)
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		d.Drive(over)
		history = d.history
	})
	return heard, history
}

func TestASeedOrdersTheMessages(t *testing.T) {
	first, history := chat(t, 1)
	if len(first) != 4+12+36 {
		t.Fatalf("%d messages", len(first))
	}
	orders := map[string]bool{}
	for seed := range uint64(10) {
		heard, _ := chat(t, seed)
		orders[fmt.Sprint(heard)] = true
	}
	if len(orders) != 10 {
		t.Errorf("10 seeds make %d orders", len(orders))
	}
	for range 20 {
		again, h := chat(t, 1)
		if !slices.Equal(first, again) || history.Differ(h) != "" {
			t.Fatalf("the same seed: %v and %v", first, again)
		}
	}
}

// What one actor sends another arrives in the order in which it was sent.
func TestMessagesDoNotOvertake(t *testing.T) {
	for seed := range uint64(50) {
		heard, _ := chat(t, seed)
		last := map[[2]int]int{}
		for _, w := range heard {
			pair := [2]int{w.from, w.to}
			if w.n != last[pair]+1 {
				t.Fatalf("seed %d: message %d from %d to %d came after %d", seed, w.n, w.from, w.to, last[pair])
			}
			last[pair] = w.n
		}
	}
}

func TestDiagramShowsTheLastDeliveries(t *testing.T) {
	h := &History{}
	for i := range 5 {
		h.add(Event{At: time.Duration(i/2) * time.Second, From: outside, To: fmt.Sprint("a/actor", i%2), Message: fmt.Sprint("m", i)})
	}
	want := `sequenceDiagram
  participant p0 as outside
  participant p1 as a/actor0
  participant p2 as a/actor1
  Note over p0: +1s
  p0->>p1: m2
  p0->>p2: m3
  Note over p0: +2s
  p0->>p1: m4
`
	if got := h.Diagram(3); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestHistoriesThatDiffer(t *testing.T) {
	make := func(names ...string) *History {
		h := &History{}
		for _, n := range names {
			h.add(Event{From: outside, To: n, Message: "m"})
		}
		return h
	}
	h := make("x", "y")
	for _, c := range []struct {
		other *History
		want  string
	}{
		{make("x", "y"), ""}, {make("x", "z"), "delivery 1 is"}, {make("x"), "1 deliveries, and were 2"},
	} {
		if got := h.Differ(c.other); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
