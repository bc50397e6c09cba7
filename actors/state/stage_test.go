package state

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// stage is a system with a probe: an actor that asks on the test's behalf and keeps what it hears.
type stage struct {
	t      *testing.T
	system *kit.System
	probe  *actor.PID
	heard  chan any
}

// put is a request to the probe: send msg to whom, as the sender.
type put struct {
	to  *actor.PID
	msg any
}

type probe struct{ heard chan any }

func (p *probe) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started, *actor.Stopping, *actor.Stopped:
	case *put:
		ctx.Request(m.to, m.msg)
	default:
		p.heard <- m
	}
}

// onStage runs a test in virtual time, with a system that is shut down at its end.
func onStage(t *testing.T, cfg kit.Config, test func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, system: kit.NewSystem(cfg), heard: make(chan any, 4096)}
		s.probe = s.spawn(kit.Spec{
			Role: "probe", New: func() actor.Actor { return &probe{s.heard} }, Capacity: 8192, Run: kit.CallerRuns(),
		}, "probe")
		defer func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := s.system.Shutdown(ctx); err != nil {
				t.Error(err)
			}
		}()
		test(s)
	})
}

func (s *stage) spawn(spec kit.Spec, name string) *actor.PID {
	s.t.Helper()
	pid, err := s.system.SpawnRoot(spec, name)
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

// ask sends a question as the probe; the answer is among what the probe hears.
func (s *stage) ask(to *actor.PID, question any) { s.system.Send(s.probe, &put{to, question}) }

// quiet reports that nothing was heard once everything has come to rest.
func (s *stage) quiet() {
	s.t.Helper()
	synctest.Wait()
	select {
	case m := <-s.heard:
		s.t.Fatalf("heard %T %+v, want nothing", m, m)
	default:
	}
}

// hears takes the next message that the probe hears, within two minutes.
func hears[T any](s *stage) T {
	s.t.Helper()
	select {
	case m := <-s.heard:
		v, ok := m.(T)
		if !ok {
			s.t.Fatalf("heard %T %+v, want %T", m, m, v)
		}
		return v
	case <-time.After(2 * time.Minute):
		var v T
		s.t.Fatalf("did not hear %T", v)
		return v
	}
}

// crash makes a store panic when it handles the message, which is its argument.
type crash struct{ kit.FaultHook }

func (crash) Post(_ kit.Target, msg any, deliver func(any)) { deliver(msg) }

func (crash) Handling(_ kit.Target, msg any) {
	if _, ok := msg.(*breakDown); ok {
		panic("broken on purpose")
	}
}

type breakDown struct{}
