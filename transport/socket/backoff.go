package socket

import (
	"context"
	"errors"
	"net"
	"time"
)

// The pauses of a Backoff.
const (
	minBackoff = 5 * time.Millisecond
	maxBackoff = time.Second
)

// Backoff spaces out the retries of an accept loop, so that an error that persists (no descriptors, no memory)
// doesn't make it spin. The zero value is ready. It belongs to one goroutine.
type Backoff struct{ next time.Duration }

// Wait pauses after a failed Accept: 5 ms at first, doubling up to 1 s. It returns nil when it is time to accept
// again, err itself when that says the listener is closed, and the context's error when that ends.
func (b *Backoff) Wait(ctx context.Context, err error) error {
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	b.next = min(max(2*b.next, minBackoff), maxBackoff)
	pause := time.NewTimer(b.next)
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Reset starts over after a successful Accept.
func (b *Backoff) Reset() { b.next = 0 }
