package kit

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

// watching is a fault hook that writes down what it is told.
type watching struct {
	meddling
	diary
	idle    atomic.Bool
	crashes int // how often starting again fails
}

func (w *watching) Serve(s *System) { w.add(fmt.Sprintf("serve %t", s != nil)) }
func (w *watching) Idle() bool      { return w.idle.Load() }
func (w *watching) Event(e Event)   { w.add(fmt.Sprintf("%T", e)) }
func (w *watching) Shutdown()       { w.add("shutdown") }

func (w *watching) Starting(who Target, life uint32) {
	w.add(fmt.Sprintf("starting %s %d", who.PID.Id, life))
	if life > 0 && w.crashes > 0 {
		w.crashes--
		panic("again")
	}
}

func (w *watching) Stopped(who Target) { w.add("stopped " + who.Role + " " + who.PID.Id) }

func (w *watching) Notes(pid *actor.PID) []FaultNote { return []FaultNote{{Actor: pid}} }

func TestAWatcherHearsOfLives(t *testing.T) {
	w := &watching{crashes: 2}
	bubble(t, Config{Faults: w}, func(t *testing.T, s *System, _ *journal) {
		pid := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			if ctx.Message() == "panic" {
				panic("once")
			}
		})}, "target")
		s.Send(pid, "panic")
		synctest.Wait()
		if notes := s.FaultNotes(pid); len(notes) != 1 || notes[0].Actor != pid {
			t.Errorf("notes %+v", notes)
		}
	})
	want := []string{
		"serve true", "starting target 0", "kit.Restarted", "starting target 1", "kit.Restarted", "starting target 2",
		"kit.Restarted", "starting target 3", "stopped test target", "shutdown",
	}
	if got := w.all(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if notes := NewSystem(Config{Faults: meddling{}}).FaultNotes(nil); notes != nil {
		t.Errorf("notes %+v", notes)
	}
}

func TestAnIdleHookSeesNoMessage(t *testing.T) {
	w := &watching{}
	w.post = func(to Target, msg any, deliver func(any)) {
		w.add(fmt.Sprint("post ", msg, " from ", to.Sender.GetId()))
		deliver(msg)
	}
	w.handling = func(to Target, msg any) { w.add(fmt.Sprint("handling ", msg, " from ", to.Sender.GetId())) }
	bubble(t, Config{Faults: w}, func(t *testing.T, s *System, _ *journal) {
		pid := spawnRoot(t, s, Spec{Run: CallerRuns(), New: actorOf(func(actor.Context) {})}, "target")
		w.idle.Store(true)
		s.Send(pid, "unseen")
		w.idle.Store(false)
		s.Send(pid, "a")
		s.actors.Root.RequestWithCustomSender(pid, "b", pid)
		got := w.all()[2:]
		if want := []string{"post a from ", "handling a from ", "post b from target", "handling b from target"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}

func TestAMessageMayBeDeliveredInAnotherEnvelope(t *testing.T) {
	slice := []string{"can't", "be", "compared"}
	tests := map[string]struct {
		msg, deliver any
		want         string
	}{
		"the same":             {"a", "a", "a from asker"},
		"another":              {"a", "b", "b from asker"},
		"not comparable":       {slice, slice, "[can't be compared] from asker"},
		"in its own envelope":  {"a", &actor.MessageEnvelope{Message: "b", Sender: actor.NewPID("", "other")}, "b from other"},
		"of another type":      {"a", 1, "1 from asker"},
		"instead of a pointer": {&slice, slice, "[can't be compared] from asker"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			hook := meddling{post: func(_ Target, _ any, deliver func(any)) { deliver(tt.deliver) }}
			bubble(t, Config{Faults: hook}, func(t *testing.T, s *System, _ *journal) {
				heard := new(diary)
				pid := spawnRoot(t, s, Spec{Run: CallerRuns(), New: actorOf(func(ctx actor.Context) {
					if _, ok := ctx.Message().(*actor.Started); !ok && ctx.Sender() != nil {
						heard.add(fmt.Sprint(ctx.Message(), " from ", ctx.Sender().Id))
					}
				})}, "target")
				s.actors.Root.RequestWithCustomSender(pid, tt.msg, actor.NewPID("", "asker"))
				expect(t, heard, tt.want)
			})
		})
	}
}
