package kit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// worker lets goroutines work for it: each func it is sent.
func worker(heard *diary) func() actor.Actor {
	return actorOf(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case func(context.Context) any:
			Go(ctx, m)
		case string:
			heard.add(m)
		case error:
			panic(m)
		}
	})
}

func TestWorkAnswersWithOneMessage(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		heard := new(diary)
		pid := spawnRoot(t, s, Spec{New: worker(heard)}, "worker")
		s.Send(pid, func(context.Context) any { <-time.After(time.Second); return "done" })
		s.Send(pid, func(context.Context) any { return nil })
		synctest.Wait()
		if st := s.Stats().Role("test"); st.Working != 1 {
			t.Errorf("stats %+v", st)
		}
		pass(time.Second)
		expect(t, heard, "done")
		if st := s.Stats().Role("test"); st.Working != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestWorkGoesOnAfresh(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		heard := new(diary)
		pid := spawnRoot(t, s, Spec{New: worker(heard)}, "worker")
		wait := func(then any) Afresh {
			return func() any { <-time.After(time.Second); return then }
		}
		s.Send(pid, func(context.Context) any { return wait(wait("done")) })
		pass(time.Second)
		if st := s.Stats().Role("test"); st.Working != 1 {
			t.Errorf("between two goroutines: stats %+v", st)
		}
		expect(t, heard)
		pass(time.Second)
		expect(t, heard, "done")
		if st := s.Stats().Role("test"); st.Working != 0 {
			t.Errorf("stats %+v", st)
		}
		s.Send(pid, func(context.Context) any { return Afresh(func() any { panic("on the second goroutine") }) })
		synctest.Wait()
		if st := s.Stats().Role("test"); st.Working != 0 || st.Failures != 1 {
			t.Errorf("after its panic: stats %+v", st)
		}
	})
}

// A flow that has work done leaves it to the goroutine that it ran on: nobody is woken for it, and the flow can go on meanwhile.
func TestFlowsWorkIsDoneWhereTheFlowRan(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		heard := new(diary)
		release := make(chan struct{})
		pid := spawnRoot(t, s, Spec{Run: OnFlow(NewFlowDispatcher()), New: actorOf(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case string:
				heard.add("flow " + goroutine())
				for range 2 {
					Do(ctx, func() any {
						heard.add("work " + goroutine())
						<-release
						return 1
					})
				}
			case int:
				heard.add("done")
			case bool:
				heard.add(fmt.Sprint("meanwhile ", m))
			}
		})}, "flow")
		s.Send(pid, "go")
		synctest.Wait()
		all := heard.all()
		if len(all) != 3 {
			t.Fatalf("heard %v", all)
		}
		var g string
		inline := 0
		for _, line := range all {
			if at, ok := strings.CutPrefix(line, "flow "); ok {
				g = at
			}
		}
		for _, line := range all {
			if line == "work "+g {
				inline++
			}
		}
		if inline != 1 {
			t.Errorf("heard %v, want one piece of work on the flow's goroutine and one on another", all)
		}
		s.Send(pid, true)
		synctest.Wait()
		if all = heard.all(); all[len(all)-1] != "meanwhile true" {
			t.Errorf("while it works: %v", all)
		}
		close(release)
		synctest.Wait()
		if st := s.Stats(); st.Role("test").Working != 0 || st.Goroutines != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}

// A flow that is never quiet does not hold up what it has left.
func TestFlowsWorkDoesNotWaitForAFloodedFlow(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		done := false
		rounds := 0
		pid := spawnRoot(t, s, Spec{Run: OnFlow(NewFlowDispatcher()), New: actorOf(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case string:
				Do(ctx, func() any { return true })
				ctx.Send(ctx.Self(), 1)
			case bool:
				done = true
			case int:
				if rounds++; !done {
					runtime.Gosched()
					ctx.Send(ctx.Self(), 1)
				}
			}
		})}, "flow")
		s.Send(pid, "go")
		synctest.Wait()
		if !done {
			t.Error("the work was not done")
		}
	})
}

func TestWorkEndsWithItsActorAndShutdownWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Config{})
		heard, closed := new(diary), 0
		pid := spawnRoot(t, s, Spec{New: worker(heard)}, "worker")
		s.Send(pid, func(ctx context.Context) any {
			<-ctx.Done()
			<-time.After(time.Second)
			return &cargo{&closed}
		})
		synctest.Wait()
		start := time.Now()
		if err := s.Shutdown(t.Context()); err != nil || time.Since(start) != time.Second || closed != 1 {
			t.Errorf("%v after %v, closed %d", err, time.Since(start), closed)
		}
	})
}

func TestShutdownSaysThatWorkDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Config{})
		pid := spawnRoot(t, s, Spec{New: worker(new(diary))}, "worker")
		release := make(chan struct{})
		s.Send(pid, func(context.Context) any { <-release; return nil })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || err.Error() != "wait for 1 goroutines of stopped actors: context deadline exceeded" {
			t.Errorf("got %v", err)
		}
		close(release)
	})
}

func TestPanicOfWorkFailsItsActor(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		pid := spawnRoot(t, s, Spec{New: worker(new(diary))}, "worker")
		s.Send(pid, func(context.Context) any { return breaks(nil) })
		synctest.Wait()
		events := of[Restarted](j)
		if len(events) != 1 || events[0].Failure.Message != "work of Go" || events[0].Failure.Stack == "" {
			t.Errorf("events %+v", events)
		}
	})
}

func TestWorkOfAnEarlierLifeIsUndelivered(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		heard, closed := new(diary), 0
		pid := spawnRoot(t, s, Spec{New: worker(heard)}, "worker")
		s.Send(pid, func(ctx context.Context) any { <-ctx.Done(); return &cargo{&closed} })
		synctest.Wait()
		s.Send(pid, errBroken)
		synctest.Wait()
		if n := len(of[Restarted](j)); n != 1 || closed != 1 {
			t.Errorf("%d restarts, closed %d", n, closed)
		}
		s.Send(pid, func(context.Context) any { return "new life" })
		expect(t, heard, "new life")
	})
}
