package fault

import (
	"fmt"
	"slices"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// suffering counts which of n messages a rule drops.
func suffering(f *Faults, n int) []int {
	var dropped []int
	for i := range n {
		arrived := false
		f.Post(kit.Target{Role: "store", PID: actor.NewPID("", "house/store")}, &jot{fmt.Sprint(i)}, func(any) { arrived = true })
		if !arrived {
			dropped = append(dropped, i+1)
		}
	}
	return dropped
}

func TestSelection(t *testing.T) {
	tests := map[string]struct {
		choose func(s *Selector[jot]) *Selector[jot]
		text   string
		want   []int
	}{
		"all":     {func(s *Selector[jot]) *Selector[jot] { return s }, `On[fault.jot]("store").Drop()`, []int{1, 2, 3, 4, 5}},
		"always":  {func(s *Selector[jot]) *Selector[jot] { return s.Once().Always() }, `On[fault.jot]("store").Drop()`, []int{1, 2, 3, 4, 5}},
		"once":    {(*Selector[jot]).Once, `On[fault.jot]("store").Once().Drop()`, []int{1}},
		"nth":     {func(s *Selector[jot]) *Selector[jot] { return s.Nth(3) }, `On[fault.jot]("store").Nth(3).Drop()`, []int{3}},
		"next":    {func(s *Selector[jot]) *Selector[jot] { return s.Next(2) }, `On[fault.jot]("store").Next(2).Drop()`, []int{1, 2}},
		"never":   {func(s *Selector[jot]) *Selector[jot] { return s.Chance(0) }, `On[fault.jot]("store").Chance(0).Drop()`, nil},
		"surely":  {func(s *Selector[jot]) *Selector[jot] { return s.Chance(1) }, `On[fault.jot]("store").Chance(1).Drop()`, []int{1, 2, 3, 4, 5}},
		"asked":   {func(s *Selector[jot]) *Selector[jot] { return s.From("*") }, `On[fault.jot]("store").From("*").Drop()`, nil},
		"by what": {func(s *Selector[jot]) *Selector[jot] { return s.Where(func(m *jot) bool { return m.Text == "1" }) }, `On[fault.jot]("store").Drop()`, []int{2}},
		"of those": {func(s *Selector[jot]) *Selector[jot] {
			return s.Where(func(m *jot) bool { return m.Text > "0" }).Nth(2)
		}, `On[fault.jot]("store").Nth(2).Drop()`, []int{3}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := New()
			rule := tt.choose(On[jot](f, "store")).Drop()
			if got := suffering(f, 5); !slices.Equal(got, tt.want) {
				t.Errorf("dropped %v, want %v", got, tt.want)
			}
			if rule.String() != tt.text {
				t.Errorf("rule %s, want %s", rule, tt.text)
			}
		})
	}
}

func TestChanceFollowsTheSeed(t *testing.T) {
	const n, p = 1000, 0.3
	draw := func(seed uint64, before int) []int {
		f := Seeded(seed)
		for range before {
			On[find](f, "nobody").Drop().Release()
		}
		On[jot](f, "store").Chance(p).Drop()
		return suffering(f, n)
	}
	first := draw(1, 0)
	if len(first) < 250 || len(first) > 350 {
		t.Errorf("dropped %d of %d", len(first), n)
	}
	if !slices.Equal(first, draw(1, 0)) {
		t.Error("the same seed, another choice")
	}
	if slices.Equal(first, draw(2, 0)) || slices.Equal(first, draw(1, 1)) {
		t.Error("another seed or rule, the same choice")
	}
}

func TestTypesOfMessages(t *testing.T) {
	tests := map[string]struct {
		rule func(f *Faults)
		want bool
	}{
		"value":           {func(f *Faults) { On[jot](f, "store").Drop() }, true},
		"pointer":         {func(f *Faults) { On[*jot](f, "store").Drop() }, true},
		"any":             {func(f *Faults) { On[any](f, "store").Drop() }, true},
		"another":         {func(f *Faults) { On[jotted](f, "store").Drop() }, false},
		"interface":       {func(f *Faults) { On[interface{ Undeliver() }](f, "store").Drop() }, false},
		"another's actor": {func(f *Faults) { On[jot](f, "asker").Drop() }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := New()
			tt.rule(f)
			if got := len(suffering(f, 1)) == 1; got != tt.want {
				t.Errorf("suffered: %v", got)
			}
		})
	}
	f := New()
	On[string](f, "store").Drop()
	arrived := false
	f.Post(kit.Target{Role: "store"}, "text", func(any) { arrived = true })
	if arrived {
		t.Error("a message that is a value did not suffer")
	}
}

