package kit

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

// breaks dereferences nothing.
func breaks(p *struct{ n int }) int { return p.n }

func TestFailureHasTheStackFromReceiveToThePanic(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		pid := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*cargo); ok {
				breaks(nil)
			}
		})}, "root")
		closed := 0
		s.Send(pid, &cargo{&closed})
		synctest.Wait()
		events := of[Restarted](j)
		if len(events) != 1 {
			t.Fatalf("events: %+v", events)
		}
		f := events[0].Failure
		lines := strings.Split(strings.TrimSpace(f.Stack), "\n")
		if len(lines) != 3 || !strings.Contains(lines[0], "kit.breaks (kit/failure_test.go:") ||
			!strings.Contains(lines[1], "TestFailureHasTheStack") || !strings.Contains(lines[2], "kit.behave.Receive") {
			t.Errorf("stack:\n%s", f.Stack)
		}
		want := "actor root (test) panicked over *kit.cargo: runtime error: invalid memory address or nil pointer dereference"
		if f.Error() != want {
			t.Errorf("got %q", f.Error())
		}
		if closed != 1 {
			t.Errorf("the message over which it failed was closed %d times", closed)
		}
	})
}

func TestFailureUnwrapsErrors(t *testing.T) {
	if f := (&Failure{Value: errBroken}); !errors.Is(f, errBroken) {
		t.Error("does not unwrap")
	}
	if f := (&Failure{Value: "text"}); errors.Unwrap(f) != nil {
		t.Error("unwraps a text")
	}
}
