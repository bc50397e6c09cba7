package kit

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

func TestBackoffDoublesUpToItsMaximum(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		backoff Backoff
		n       int
		chance  float64
		want    time.Duration
	}{
		{Backoff{}, 1, 0.5, 0},
		{Backoff{}, 9, 0.5, 0},
		{Backoff{Initial: 100 * ms, Max: time.Second}, 1, 0.9, 100 * ms},
		{Backoff{Initial: 100 * ms, Max: time.Second}, 2, 0, 200 * ms},
		{Backoff{Initial: 100 * ms, Max: time.Second}, 4, 0, 800 * ms},
		{Backoff{Initial: 100 * ms, Max: time.Second}, 5, 0, time.Second},
		{Backoff{Initial: 100 * ms, Max: time.Second}, 1000, 0, time.Second},
		{Backoff{Initial: 100 * ms}, 11, 0, 102400 * ms},
		{Backoff{Initial: time.Hour}, 1000, 1, 1 << 62},
		{Backoff{Initial: 100 * ms, Max: time.Second, Jitter: 0.5}, 1, 0, 50 * ms},
		{Backoff{Initial: 100 * ms, Max: time.Second, Jitter: 0.5}, 1, 0.5, 100 * ms},
		{Backoff{Initial: 100 * ms, Max: time.Second, Jitter: 0.5}, 1, 1, 150 * ms},
		{Backoff{Initial: 100 * ms, Max: time.Second, Jitter: 0.5}, 9, 1, time.Second},
		{Backoff{Initial: 100 * ms, Max: time.Second, Jitter: 1}, 9, 0, 0},
		{Backoff{Initial: 2 * time.Second, Max: time.Second}, 1, 0.5, time.Second},
	}
	for _, tt := range tests {
		if got := tt.backoff.delay(tt.n, tt.chance); got != tt.want {
			t.Errorf("%+v delay(%d, %v) = %v, want %v", tt.backoff, tt.n, tt.chance, got, tt.want)
		}
	}
}

func TestHistoryForgetsWhatIsOutsideTheWindow(t *testing.T) {
	var h history
	for i, tt := range []struct {
		now  int64
		want int
	}{{0, 1}, {5, 2}, {9, 3}, {10, 3}, {16, 2}, {100, 1}} {
		if i == 4 { // 0 and 5 are out of the window of 10, 9 and 10 are not
			tt.want = 3
		}
		if got := h.add(tt.now, 10); got != tt.want {
			t.Errorf("at %d: got %d, want %d", tt.now, got, tt.want)
		}
	}
}

// failing is a parent whose child, spawned at start, panics over every error it is sent.
func failing(t *testing.T, s *System, parent Spec) (child *actor.PID, log *diary) {
	t.Helper()
	log = new(diary)
	parent.New = actorOf(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*actor.Started); !ok {
			return
		}
		pid, err := SpawnNamed(ctx, s.Props(Spec{Role: "child", Capacity: 8, Run: CallerRuns(), New: actorOf(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case error:
				panic(m)
			case string:
				log.add(m)
			case *actor.Started, *actor.Restarting, *actor.Stopped:
				log.add(strings.TrimPrefix(typeOf(m), "*actor."))
			}
		})}), "child")
		if err != nil {
			t.Error(err)
		}
		child = pid
	})
	spawnRoot(t, s, parent, "parent")
	synctest.Wait()
	return child, log
}

var errBroken = errors.New("broken")

func TestDirectives(t *testing.T) {
	tests := map[Directive][]string{
		Restart:  {"Started", "Restarting", "Started", "after"},
		Resume:   {"Started", "after"},
		Stop:     {"Started", "Stopped"},
		Escalate: {"Started", "Stopped", "Started"}, // the parent restarts and makes another child
	}
	for directive, want := range tests {
		bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
			child, log := failing(t, s, Spec{Supervision: Supervision{Directive: directive}})
			s.Send(child, errBroken)
			s.Send(child, "after")
			synctest.Wait()
			if !slices.Equal(log.all(), want) {
				t.Errorf("directive %d: got %v, want %v", directive, log.all(), want)
			}
			if n := s.Stats().Role("child").Failures; n != 1 {
				t.Errorf("directive %d: %d failures", directive, n)
			}
			var f *Failure
			for len(j.events) > 0 && f == nil {
				switch e := (<-j.events).(type) {
				case Restarted:
					f = e.Failure
				case Resumed:
					f = e.Failure
				case StoppedByParent:
					f = e.Failure
				case Escalated:
					f = e.Failure
				}
			}
			if f == nil || !errors.Is(f, errBroken) || f.PID.Id != "parent/child" || f.Role != "child" {
				t.Errorf("directive %d: failure %+v", directive, f)
			}
		})
	}
}

