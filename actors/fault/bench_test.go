package fault

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// counter spawns an actor that does nothing, on its sender's goroutine.
func counter(tb testing.TB, s *kit.System) *actor.PID {
	tb.Helper()
	pid, err := s.SpawnRoot(kit.Spec{
		Role: "counter", Capacity: 1024, Run: kit.CallerRuns(), New: func() actor.Actor { return behave(func(actor.Context) {}) },
	}, "counter")
	if err != nil {
		tb.Fatal(err)
	}
	return pid
}

// BenchmarkSend is the cost of one message to an idle actor without faults, with Faults that have no rule, and with a rule
// for other messages.
func BenchmarkSend(b *testing.B) {
	for _, bench := range []struct {
		name   string
		faults func() kit.FaultHook
	}{
		{"no hook", func() kit.FaultHook { return nil }},
		{"no rule", func() kit.FaultHook { return New() }},
		{"another rule", func() kit.FaultHook { f := New(); On[find](f, "counter").Drop(); return f }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := kit.NewSystem(kit.Config{Faults: bench.faults()})
			pid := counter(b, s)
			msg := &messages.Drain{}
			b.ReportAllocs()
			for b.Loop() {
				s.Send(pid, msg)
			}
			if err := s.Shutdown(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func TestFaultsWithoutRulesAllocateNothing(t *testing.T) {
	f := New()
	s := kit.NewSystem(kit.Config{Faults: f})
	pid := counter(t, s)
	msg := &messages.Drain{}
	for range 2 {
		if n := testing.AllocsPerRun(1000, func() { s.Send(pid, msg) }); n > 0.1 {
			t.Errorf("%v allocations for each message", n)
		}
		On[messages.Drain](f, "counter").Drop().Release() // what has gone costs nothing either
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
