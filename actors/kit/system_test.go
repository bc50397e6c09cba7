package kit

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

func TestActorHandlesMessagesInOrderAndEnds(t *testing.T) {
	for name, run := range dispatches() {
		t.Run(name, func(t *testing.T) {
			var seen []any
			synctest.Test(t, func(t *testing.T) {
				s := NewSystem(Config{})
				pid := spawnRoot(t, s, Spec{Run: run, New: actorOf(func(ctx actor.Context) {
					switch m := ctx.Message().(type) {
					case *actor.Started, *actor.Stopping, *actor.Stopped:
						seen = append(seen, typeOf(m))
					default:
						seen = append(seen, m)
					}
				})}, "one")
				for i := range 300 {
					s.Send(pid, i)
				}
				synctest.Wait()
				if err := s.Shutdown(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := s.Stats().Role("test"); got.Handled != 300 || got.Live != 0 || got.Depth != 0 {
					t.Errorf("stats: %+v", got)
				}
			})
			want := []any{"*actor.Started"}
			for i := range 300 {
				want = append(want, i)
			}
			want = append(want, "*actor.Stopping", "*actor.Stopped")
			if !slices.Equal(seen, want) {
				t.Errorf("got %v", seen)
			}
		})
	}
}

func TestShutdownStopsTheLatestRootFirst(t *testing.T) {
	var order []string
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		for _, name := range []string{"a", "b", "c"} {
			spawnRoot(t, s, Spec{Run: CallerRuns(), New: actorOf(func(ctx actor.Context) {
				if _, ok := ctx.Message().(*actor.Stopped); ok {
					order = append(order, name)
				}
			})}, name)
		}
	})
	if want := []string{"c", "b", "a"}; !slices.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
}

func TestShutdownNamesWhoDoesNotStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Config{})
		release := make(chan struct{})
		pid := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			if ctx.Message() == "hang" {
				<-release
			}
		})}, "stuck")
		s.Send(pid, "hang")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "stop root actors stuck: context deadline exceeded" {
			t.Errorf("got %v", err)
		}
		close(release)
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("second shutdown: %v", err)
		}
		if _, err := s.SpawnRoot(Spec{Role: "x", Capacity: 1, New: actorOf(func(actor.Context) {})}, "late"); !errors.Is(err, ErrStopped) {
			t.Errorf("spawn after shutdown: %v", err)
		}
	})
}

// The registry keeps few maps, and all that the library itself has put there.
func TestSystemIsSmall(t *testing.T) {
	before := heap()
	s := NewSystem(Config{})
	if used := heap() - before; used > 256<<10 {
		t.Errorf("an empty system holds %d bytes", used)
	}
	for _, name := range []string{"deadletter", "eventstream"} {
		if _, ok := s.actors.ProcessRegistry.GetLocal(name); !ok {
			t.Errorf("%s is gone", name)
		}
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClockIsTheConfigs(t *testing.T) {
	now := time.Unix(100, 0)
	s := NewSystem(Config{Now: func() time.Time { return now }})
	now = now.Add(time.Second)
	if n := s.Nanos(); n != int64(time.Second)+1 {
		t.Errorf("got %d", n)
	}
	if NewSystem(Config{}).Nanos() <= 0 {
		t.Error("a stamp may be zero")
	}
}
