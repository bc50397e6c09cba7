package kit

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

func TestWorkersAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Config{})
		var mu sync.Mutex
		seen := map[string]int{}
		pid := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok {
				Do(ctx, func() any {
					mu.Lock()
					defer mu.Unlock()
					seen[goroutine()]++
					return nil
				})
			}
		})}, "target")
		for range 50 {
			s.Send(pid, "work")
			synctest.Wait()
		}
		if len(seen) > 3 {
			t.Errorf("50 tasks in a row ran on %d goroutines, want those that were idle", len(seen))
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A burst must not leave more goroutines behind than the bound, and Shutdown none.
func TestIdleWorkersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Config{})
		release := make(chan struct{})
		pid := spawnRoot(t, s, Spec{Capacity: 1024, New: actorOf(func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok {
				Do(ctx, func() any { <-release; return nil })
			}
		})}, "target")
		for range 5 * maxIdleWorkers {
			s.Send(pid, "work")
		}
		synctest.Wait()
		if n := s.workers.count(); n < 5*maxIdleWorkers {
			t.Fatalf("%d goroutines have a task each, want %d at least", n, 5*maxIdleWorkers)
		}
		close(release)
		synctest.Wait()
		if n := s.workers.count(); n > maxIdleWorkers {
			t.Errorf("%d goroutines idle, want at most %d", n, maxIdleWorkers)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if n := s.workers.count(); n != 0 {
			t.Errorf("%d goroutines outlive Shutdown", n)
		}
	})
}

func (w *workers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.alive
}
