package fault

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

func TestLoseReplyIsAboutQuestions(t *testing.T) {
	onStage(t, func(s *stage) {
		rule := On[jot](s.faults, "store").Once().LoseReply()
		s.system.Send(s.store, &jot{"unasked"})
		s.system.Send(s.asker, &jot{"a"})
		s.pass(time.Second)
		s.want("0s store unasked", "0s store a", "0s answer a'")
		if rule.Matched() != 1 {
			t.Errorf("about %d", rule.Matched())
		}
	})
}

func TestAsksFromOutsideLoseTheirReply(t *testing.T) {
	for name, question := range map[string]any{
		"with an id": &find{Question: messages.Question{ID: 7}, Text: "a"}, "without": &find{Text: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(s *stage) {
				rule := On[any](s.faults, "store").LoseReply()
				_, err := kit.Ask(context.Background(), s.system, s.store, question, time.Second)
				if !errors.Is(err, kit.ErrDeadline) {
					t.Errorf("err %v", err)
				}
				if rule.Injected() != 1 {
					t.Errorf("injected %d", rule.Injected())
				}
				s.pass(time.Second)
				rule.Release()
				if _, err := kit.Ask(context.Background(), s.system, s.store, question, time.Second); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestOnlyTheFirstReplyIsLost(t *testing.T) {
	onStage(t, func(s *stage) {
		On[jot](s.faults, "store").Once().LoseReply()
		s.system.Send(s.asker, &jot{"a"})
		s.pass(time.Second)
		s.want("0s store a", "0s answer a'")
		if n := len(s.faults.losses.standIns); n != 0 {
			t.Errorf("%d stand-ins are left", n)
		}
	})
}

func TestLoseReplyLeavesOthersAlone(t *testing.T) {
	onStage(t, func(s *stage) {
		answers := On[found](s.faults, "asker").Next(2).Hold()
		rule := On[find](s.faults, "store").Nth(1).LoseReply()
		s.ask("a", "b", "c") // the answer to a is lost before it could be held
		if rule.Injected() != 1 || answers.Injected() != 2 {
			t.Errorf("lost %d, held %d", rule.Injected(), answers.Injected())
		}
		answers.Release()
		s.pass(0)
		s.want("0s store a", "1s store b", "2s store c", "3s answer b", "3s answer c")
	})
}

func TestUndeliveredIsNoReply(t *testing.T) {
	onStage(t, func(s *stage) {
		lost := On[any](s.faults, "store").LoseReply()
		On[any](s.faults, "store").Panic(errBroken)
		s.system.Send(s.asker, &jot{"a"})
		s.ask("b")
		s.pass(time.Second)
		s.wantInAnyTurn([]string{"0s store starts", "0s undelivered", "0s undelivered", "0s store starts"})
		for _, i := range s.faults.Report().Injections {
			if i.Sender != "house/asker" {
				t.Errorf("asked by %s: %s", i.Sender, i)
			}
		}
		if lost.Injected() != 0 {
			t.Errorf("lost %d", lost.Injected())
		}
	})
}

func TestReleaseLetsLaterRepliesPass(t *testing.T) {
	onStage(t, func(s *stage) {
		slow := On[any](s.faults, "store").Slow(time.Hour)
		lost := On[any](s.faults, "store").LoseReply()
		s.ask("a")
		s.system.Send(s.asker, &jot{"b"})
		s.pass(time.Second)
		lost.Release()
		slow.Release()
		s.pass(time.Second)
		s.wantInAnyTurn([]string{"2s store a", "2s answer a", "2s store b", "2s answer b", "2s answer b'"})
		if !s.faults.Idle() {
			t.Error("still looks at messages")
		}
	})
}

func TestRepliesAboutToBeLostAreBounded(t *testing.T) {
	onStage(t, func(s *stage) {
		slow := On[find](s.faults, "store").Once().Slow(time.Hour)
		lost := On[find](s.faults, "store").LoseReply()
		for range MaxWaiting + 3 {
			s.ids++
			s.system.Send(s.asker, &find{Question: messages.Question{ID: s.ids}, Text: "a"})
		}
		s.pass(time.Second)
		if r := lost.report(); r.TooMany != 3 {
			t.Errorf("too many: %d", r.TooMany)
		}
		slow.Release()
		s.pass(time.Second)
		if lost.Injected() != MaxWaiting {
			t.Errorf("lost %d", lost.Injected())
		}
	})
}
