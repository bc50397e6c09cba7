package kit

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

// asking is an actor that asks target when it is sent a duration, the timeout, and writes down what it hears.
type asking struct {
	asks   Asks
	target *actor.PID
	heard  *diary
}

func (a *asking) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case time.Duration:
		ctx.Request(a.target, &messages.FindWorkload{Question: a.asks.Question(ctx, m), UID: "a"})
	case *messages.WorkloadFound:
		if !a.asks.Answered(m) {
			a.heard.add(fmt.Sprintf("late %d", m.ID))
			return
		}
		a.heard.add(fmt.Sprintf("answer %d", m.ID))
	case *TooLate:
		a.heard.add(fmt.Sprintf("too late %d: %v", m.ID, m.Err))
	case error:
		panic(m)
	}
}

// slowly is a store that answers every question when it is told to.
func slowly() func() actor.Actor {
	var held []func()
	return actorOf(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *messages.FindWorkload:
			sender, answer := ctx.Sender(), &messages.WorkloadFound{Answer: SystemOf(ctx).Answer(&m.Question, 7)}
			held = append(held, func() { ctx.Send(sender, answer) })
		case string:
			for _, answer := range held {
				answer()
			}
			held = nil
		}
	})
}

func expect(t *testing.T, d *diary, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := d.all(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQuestionIsAnsweredOnceInTimeOrTooLate(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		target := spawnRoot(t, s, Spec{Role: "store", Run: CallerRuns(), New: slowly()}, "store")
		a := &asking{target: target, heard: new(diary)}
		asker := spawnRoot(t, s, Spec{New: func() actor.Actor { return a }}, "asker")

		s.Send(asker, time.Second)
		s.Send(asker, time.Minute)
		s.Send(asker, 2*time.Second)
		pass(time.Second)
		expect(t, a.heard, "too late 1: no answer before the deadline")
		s.Send(target, "answer")
		expect(t, a.heard, "too late 1: no answer before the deadline", "late 1", "answer 2", "answer 3")
		if a.asks.Late() != 1 || a.asks.Open() != 0 {
			t.Errorf("%d late, %d open", a.asks.Late(), a.asks.Open())
		}
		if st := s.Stats().Role("test"); st.Late != 1 || st.Expired != 1 {
			t.Errorf("stats %+v", st)
		}
		pass(time.Hour)
		expect(t, a.heard, "too late 1: no answer before the deadline", "late 1", "answer 2", "answer 3")
	})
}

func TestQuestionsThatAreAnsweredAtOnceCostNoTimer(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		target := spawnRoot(t, s, Spec{Role: "store", Run: CallerRuns(), New: actorOf(store)}, "store")
		a := &asking{target: target, heard: new(diary)}
		asker := spawnRoot(t, s, Spec{Run: OnFlow(NewFlowDispatcher()), New: func() actor.Actor { return a }}, "asker")
		s.Send(asker, time.Second)
		expect(t, a.heard, "answer 1")
		if a.asks.timer != nil {
			t.Error("a timer was made")
		}
	})
}

func TestOneTimerServesAllQuestions(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		target := spawnRoot(t, s, Spec{Role: "store", New: slowly()}, "store")
		a := &asking{target: target, heard: new(diary)}
		asker := spawnRoot(t, s, Spec{New: func() actor.Actor { return a }}, "asker")
		for i := range 5 {
			s.Send(asker, time.Duration(5-i)*time.Second)
		}
		synctest.Wait()
		timer := a.asks.timer
		pass(5 * time.Second)
		late := ": no answer before the deadline"
		expect(t, a.heard, "too late 5"+late, "too late 4"+late, "too late 3"+late, "too late 2"+late, "too late 1"+late)
		if timer != a.asks.timer || a.asks.armed != 0 {
			t.Error("more than one timer, or it still runs")
		}
	})
}

func TestUndeliveredQuestionIsTooLateAtOnce(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		release := make(chan struct{})
		full := spawnRoot(t, s, Spec{Role: "full", Capacity: 1, New: hanging(release)}, "full")
		s.Send(full, "hang")
		synctest.Wait()
		s.Send(full, "fills")
		broken := spawnRoot(t, s, Spec{Role: "broken", New: actorOf(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*messages.FindWorkload); ok {
				panic("broken")
			}
		})}, "broken")
		for _, target := range []*actor.PID{full, broken, actor.NewPID("nonhost", "nobody")} {
			start := time.Now()
			a := &asking{target: target, heard: new(diary)}
			asker := spawnRoot(t, s, Spec{New: func() actor.Actor { return a }}, "asks "+target.Id)
			s.Send(asker, time.Hour)
			expect(t, a.heard, "too late 1: the question could not be delivered")
			if took := time.Since(start); took != 0 {
				t.Errorf("%s: told after %v", target.Id, took)
			}
		}
		close(release)
	})
}

func TestOpenQuestionsAreBounded(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		target := spawnRoot(t, s, Spec{Role: "store", New: slowly()}, "store")
		a := &asking{target: target, heard: new(diary), asks: Asks{MaxOpen: 1}}
		asker := spawnRoot(t, s, Spec{New: func() actor.Actor { return a }}, "asker")
		s.Send(asker, time.Hour)
		s.Send(asker, time.Hour)
		expect(t, a.heard, "too late 2: too many open questions")
		s.Send(target, "answer")
		expect(t, a.heard, "too late 2: too many open questions", "answer 1", "late 2")
		if st := s.Stats().Role("test"); st.Overasked != 1 {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestRestartForgetsQuestionsAndNeverReusesTheirIDs(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		target := spawnRoot(t, s, Spec{Role: "store", New: slowly()}, "store")
		heard := new(diary)
		asker := spawnRoot(t, s, Spec{New: func() actor.Actor { return &asking{target: target, heard: heard} }}, "asker")
		s.Send(asker, time.Second)
		synctest.Wait()
		s.Send(asker, errors.New("broken"))
		s.Send(asker, time.Minute)
		synctest.Wait()
		s.Send(target, "answer")
		expect(t, heard, "late 1", "answer 2")
		pass(time.Hour)
		expect(t, heard, "late 1", "answer 2")
	})
}

func TestForgottenQuestionHearsNothing(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		heard := new(diary)
		var asks Asks
		asker := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case string:
				asks.Forget(asks.Question(ctx, time.Second).ID)
			case *TooLate:
				heard.add("too late")
			}
		})}, "asker")
		s.Send(asker, "ask")
		pass(time.Minute)
		expect(t, heard)
	})
}

func TestAnswerSaysHowLongTheQuestionWaited(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		q := messages.Question{Stamp: messages.Stamp{Waited: time.Second}, ID: 3}
		pass(time.Minute)
		a := s.Answer(&q, 9)
		if a.ID != 3 || a.Version != 9 || a.Asked != time.Second || a.Sent != int64(time.Minute)+1 {
			t.Errorf("got %+v", a)
		}
	})
}
