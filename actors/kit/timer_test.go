package kit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

func TestTimerSendsWhenItIsTime(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		heard := new(diary)
		var second *Timer
		spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				After(ctx, time.Second, "first")
				second = After(ctx, 2*time.Second, "second")
			case string:
				heard.add(m)
				if m == "first" && (!second.Stop() || second.Stop()) {
					t.Error("Stop does not say whether it came in time")
				}
			}
		})}, "timers")
		pass(time.Second)
		expect(t, heard, "first")
		pass(time.Hour)
		expect(t, heard, "first")
	})
}

func TestTimersEndWithTheLifeThatMadeThem(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		heard := new(diary)
		var timers []*Timer
		pid := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case time.Duration:
				timers = append(timers, After(ctx, m, "rings"))
			case string:
				heard.add(m)
			case error:
				panic(m)
			}
		})}, "timers")
		s.Send(pid, time.Second)
		s.Send(pid, errBroken)
		s.Send(pid, 3*time.Second)
		pass(2 * time.Second)
		expect(t, heard)
		pass(2 * time.Second)
		expect(t, heard, "rings")
		s.Send(pid, time.Second)
		s.Send(pid, 2*time.Second)
		synctest.Wait()
		s.Stop(pid)
		pass(time.Minute)
		expect(t, heard, "rings")
		if st := s.Stats(); st.DeadLetters != 0 || timers[3].Stop() {
			t.Error("a timer rang after its actor had stopped")
		}
	})
}

func TestTimersThatAreOverAreForgotten(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		var c *cell
		pid := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok {
				c = cellOf(ctx)
				After(ctx, time.Hour, 1).Stop()
				After(ctx, 0, 2)
			}
		})}, "timers")
		for range 1000 {
			s.Send(pid, "another")
			pass(time.Second)
		}
		if n := cap(c.belongings.timers); n > 4 {
			t.Errorf("room for %d timers is held", n)
		}
	})
}
