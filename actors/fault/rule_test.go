package fault

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

func TestReleaseKeepsTheOrder(t *testing.T) {
	onStage(t, func(s *stage) {
		rule := On[find](s.faults, "store").Hold()
		s.ask("a", "b", "c")
		if !rule.ReleaseFirst() {
			t.Error("nothing was held")
		}
		s.pass(time.Second)
		if n := rule.Release(); n != 2 {
			t.Errorf("released %d", n)
		}
		s.pass(0)
		if rule.ReleaseFirst() || rule.Release() != 0 || rule.Held() != 0 {
			t.Error("released twice")
		}
		s.want("3s store a", "3s answer a", "4s store b", "4s store c", "4s answer b", "4s answer c")
	})
}

func TestReleaseOfAll(t *testing.T) {
	onStage(t, func(s *stage) {
		On[find](s.faults, "store").Once().Hold()
		On[find](s.faults, "store").Delay(time.Hour)
		On[jot](s.faults, "store").Drop()
		s.ask("a", "b")
		s.faults.Release()
		s.pass(0)
		s.wantInAnyTurn([]string{"2s store a", "2s answer a", "2s store b", "2s answer b"})
		if !s.faults.Idle() {
			t.Error("still looks at messages")
		}
		s.system.Send(s.store, &jot{"c"})
		s.pass(0)
		if got := s.all(); got[len(got)-1] != "2s store c" {
			t.Errorf("heard %q", got)
		}
	})
}

func TestNothingIsInjectedAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, New(), kit.Own())
		rule := On[find](s.faults, "store").Delay(time.Hour)
		s.ask("a")
		s.close()
		s.pass(2 * time.Hour)
		s.want()
		if rule.Held() != 0 {
			t.Errorf("holds %d", rule.Held())
		}
	})
}

// TestManyAtOnce lets all faults come over many messages by many senders, while rules and probes come and go.
func TestManyAtOnce(t *testing.T) {
	for name, run := range map[string]kit.Dispatch{"own": kit.Own(), "caller runs": kit.CallerRuns()} {
		t.Run(name, func(t *testing.T) {
			f := Seeded(1)
			s := newStage(t, f, run)
			On[find](f, "store").Next(3).Panic(errBroken)
			for _, rule := range []func(*Selector[find]) *Rule{
				(*Selector[find]).Drop, (*Selector[find]).Duplicate, (*Selector[find]).Hold, (*Selector[find]).LoseReply,
				func(s *Selector[find]) *Rule { return s.Delay(time.Millisecond) },
				func(s *Selector[find]) *Rule { return s.Reorder(time.Millisecond) },
				func(s *Selector[find]) *Rule { return s.Slow(time.Microsecond) },
			} {
				rule(On[find](f, "store").Chance(0.1))
			}
			life := WatchLife(f, "*")
			var all sync.WaitGroup
			for g := range 4 {
				all.Go(func() {
					for i := range 200 {
						s.system.Send(s.asker, &find{Question: messages.Question{ID: uint64(g*1000 + i + 1)}, Text: fmt.Sprint(i)})
					}
				})
			}
			all.Go(func() {
				for range 50 {
					probe := Watch[find](f, "*")
					rule := On[found](f, "asker").Chance(0.5).Hold()
					_, _ = probe.Expect(10 * time.Microsecond)
					_ = f.Report().String()
					rule.Release()
					probe.Close()
				}
			})
			all.Go(func() {
				for range 50 {
					f.Notes(s.asker)
				}
			})
			all.Wait()
			if _, err := life.ExpectFailure(10 * time.Second); err != nil {
				t.Error(err)
			}
			f.Release()
			s.close()
			for _, r := range f.Report().Rules {
				if r.Held != 0 || r.TooMany != 0 || r.Injected > r.Matched {
					t.Errorf("rule %+v", r)
				}
			}
		})
	}
}
