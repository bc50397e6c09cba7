package fault

import (
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

func TestReportTellsAll(t *testing.T) {
	onStage(t, func(s *stage) {
		On[find](s.faults, "store").From("house/*").Once().Drop()
		held := On[find](s.faults, "store").Hold()
		On[jot](s.faults, "store").Nth(7).CrashLoop(errBroken).Release()
		s.ask("a", "b")
		r := s.faults.Report()
		const want = `2 faults injected by 3 rules
  #1 On[fault.find]("store").From("house/*").Once().Drop(): matched 2, injected 1
  #2 On[fault.find]("store").Hold(): matched 1, injected 1, holding 1
  #3 On[fault.jot]("store").Nth(7).CrashLoop("broken on purpose"): matched 0, injected 0, ended
  +0s #1 drop fault.find to house/store from house/asker
  +1s #2 hold fault.find to house/store from house/asker
`
		if r.String() != want {
			t.Errorf("got\n%swant\n%s", r, want)
		}
		if r.Count(Drop) != 1 || r.Count(Hold) != 1 || r.Count(Slow) != 0 {
			t.Errorf("counts %d, %d, %d", r.Count(Drop), r.Count(Hold), r.Count(Slow))
		}
		if i := r.Injections[1]; i.Rule != 2 || i.Role != "store" || i.At.Sub(s.start) != time.Second {
			t.Errorf("injection %+v", i)
		}
		held.Release()
	})
}

func TestReportIsBounded(t *testing.T) {
	f := New()
	drop := On[jot](f, "store").Drop()
	suffering(f, MaxInjections+3)
	hold := On[find](f, "store").Hold()
	arrived := 0
	for range MaxWaiting + 2 {
		f.Post(kit.Target{Role: "store", PID: actor.NewPID("", "a")}, &find{}, func(any) { arrived++ })
	}
	r := f.Report()
	if len(r.Injections) != MaxInjections || r.Unlisted != MaxWaiting+3 {
		t.Errorf("%d listed, %d not", len(r.Injections), r.Unlisted)
	}
	if drop.Injected() != MaxInjections+3 || r.Rules[0].Injected != MaxInjections+3 {
		t.Errorf("dropped %d", drop.Injected())
	}
	if r.Rules[1].TooMany != 2 || r.Rules[1].Held != MaxWaiting || arrived != 2 {
		t.Errorf("rule %+v, %d arrived", r.Rules[1], arrived)
	}
	if text := r.String(); !strings.Contains(text, "too many waiting for 2, holding 1024") ||
		!strings.HasSuffix(text, "  and 1027 more\n") {
		t.Errorf("ends %q", text[len(text)-100:])
	}
	if n := hold.Release(); n != MaxWaiting || arrived != MaxWaiting+2 {
		t.Errorf("released %d, %d arrived", n, arrived)
	}
	if n := len(f.journal.notes); n != maxNotes {
		t.Errorf("%d notes", n)
	}
	for range maxListed {
		On[jot](f, "store").Drop().Release()
	}
	if r := f.Report(); len(r.Rules) != maxListed || r.RulesUnlisted != 2 {
		t.Errorf("%d rules listed, %d not", len(r.Rules), r.RulesUnlisted)
	}
}