func TestTheFirstRuleActs(t *testing.T) {
	f := New()
	first := On[jot](f, "store").Once().Drop()
	second := On[jot](f, "store").Once().Drop()
	if got := suffering(f, 3); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("dropped %v", got)
	}
	if first.Matched() != 3 || second.Matched() != 2 {
		t.Errorf("matched %d and %d", first.Matched(), second.Matched())
	}
}

func TestMisuse(t *testing.T) {
	f := New()
	tests := map[string]func(){
		`fault: On[fault.jot]("store"): faults is nil`:                                                            func() { On[jot](nil, "store") },
		`fault: On[fault.jot](""): pattern "": it names no actor`:                                                 func() { On[jot](f, "") },
		`fault: On[fault.jot]("[a"): pattern "[a": syntax error in pattern`:                                       func() { On[jot](f, "[a") },
		`fault: On[fault.jot]("store").Nth(0): n must be at least 1`:                                              func() { On[jot](f, "store").Nth(0) },
		`fault: On[fault.jot]("store").Next(-1): n must be at least 1`:                                            func() { On[*jot](f, "store").Next(-1) },
		`fault: On[fault.jot]("store").Chance(1.5): a probability is 0 to 1`:                                      func() { On[jot](f, "store").Chance(1.5) },
		`fault: On[fault.jot]("store").Chance(NaN): a probability is 0 to 1`:                                      func() { On[jot](f, "store").Chance(nan()) },
		`fault: On[fault.jot]("store").From: pattern "]\\": syntax error in pattern`:                              func() { On[jot](f, "store").From(`]\`) },
		`fault: On[fault.jot]("store").Where: match is nil`:                                                       func() { On[jot](f, "store").Where(nil) },
		`fault: On[fault.jot]("store").Delay(0s): the time must be positive`:                                      func() { On[jot](f, "store").Delay(0) },
		`fault: On[fault.jot]("store").Reorder(-1ns): the time must be positive`:                                  func() { On[jot](f, "store").Reorder(-1) },
		`fault: On[fault.jot]("store").Slow(-1ns): the time must be positive`:                                     func() { On[jot](f, "store").Slow(-1) },
		`fault: On[fault.jot]("store").Panic(nil): the error is nil`:                                              func() { On[jot](f, "store").Panic(nil) },
		`fault: On[fault.jot]("store").CrashLoop(nil): the error is nil`:                                          func() { On[jot](f, "store").CrashLoop(nil) },
		`fault: Watch[fault.jot]("store"): faults is nil`:                                                         func() { Watch[jot](nil, "store") },
		`fault: Watch[fault.jot](""): pattern "": it names no actor`:                                              func() { Watch[jot](f, "") },
		`fault: WatchLife("store"): faults is nil`:                                                                func() { WatchLife(nil, "store") },
		`fault: WatchLife(""): pattern "": it names no actor`:                                                     func() { WatchLife(f, "") },
		`fault: On[fault.jot]("store").Hold(): the selector has made a rule already; begin again with On`:         func() { twice(f) },
		`fault: these Faults serve another system; each node needs its own`:                                       func() { f := New(); f.Serve(new(kit.System)); f.Serve(new(kit.System)) },
		`fault: On[fault.jot]("store").Drop(): 256 rules are in force already; release those that are not needed`: func() { fill(New()) },
		`fault: Watch[fault.jot]("store"): 256 probes look already; close those that are not needed`:              func() { watch(New()) },
	}
	for want, wrong := range tests {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("got  %v\nwant %s", got, want)
				}
			}()
			wrong()
		})
	}
	if n := len(f.rules.all()); n != 1 {
		t.Errorf("%d rules are in force", n)
	}
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}

func twice(f *Faults) {
	s := On[jot](f, "store")
	s.Drop()
	s.Hold()
}

func fill(f *Faults) {
	for range MaxRules + 1 {
		On[jot](f, "store").Drop()
	}
}

func watch(f *Faults) {
	for range maxProbes + 1 {
		Watch[jot](f, "store")
	}
}
