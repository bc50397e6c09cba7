package kit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// cargo is a message that carries something to close.
type cargo struct{ closed *int }

func (c *cargo) Undeliver() { *c.closed++ }

// hanging is an actor that handles "hang" until release is closed.
func hanging(release chan struct{}) func() actor.Actor {
	return actorOf(func(ctx actor.Context) {
		if ctx.Message() == "hang" {
			<-release
		}
	})
}

func TestFullMailboxRefusesAndNobodySpins(t *testing.T) {
	for name, run := range dispatches() {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
				release, closed := make(chan struct{}), 0
				pid := spawnRoot(t, s, Spec{Run: run, Capacity: 3, New: hanging(release)}, "slow")
				go s.Send(pid, "hang")
				synctest.Wait()
				for range 10 {
					s.Send(pid, &cargo{&closed}) // returns at once
				}
				synctest.Wait() // would not return while anybody spins
				depth := 3
				if name == "flow" {
					depth = 0 // not listed
				}
				if st := s.Stats().Role("test"); st.Depth != depth || st.Peak != 3 || st.Refused != 7 || closed != 7 {
					t.Errorf("closed %d, stats %+v", closed, st)
				}
				if events := of[Refused](j); len(events) != 1 || events[0].Count != 1 || events[0].Capacity != 3 || events[0].Message != "*kit.cargo" {
					t.Errorf("events: %+v", events)
				}
				close(release)
				synctest.Wait()
				if st := s.Stats().Role("test"); st.Depth != 0 || st.Handled != 4 {
					t.Errorf("stats after release: %+v", st)
				}
			})
		})
	}
}

func TestRefusalsAreReportedOncePerSecondWithTheirNumber(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		release := make(chan struct{})
		pid := spawnRoot(t, s, Spec{Capacity: 1, New: hanging(release)}, "slow")
		s.Send(pid, "hang")
		synctest.Wait()
		s.Send(pid, "waits")
		for range 5 {
			s.Send(pid, "refused")
		}
		pass(time.Second)
		s.Send(pid, "refused")
		close(release)
		events := of[Refused](j)
		if len(events) != 2 || events[0].Count != 1 || events[1].Count != 5 {
			t.Errorf("events: %+v", events)
		}
	})
}

func TestFullMailboxAdmitsWhatTheActorHasBegunItself(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		release, seen := make(chan struct{}), 0
		pid := spawnRoot(t, s, Spec{Capacity: 1, New: actorOf(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case string:
				After(ctx, time.Second, 1)
				<-release
			case *TooLate:
				seen += 10
			case int:
				seen += m
			}
		})}, "slow")
		s.Send(pid, "hang")
		synctest.Wait()
		s.Send(pid, 100)
		s.Send(pid, 1000)
		s.Send(pid, &TooLate{})
		pass(2 * time.Second)
		close(release)
		synctest.Wait()
		if seen != 111 {
			t.Errorf("seen %d", seen)
		}
	})
}

func TestMessagesBehindStopAreUndelivered(t *testing.T) {
	for name, run := range dispatches() {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
				release, closed := make(chan struct{}), 0
				pid := spawnRoot(t, s, Spec{Run: run, New: hanging(release)}, "stopping")
				var told []any
				asker := spawnRoot(t, s, Spec{Role: "asker", New: actorOf(func(ctx actor.Context) {
					switch m := ctx.Message().(type) {
					case string:
						ctx.Request(pid, &cargo{&closed})
					case *Undelivered:
						told = append(told, m.Message)
					}
				})}, "asker")
				go s.Send(pid, "hang")
				synctest.Wait()
				s.Send(asker, "ask")
				synctest.Wait()
				s.Stop(pid)
				s.Send(asker, "ask")
				synctest.Wait()
				close(release)
				synctest.Wait()
				s.Send(asker, "ask") // the actor is gone by now
				synctest.Wait()
				if closed != 3 || len(told) != 3 {
					t.Errorf("closed %d, told %d", closed, len(told))
				}
				st := s.Stats()
				if st.Role("test").Undelivered != 2 || st.DeadLetters != 1 {
					t.Errorf("stats: %+v", st)
				}
				if st.Role("test").Depth != 0 {
					t.Error("depth is left")
				}
			})
		})
	}
}

func TestWatchBehindStopIsAnswered(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		gone := 0
		var target *actor.PID
		watcher := spawnRoot(t, s, Spec{Role: "watcher", New: actorOf(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case string:
				ctx.Watch(target)
			case *actor.Terminated:
				gone++
			}
		})}, "watcher")
		target = spawnRoot(t, s, Spec{Run: CallerRuns(), New: actorOf(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Stopped); ok {
				ctx.Watch(ctx.Self()) // comes too late for itself
				s.Send(watcher, "watch")
			}
		})}, "target")
		synctest.Wait()
		s.Stop(target)
		synctest.Wait()
		s.Send(watcher, "watch")
		synctest.Wait()
		if gone != 2 {
			t.Errorf("told %d times", gone)
		}
	})
}

func TestBatchIsOneMessage(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		var seen []any
		pid := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case batch, string:
				seen = append(seen, m)
			}
		})}, "batch")
		s.Send(pid, batch{})
		synctest.Wait()
		if len(seen) != 1 || seen[0] != (batch{}) {
			t.Errorf("seen %v", seen)
		}
	})
}

type batch struct{}

func (batch) GetMessages() []any { return []any{"one", "two"} }
