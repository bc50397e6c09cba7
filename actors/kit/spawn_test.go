package kit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

func TestTakenNameMakesNothing(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		made := 0
		spec := Spec{Role: "child", Capacity: 1, Run: CallerRuns(), New: func() actor.Actor {
			made++
			return behave(func(actor.Context) {})
		}}
		spawnRoot(t, s, spec, "taken")
		if _, err := s.SpawnRoot(spec, "taken"); !errors.Is(err, actor.ErrNameExists) || err.Error() != `spawn root actor "taken": spawn: name exists` {
			t.Errorf("got %v", err)
		}
		spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Started); !ok {
				return
			}
			props := s.Props(spec)
			if _, err := SpawnNamed(ctx, props, "child"); err != nil {
				t.Error(err)
			}
			if _, err := SpawnNamed(ctx, props, "child"); !errors.Is(err, actor.ErrNameExists) {
				t.Errorf("got %v", err)
			}
			if n := len(ctx.Children()); n != 1 {
				t.Errorf("%d children", n)
			}
		})}, "parent")
		synctest.Wait()
		if made != 2 || s.Stats().Role("child").Live != 2 {
			t.Errorf("made %d, live %d", made, s.Stats().Role("child").Live)
		}
	})
}

// Props that spawn many actors give each its own mailbox and state, and do not grow.
func TestPropsServeManyActors(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		heard := new(diary)
		props := s.Props(Spec{Role: "child", Capacity: 1, New: func() actor.Actor {
			n := 0
			return behave(func(ctx actor.Context) {
				switch m := ctx.Message().(type) {
				case string:
					n++
					heard.add(fmt.Sprint(ctx.Self().Id, " ", n))
				case error:
					panic(m)
				}
			})
		}})
		var pids []*actor.PID
		spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Started); ok {
				for range 50 {
					pids = append(pids, Spawn(ctx, props, "child"))
				}
			}
		})}, "parent")
		synctest.Wait()
		for _, pid := range pids {
			s.Send(pid, errBroken)
			synctest.Wait()
			s.Send(pid, "hello")
			synctest.Wait()
		}
		all := heard.all()
		if len(all) != 50 {
			t.Fatalf("%d messages", len(all))
		}
		for i, h := range all {
			if h != pids[i].Id+" 1" || !strings.HasPrefix(h, "parent/child/") {
				t.Errorf("got %q from %s", h, pids[i].Id)
			}
		}
		if st := s.Stats().Role("child"); st.Live != 50 || st.Restarts != 50 {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestSpecMustBeComplete(t *testing.T) {
	s := NewSystem(Config{})
	make := actorOf(func(actor.Context) {})
	for _, spec := range []Spec{{}, {Role: "x", Capacity: 1}, {Role: "x", New: make}, {New: make, Capacity: 1}, {Role: "x", New: make, Capacity: -1}} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "kit: Spec.") {
					t.Errorf("%+v: %v", spec, r)
				}
			}()
			s.Props(spec)
		}()
	}
}

func TestActorsOfOthersAreToldApart(t *testing.T) {
	s := NewSystem(Config{})
	caught := make(chan any, 1)
	s.actors.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*actor.Started); ok {
			defer func() { caught <- recover() }()
			SystemOf(ctx)
		}
	}))
	if r := <-caught; r != "kit: the actor was not spawned through the kit" {
		t.Errorf("got %v", r)
	}
}
