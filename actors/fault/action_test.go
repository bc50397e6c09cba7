package fault

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
)

var errBroken = errors.New("broken on purpose")

// TestEachFault asks three questions, a second apart, and looks what becomes of the second.
func TestEachFault(t *testing.T) {
	second := func(f *Faults) *Selector[find] { return On[find](f, "store").Nth(2) }
	tests := map[string]struct {
		rule func(f *Faults) *Rule
		want []string
		// injected is how often the rule strikes.
		injected int
	}{
		"none that matches": {
			func(f *Faults) *Rule { return On[find](f, "stores").Drop() },
			[]string{"0s store a", "0s answer a", "1s store b", "1s answer b", "2s store c", "2s answer c"},
			0,
		},
		"drop": {
			func(f *Faults) *Rule { return second(f).Drop() },
			[]string{"0s store a", "0s answer a", "2s store c", "2s answer c"},
			1,
		},
		"delay": {
			func(f *Faults) *Rule { return second(f).Delay(5 * time.Second) },
			[]string{"0s store a", "0s answer a", "2s store c", "2s answer c", "6s store b", "6s answer b"},
			1,
		},
		"duplicate": {
			func(f *Faults) *Rule { return second(f).Duplicate() },
			[]string{
				"0s store a", "0s answer a", "1s store b", "1s store b", "1s answer b", "1s answer b", "2s store c", "2s answer c",
			},
			1,
		},
		"reorder": {
			func(f *Faults) *Rule { return second(f).Reorder(time.Minute) },
			[]string{"0s store a", "0s answer a", "2s store c", "2s store b", "2s answer c", "2s answer b"},
			1,
		},
		"reorder without a next": {
			func(f *Faults) *Rule { return On[find](f, "store").Nth(3).Reorder(5 * time.Second) },
			[]string{"0s store a", "0s answer a", "1s store b", "1s answer b", "7s store c", "7s answer c"},
			0,
		},
		"hold": {
			func(f *Faults) *Rule { return second(f).Hold() },
			[]string{"0s store a", "0s answer a", "2s store c", "2s answer c", "20s store b", "20s answer b"},
			1,
		},
		"lose the reply": {
			func(f *Faults) *Rule { return second(f).LoseReply() },
			[]string{"0s store a", "0s answer a", "1s store b", "2s store c", "2s answer c"},
			1,
		},
		"panic": {
			func(f *Faults) *Rule { return second(f).Panic(errBroken) },
			[]string{"0s store a", "0s answer a", "1s undelivered", "1s store starts", "2s store c", "2s answer c"},
			1,
		},
		"slow": {
			func(f *Faults) *Rule { return second(f).Slow(5 * time.Second) },
			[]string{"0s store a", "0s answer a", "6s store b", "6s store c", "6s answer b", "6s answer c"},
			1,
		},
		"drop the answers": {
			func(f *Faults) *Rule { return On[*found](f, "*/asker").Next(2).Drop() },
			[]string{"0s store a", "1s store b", "2s store c", "2s answer c"},
			2,
		},
	}
	for name, tt := range tests {
		for _, run := range []string{"own", "caller runs"} {
			t.Run(name+"/"+run, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					dispatch := kit.Own()
					if run == "caller runs" {
						dispatch = kit.CallerRuns()
					}
					s := newStage(t, New(), dispatch)
					rule := tt.rule(s.faults)
					s.ask("a", "b", "c")
					s.pass(17 * time.Second)
					rule.Release()
					s.pass(time.Second)
					s.wantInAnyTurn(tt.want)
					if rule.Injected() != tt.injected {
						t.Errorf("injected %d, want %d", rule.Injected(), tt.injected)
					}
					if n := s.faults.Report().Count(rule.kind); n != tt.injected {
						t.Errorf("reported %d, want %d", n, tt.injected)
					}
					if !s.faults.Idle() {
						t.Error("still looks at messages")
					}
					s.close()
				})
			})
		}
	}
}

func TestCrashLoopLastsUntilReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, New(), kit.Own())
		rule := On[find](s.faults, "store").Once().CrashLoop(errBroken)
		life := WatchLife(s.faults, "store")
		s.ask("a")
		death, err := life.ExpectDeath(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(death.Failure, errBroken) {
			t.Errorf("failure %v", death.Failure)
		}
		// The first panic, and one for each restart that a root gets.
		if n := rule.Injected(); n != 1+kit.DefaultMaxRestarts {
			t.Errorf("injected %d", n)
		}
		s.want("0s undelivered")
		s.close()
	})
}

func TestCrashLoopReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New()
		s := &stage{t: t, start: time.Now(), faults: f}
		s.system = kit.NewSystem(kit.Config{Faults: f, Roots: kit.Supervision{Backoff: kit.Backoff{Initial: time.Second}}})
		s.store = s.spawn("store", kit.Own(), s.storeReceives)
		s.asker = s.spawn("asker", kit.Own(), s.askerReceives)
		rule := On[find](s.faults, "store").Once().CrashLoop(errBroken)
		s.ask("a") // starts anew at 1 s and, twice as late, at 3 s
		if err := rule.Await(3, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		rule.Release()
		s.pass(10 * time.Second)
		s.ask("b")
		s.want("0s undelivered", "7s store starts", "13s store b", "13s answer b")
		s.close()
	})
}

func TestDropClosesWhatWasCarried(t *testing.T) {
	onStage(t, func(s *stage) {
		var opened, closed int
		On[parcel](s.faults, "store").Once().Drop()
		held := On[parcel](s.faults, "store").Once().Hold()
		s.system.Send(s.store, &parcel{&opened, &closed})
		s.pass(time.Second)
		if opened != 0 || closed != 1 {
			t.Errorf("dropped: opened %d, closed %d", opened, closed)
		}
		s.system.Send(s.store, &parcel{&opened, &closed})
		if held.Held() != 1 {
			t.Errorf("held %d", held.Held())
		}
		s.close()
		if opened != 0 || closed != 2 {
			t.Errorf("held at the end: opened %d, closed %d", opened, closed)
		}
	})
}

func TestSlowStoreHoldsUpItsCallerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, New(), kit.CallerRuns())
		rule := On[find](s.faults, "store").From("house/asker").Once().Slow(5 * time.Second)
		s.ask("a")
		other := s.spawn("other", kit.Own(), s.askerReceives)
		s.system.Send(other, &find{Text: "b"}) // waits in the store's mailbox, not in the other's handler
		s.system.Send(other, &found{Text: "c"})
		s.pass(10 * time.Second)
		s.wantInAnyTurn([]string{"1s answer c", "5s store a", "5s answer a", "5s store b", "5s answer b"})
		if rule.Injected() != 1 {
			t.Errorf("injected %d", rule.Injected())
		}
		s.close()
	})
}

func TestReleaseEndsASlowHandler(t *testing.T) {
	onStage(t, func(s *stage) {
		rule := On[find](s.faults, "store").Slow(time.Hour)
		s.ask("a", "b")
		rule.Release()
		s.pass(0)
		s.wantInAnyTurn([]string{"2s store a", "2s answer a", "2s store b", "2s answer b"})
	})
}

func TestDuplicateIsACopy(t *testing.T) {
	m := &find{Text: "a"}
	c := shallow(m).(*find)
	if c == m || c.Text != "a" {
		t.Errorf("copy %p %+v of %p", c, c, m)
	}
	for _, same := range []any{"text", 3, jot{"a"}, (*find)(nil), nil} {
		if shallow(same) != same {
			t.Errorf("%v was changed", same)
		}
	}
}
