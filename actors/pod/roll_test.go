package pod

import (
	"fmt"
	"slices"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"pgregory.net/rapid"
)

// names are those of connections, in order.
func names(all []*registered) []string {
	var n []string
	for _, r := range all {
		n = append(n, r.flow.Id)
	}
	return n
}

func connection(name string) *registered {
	return &registered{flow: &actor.PID{Id: name}}
}

func TestRoll(t *testing.T) {
	var l roll
	all := map[string]*registered{}
	enter := func(name string) {
		all[name] = connection(name)
		l.enter(all[name])
	}
	judge := func(taken []*registered, review uint64) {
		for _, r := range taken {
			l.judged(r, review)
		}
	}
	want := func(step string, got []*registered, due int, want ...string) {
		t.Helper()
		if !slices.Equal(names(got), want) || l.due != due {
			t.Errorf("%s: took %q with %d due, want %q with %d", step, names(got), l.due, want, due)
		}
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		enter(name)
	}
	want("before any review", l.take(9), 0)
	l.reviewAll()
	taken := l.take(2)
	want("a portion", taken, 4, "a", "b")
	judge(taken, l.review)
	enter("e")
	l.reviewAll()
	taken = l.take(3)
	want("a newer review goes on where the other was", taken, 5, "c", "d", "e")
	judge(taken, l.review-1)
	want("what the other judged is no news for it", l.take(2), 5, "a", "b")
	judge(taken, l.review)
	want("none twice", l.take(9), 2, "a", "b")
	l.reviewOne(all["d"])
	want("one goes first", l.take(1), 3, "d")
	l.leave(all["a"])
	want("who left is not asked", l.take(9), 2, "b", "d")
}

// TestRollAgainstModel compares a roll with a map of who is due, and wants every walk to come to everybody.
func TestRollAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l roll
		var open []*registered
		due := map[*registered]bool{}
		entered := 0
		some := func(t *rapid.T) *registered {
			if len(open) == 0 {
				t.Skip("nobody")
			}
			return rapid.SampledFrom(open).Draw(t, "who")
		}
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(*rapid.T) {
				r := connection(fmt.Sprint(entered))
				entered++
				l.enter(r)
				open = append(open, r)
			},
			"leave": func(t *rapid.T) {
				r := some(t)
				l.leave(r)
				open = slices.DeleteFunc(open, func(o *registered) bool { return o == r })
				delete(due, r)
			},
			"review all": func(*rapid.T) {
				l.reviewAll()
				for _, r := range open {
					due[r] = true
				}
			},
			"review one": func(t *rapid.T) {
				r := some(t)
				l.reviewOne(r)
				due[r] = true
				if got := l.take(1); len(got) != 1 || got[0] != r {
					t.Fatalf("took %q, want %s", names(got), r.flow.Id)
				}
			},
			"judge": func(t *rapid.T) {
				limit := rapid.IntRange(1, 5).Draw(t, "limit")
				taken := l.take(limit)
				if len(taken) != min(limit, len(due)) {
					t.Fatalf("took %d of %d that are due, at most %d", len(taken), len(due), limit)
				}
				for _, r := range taken {
					if !due[r] {
						t.Fatalf("%s is not due", r.flow.Id)
					}
					l.judged(r, l.review)
					delete(due, r)
				}
			},
			"": func(t *rapid.T) {
				forth, back := 0, 0
				for r := l.first; r != nil; r = r.after {
					forth++
				}
				for r := l.last; r != nil; r = r.before {
					back++
				}
				if forth != len(open) || back != len(open) || l.count != len(open) || l.due != len(due) {
					t.Fatalf("%d forth, %d back, %d counted, %d due; want %d open and %d due", forth, back, l.count, l.due, len(open), len(due))
				}
			},
		})
	})
}
