package kit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// meddling is a fault hook made of functions; nil ones do nothing.
type meddling struct {
	post     func(to Target, msg any, deliver func(any))
	handling func(to Target, msg any)
}

func (m meddling) Post(to Target, msg any, deliver func(any)) {
	if m.post == nil {
		deliver(msg)
		return
	}
	m.post(to, msg, deliver)
}

func (m meddling) Handling(to Target, msg any) {
	if m.handling != nil {
		m.handling(to, msg)
	}
}

func TestFaultsOnTheWay(t *testing.T) {
	var held []func()
	tests := map[string]struct {
		post func(to Target, msg any, deliver func(any))
		want []string
	}{
		"nothing": {nil, []string{"a", "b", "asked", "reply"}},
		"drop":    {func(_ Target, msg any, _ func(any)) { Undeliver(msg) }, nil},
		"duplicate": {func(_ Target, msg any, deliver func(any)) { deliver(msg); deliver(msg) }, []string{
			"a", "a", "b", "b", "asked", "reply", "reply", "asked", "reply", "reply",
		}},
		"replace": {func(_ Target, _ any, deliver func(any)) { deliver("c") }, []string{"c", "c", "c"}},
		"delay": {func(_ Target, msg any, deliver func(any)) {
			time.AfterFunc(time.Second, func() { deliver(msg) })
		}, []string{"a", "b", "asked", "reply"}},
		"hold": {func(_ Target, msg any, deliver func(any)) { held = append(held, func() { deliver(msg) }) }, nil},
		"lose replies": {func(_ Target, msg any, deliver func(any)) {
			if msg != "reply" {
				deliver(msg)
			}
		}, []string{"a", "b", "asked"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{Faults: meddling{post: tt.post}}, func(t *testing.T, s *System, _ *journal) {
				heard := new(diary)
				pid := spawnRoot(t, s, Spec{Run: CallerRuns(), New: actorOf(func(ctx actor.Context) {
					switch m := ctx.Message().(type) {
					case string:
						heard.add(m)
						if m == "asked" {
							ctx.Respond("reply")
						}
					}
				})}, "target")
				s.Send(pid, "a")
				pass(time.Millisecond)
				s.Send(pid, "b")
				pass(time.Millisecond)
				s.actors.Root.RequestWithCustomSender(pid, "asked", pid)
				pass(time.Minute)
				synctest.Wait()
				if got := heard.all(); !slices.Equal(got, tt.want) {
					t.Errorf("got %q", got)
				}
			})
		})
	}
	if len(held) != 3 {
		t.Errorf("held %d", len(held))
	}
}

func TestFaultsInTheHandler(t *testing.T) {
	hook := meddling{handling: func(to Target, msg any) {
		if to.Role == "test" && to.PID.Id == "target" && msg == "b" {
			panic("injected")
		}
	}}
	bubble(t, Config{Faults: hook}, func(t *testing.T, s *System, j *journal) {
		heard := new(diary)
		pid := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			if m, ok := ctx.Message().(string); ok {
				heard.add(m)
			}
		})}, "target")
		for _, m := range []string{"a", "b", "c"} {
			s.Send(pid, m)
		}
		expect(t, heard, "a", "c")
		if events := of[Restarted](j); len(events) != 1 || events[0].Failure.Value != "injected" {
			t.Errorf("events %+v", events)
		}
	})
}

// shuffling holds every delivery until it is picked by seed.
type shuffling struct {
	mu      sync.Mutex
	pending []Delivery
}

func (sh *shuffling) Post(d Delivery) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.pending = append(sh.pending, d)
}

// step delivers one, chosen by r among the first pending one of each target, and reports whether there was any.
func (sh *shuffling) step(r *rand.Rand) bool {
	synctest.Wait()
	sh.mu.Lock()
	first := make(map[string]int)
	for i, d := range sh.pending {
		if _, ok := first[d.To.PID.Id]; !ok {
			first[d.To.PID.Id] = i
		}
	}
	var ids []string
	for id := range first {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		sh.mu.Unlock()
		return false
	}
	slices.Sort(ids)
	i := first[ids[r.IntN(len(ids))]]
	d := sh.pending[i]
	sh.pending = slices.Delete(sh.pending, i, i+1)
	sh.mu.Unlock()
	d.Deliver()
	return true
}

// scheduled runs three actors that pass ten numbers on to each other, in the order that a seed chooses.
func scheduled(t *testing.T, seed uint64) (order []string) {
	synctest.Test(t, func(t *testing.T) {
		sh, heard := &shuffling{}, new(diary)
		s := NewSystem(Config{Scheduler: sh})
		r := rand.New(rand.NewPCG(seed, 0))
		var pids []*actor.PID
		for i, name := range []string{"a", "b", "c"} {
			pids = append(pids, spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
				if n, ok := ctx.Message().(int); ok {
					heard.add(fmt.Sprint(name, n))
					if n > 0 {
						ctx.Send(pids[(i+n)%3], n-1)
					}
				}
			})}, name))
		}
		for _, pid := range pids {
			s.Send(pid, 10)
		}
		for sh.step(r) {
		}
		done := make(chan error)
		go func() { done <- s.Shutdown(t.Context()) }()
		for sh.step(r) {
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		order = heard.all()
	})
	return order
}

func TestSchedulerDecidesTheOrder(t *testing.T) {
	first := scheduled(t, 1)
	if len(first) != 33 {
		t.Fatalf("%d messages", len(first))
	}
	for range 10 {
		if again := scheduled(t, 1); !slices.Equal(first, again) {
			t.Fatalf("same seed, another order:\n%v\n%v", first, again)
		}
	}
	if other := scheduled(t, 2); slices.Equal(first, other) {
		t.Error("another seed, same order")
	}
}
