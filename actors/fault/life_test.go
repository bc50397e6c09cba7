package fault

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

func TestLifeSeesFailuresRestartsAndDeaths(t *testing.T) {
	onStage(t, func(s *stage) {
		life := WatchLife(s.faults, "*/store")
		On[find](s.faults, "store").Next(2).Panic(errBroken)
		s.ask("a", "b", "c")
		for i := range 2 {
			f, err := life.ExpectFailure(0)
			if err != nil {
				t.Fatal(err)
			}
			var injected *InjectedError
			if !errors.Is(f, errBroken) || !errors.As(f, &injected) {
				t.Errorf("failure %v", f)
			}
			if want := "fault injected in house/store (store) over fault.find: broken on purpose"; injected.Error() != want {
				t.Errorf("error %q, want %q", injected, want)
			}
			r, err := life.ExpectRestart(0)
			if err != nil || r.Role != "store" || r.PID.Id != "house/store" || r.Life != i+1 {
				t.Errorf("restart %+v, %v", r, err)
			}
			if since := r.At.Sub(s.start); since != time.Duration(i)*time.Second {
				t.Errorf("restart after %s", since)
			}
		}
		time.AfterFunc(5*time.Second, func() { s.system.Stop(s.store) })
		d, err := life.ExpectDeath(10 * time.Second)
		if err != nil || d.Role != "store" || d.PID.Id != "house/store" || d.At.Sub(s.start) != 8*time.Second {
			t.Errorf("death %+v, %v", d, err)
		}
	})
}

func TestEveryWayToFailIsAFailure(t *testing.T) {
	directives := map[string]kit.Directive{"restart": kit.Restart, "stop": kit.Stop, "resume": kit.Resume, "escalate": kit.Escalate}
	for name, directive := range directives {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, New(), kit.Own())
				spec := kit.Spec{Role: "child", Capacity: 8, New: func() actor.Actor { return behave(func(actor.Context) {}) }}
				parent, err := s.system.SpawnRoot(kit.Spec{
					Role: "parent", Capacity: 8, Supervision: kit.Supervision{Directive: directive},
					New: func() actor.Actor {
						return behave(func(ctx actor.Context) {
							if m, ok := ctx.Message().(*jot); ok {
								ctx.Send(kit.Spawn(ctx, s.system.Props(spec), "child"), m)
							}
						})
					},
				}, "parent")
				if err != nil {
					t.Fatal(err)
				}
				life := WatchLife(s.faults, "child")
				On[jot](s.faults, "child").Panic(errBroken)
				s.system.Send(parent, &jot{"a"})
				if f, err := life.ExpectFailure(time.Second); err != nil || f.PID.Id != "parent/child/1" {
					t.Errorf("failure %v, %v", f, err)
				}
				s.system.Stop(parent)
				if d, err := life.ExpectDeath(time.Second); err != nil || !errors.Is(d.Failure, errBroken) {
					t.Errorf("death %+v, %v", d, err)
				}
				s.close()
			})
		})
	}
	if failureOf(kit.Refused{}) != nil {
		t.Error("a full mailbox is no failure")
	}
}

// Faults from outside a bubble would stop its clock: they are refused.
func TestFaultsFromOutsideTheBubble(t *testing.T) {
	outside := New()
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "make them inside") {
				t.Errorf("the system was made: %v", r)
			}
		}()
		kit.NewSystem(kit.Config{Faults: outside})
	})
	kit.NewSystem(kit.Config{Faults: outside})
	synctest.Test(t, func(*testing.T) { kit.NewSystem(kit.Config{Faults: New()}) })
}
