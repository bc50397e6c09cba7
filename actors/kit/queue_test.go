package kit

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func read(f *fifo) (all []any) {
	for l := f.pop(); l != nil; l = f.pop() {
		all = append(all, l.msg)
	}
	return all
}

// The queue hands out what it took in, in order and sorted by kind, whatever the order of pushes and takes.
func TestQueueKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var systems, users fifo
		var wantSystems, wantUsers []any
		serving := true
		for n := range rapid.IntRange(0, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				system := rapid.Bool().Draw(t, "system")
				was := q.push(&letter{msg: n, system: system})
				if (was == &idle) == serving {
					t.Fatalf("push returned idle=%v while serving=%v", was == &idle, serving)
				}
				serving = true
				if system {
					wantSystems = append(wantSystems, n)
				} else {
					wantUsers = append(wantUsers, n)
				}
			case 2:
				if serving {
					q.take(&systems, &users)
				} else {
					serving = q.claim()
				}
			case 3:
				empty := q.head.Load() == nil
				if serving {
					if q.rest() != empty {
						t.Fatal("rests though something came, or does not though nothing did")
					}
					serving = !empty
				}
			}
		}
		q.close(&systems, &users)
		if q.push(&letter{}) != &closed || q.claim() {
			t.Fatal("takes letters after its end")
		}
		if got, want := fmt.Sprint(read(&systems), read(&users)), fmt.Sprint(wantSystems, wantUsers); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}
