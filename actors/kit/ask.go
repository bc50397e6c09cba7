package kit

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Ask sends msg to an actor and waits for its reply, for code outside actors: handlers of the admin server, tests. It
// must not be called while an actor handles a message, for the actor asked may need that one. It returns
// [ErrUndelivered] when nobody took the message, [ErrDeadline] after timeout, and ctx's error when that ends first.
func Ask(ctx context.Context, s *System, pid *actor.PID, msg any, timeout time.Duration) (any, error) {
	a := &asker{reply: make(chan any, 1)}
	self, _ := s.actors.ProcessRegistry.Add(a, "ask/"+strconv.FormatUint(s.names.Add(1), 10))
	defer s.actors.ProcessRegistry.Remove(self)
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()

	s.actors.Root.RequestWithCustomSender(pid, msg, self)
	var err error
	select {
	case reply := <-a.reply:
		if _, ok := reply.(*Undelivered); !ok {
			return reply, nil
		}
		err = ErrUndelivered
	case <-deadline.C:
		err = ErrDeadline
	case <-ctx.Done():
		err = ctx.Err()
	}
	a.abandon()
	return nil, fmt.Errorf("ask actor %s for %s: %w", name(pid), typeOf(msg), err)
}

// AskFor is Ask for a reply of type T; it returns an error for another.
func AskFor[T any](ctx context.Context, s *System, pid *actor.PID, msg any, timeout time.Duration) (T, error) {
	reply, err := Ask(ctx, s, pid, msg, timeout)
	if err != nil {
		var none T
		return none, err
	}
	t, ok := reply.(T)
	if !ok {
		Undeliver(reply)
		return t, fmt.Errorf("ask actor %s for %s: %w: %s", name(pid), typeOf(msg), errForeignAnswer, typeOf(reply))
	}
	return t, nil
}

// asker is the address to which one reply goes.
type asker struct {
	reply chan any
}

var _ actor.Process = (*asker)(nil)

// SendUserMessage takes the first reply; others, and those that come when nobody waits any more, are undelivered.
func (a *asker) SendUserMessage(_ *actor.PID, msg any) {
	select {
	case a.reply <- actor.UnwrapEnvelopeMessage(msg):
	default:
		Undeliver(msg)
	}
}

// SendSystemMessage ignores the library's messages.
func (a *asker) SendSystemMessage(*actor.PID, any) {}

// Stop does nothing.
func (a *asker) Stop(*actor.PID) {}

// abandon fills the place of the reply, so that one that still comes is undelivered.
func (a *asker) abandon() {
	select {
	case a.reply <- nil:
	case late := <-a.reply:
		Undeliver(late)
		a.reply <- nil
	}
}
