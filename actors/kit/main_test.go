package kit

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// behave is an actor made of a function.
type behave func(ctx actor.Context)

func (b behave) Receive(ctx actor.Context) { b(ctx) }

func actorOf(f func(ctx actor.Context)) func() actor.Actor {
	return func() actor.Actor { return behave(f) }
}

// journal keeps the events of a system.
type journal struct{ events chan Event }

func newJournal() *journal { return &journal{events: make(chan Event, 1024)} }

func (j *journal) log(e Event) { j.events <- e }

// pass lets virtual time pass, and everything that is due happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// diary is written by actors and read by a test.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) add(s string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, s)
}

func (d *diary) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.entries)
}

// of returns the events of type T so far, and forgets all others.
func of[T Event](j *journal) []T {
	var found []T
	for {
		select {
		case e := <-j.events:
			if t, ok := e.(T); ok {
				found = append(found, t)
			}
		default:
			return found
		}
	}
}

// bubble runs a test in virtual time on a system that it shuts down.
func bubble(t *testing.T, cfg Config, test func(t *testing.T, s *System, j *journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		cfg.Log = j.log
		s := NewSystem(cfg)
		test(t, s, j)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if n := s.Stats().Goroutines; n != 0 {
			t.Errorf("%d goroutines after shutdown", n)
		}
	})
}

func spawnRoot(t testing.TB, s *System, spec Spec, name string) *actor.PID {
	t.Helper()
	if spec.Role == "" {
		spec.Role = "test"
	}
	if spec.Capacity == 0 {
		spec.Capacity = 1024
	}
	pid, err := s.SpawnRoot(spec, name)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// dispatches are all ways to run an actor.
func dispatches() map[string]Dispatch {
	return map[string]Dispatch{"own": Own(), "caller runs": CallerRuns(), "flow": OnFlow(NewFlowDispatcher())}
}
