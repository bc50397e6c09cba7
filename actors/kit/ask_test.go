package kit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// echo answers strings, twice, and durations after that time.
func echo(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case string:
		ctx.Respond(m)
		ctx.Respond(m + " again")
	case *cargo:
		sender := ctx.Sender()
		Go(ctx, func(context.Context) any {
			<-time.After(time.Minute)
			ctx.Send(sender, m)
			return nil
		})
	}
}

func TestAskReturnsTheFirstReplyToEachOfManyAskers(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		pid := spawnRoot(t, s, Spec{New: actorOf(echo)}, "echo")
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if reply, err := AskFor[string](t.Context(), s, pid, "hello", time.Second); err != nil || reply != "hello" {
					t.Errorf("got %q, %v", reply, err)
				}
			})
		}
		all.Wait()
	})
}

func TestAskFailsWhenNobodyAnswers(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		pid := spawnRoot(t, s, Spec{New: actorOf(echo)}, "echo")
		closed := 0
		start := time.Now()
		if _, err := Ask(t.Context(), s, pid, &cargo{&closed}, time.Second); !errors.Is(err, ErrDeadline) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		pass(time.Hour) // the reply comes meanwhile
		synctest.Wait()
		if closed != 1 {
			t.Errorf("late reply closed %d times", closed)
		}
		_, err := Ask(t.Context(), s, actor.NewPID("nonhost", "nobody"), 1, time.Second)
		if !errors.Is(err, ErrUndelivered) || err.Error() != "ask actor nobody for int: the question could not be delivered" {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Ask(ctx, s, pid, 1, time.Second); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, err := AskFor[int](t.Context(), s, pid, "text", time.Second); !errors.Is(err, errForeignAnswer) {
			t.Errorf("got %v", err)
		}
	})
}