func TestRestartsAreDelayedAndKeepTheQueue(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		child, log := failing(t, s, Spec{Supervision: Supervision{Backoff: Backoff{Initial: time.Second, Max: time.Minute}, Window: time.Hour}})
		start := time.Now()
		for i := range 3 {
			s.Send(child, errBroken)
			s.Send(child, "queued")
			synctest.Wait()
			if last := log.all()[len(log.all())-1]; i == 0 && last != "Started" {
				t.Errorf("handled %q before the restart", last)
			}
			for len(log.all()) < 4*(i+1)-i { // Started, then three for each failure
				pass(time.Second)
				synctest.Wait()
			}
		}
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("three restarts took %v, want 1 s + 2 s + 4 s", took)
		}
		want := []string{"Started", "Restarting", "Started", "queued", "Restarting", "Started", "queued", "Restarting", "Started", "queued"}
		if !slices.Equal(log.all(), want) {
			t.Errorf("got %v", log.all())
		}
		if events := of[Restarted](j); len(events) != 3 || events[2].Restarts != 3 || events[2].Delay != 4*time.Second {
			t.Errorf("events: %+v", events)
		}
	})
}

func TestShutdownDoesNotWaitForDelayedRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Config{})
		start := time.Now()
		child, log := failing(t, s, Spec{Supervision: Supervision{Backoff: Backoff{Initial: time.Hour}}})
		s.Send(child, errBroken)
		synctest.Wait()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(log.all(), []string{"Started", "Stopped"}) || time.Since(start) != 0 || len(s.delays.pending) != 0 {
			t.Errorf("got %v after %v, %d delays", log.all(), time.Since(start), len(s.delays.pending))
		}
	})
}

func TestGivingUpIsLoud(t *testing.T) {
	tests := []struct {
		policy   Supervision
		failures int
		want     []string
	}{
		{Supervision{MaxRestarts: 2, Window: time.Minute}, 3, []string{"Started", "Restarting", "Started", "Restarting", "Started", "Stopped"}},
		{Supervision{MaxRestarts: -1}, 1, []string{"Started", "Stopped"}},
		{Supervision{MaxRestarts: -1, Then: Escalate}, 1, []string{"Started", "Stopped", "Started"}},
	}
	for i, tt := range tests {
		bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
			child, log := failing(t, s, Spec{Supervision: tt.policy})
			for range tt.failures {
				s.Send(child, errBroken)
				synctest.Wait()
			}
			if !slices.Equal(log.all(), tt.want) {
				t.Errorf("%d: got %v", i, log.all())
			}
			events := of[GaveUp](j)
			if len(events) != 1 || events[0].Restarts != tt.failures-1 || events[0].Root || s.Stats().Role("child").GaveUp != 1 {
				t.Errorf("%d: events %+v", i, events)
			}
			level, line, _ := events[0].Log()
			if level.String() != "ERROR" || line != "actor failed too often and is given up" {
				t.Errorf("%d: %v %q", i, level, line)
			}
		})
	}
}

func TestRestartsOutsideTheWindowDoNotCount(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		child, _ := failing(t, s, Spec{Supervision: Supervision{MaxRestarts: 1, Window: time.Minute}})
		for range 5 {
			s.Send(child, errBroken)
			pass(time.Minute)
		}
		if n := len(of[Restarted](j)); n != 5 {
			t.Errorf("%d restarts", n)
		}
	})
}

func TestChildrenOfOneParentHaveTheirOwnPolicies(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		child, log := failing(t, s, Spec{
			Supervision: Supervision{Directive: Restart},
			Children:    map[string]Supervision{"child": {Directive: Stop}},
		})
		s.Send(child, errBroken)
		synctest.Wait()
		if !slices.Equal(log.all(), []string{"Started", "Stopped"}) {
			t.Errorf("got %v", log.all())
		}
	})
}

func TestRootFailureReachesItsSupervision(t *testing.T) {
	for _, directive := range []Directive{Restart, Escalate} {
		bubble(t, Config{Roots: Supervision{Directive: directive, MaxRestarts: 1, Then: Escalate}}, func(t *testing.T, s *System, j *journal) {
			started := 0
			pid := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
				switch m := ctx.Message().(type) {
				case *actor.Started:
					started++
				case error:
					panic(m)
				}
			})}, "root")
			s.Send(pid, errBroken)
			s.Send(pid, errBroken)
			synctest.Wait()
			if s.Stats().Role("test").Live != 0 {
				t.Error("the root lives")
			}
			events := of[GaveUp](j)
			switch {
			case directive == Restart && (started != 2 || len(events) != 1 || !events[0].Root):
				t.Errorf("started %d times, events %+v", started, events)
			case directive == Escalate && started != 1:
				t.Errorf("started %d times", started)
			}
		})
	}
}

func TestPanicInNewIsTheActors(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		made := 0
		spawnRoot(t, s, Spec{Run: CallerRuns(), New: func() actor.Actor {
			if made++; made < 3 {
				panic("not yet")
			}
			return behave(func(actor.Context) {})
		}}, "root")
		if n := len(of[Restarted](j)); n != 2 || made != 3 {
			t.Errorf("%d restarts, made %d times", n, made)
		}
	})
}
