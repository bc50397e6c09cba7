package kit

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

func TestCallerRunsOnItsCaller(t *testing.T) {
	s := NewSystem(Config{})
	ran := ""
	pid := spawnRoot(t, s, Spec{Run: CallerRuns(), New: actorOf(func(actor.Context) { ran = goroutine() })}, "target")
	s.Send(pid, "x")
	if ran != goroutine() {
		t.Error("ran elsewhere")
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// A poster to a caller-runs actor must not be held for ever by others who keep the actor busy.
func TestPosterIsNotHeld(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		stop := false
		var mu sync.Mutex
		pid := spawnRoot(t, s, Spec{Run: CallerRuns(), New: actorOf(func(ctx actor.Context) {
			mu.Lock()
			defer mu.Unlock()
			if _, ok := ctx.Message().(string); ok && !stop {
				ctx.Send(ctx.Self(), "again")
			}
		})}, "busy")
		s.Send(pid, "again") // would never return
		mu.Lock()
		stop = true
		mu.Unlock()
		synctest.Wait()
		if s.Stats().Role("test").Handled < patience {
			t.Errorf("stats %+v", s.Stats().Role("test"))
		}
	})
}
