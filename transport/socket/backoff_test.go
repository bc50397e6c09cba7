package socket

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := os.NewSyscallError("accept4", syscall.EMFILE)
		var b Backoff
		pause := func() time.Duration {
			start := time.Now()
			if err := b.Wait(t.Context(), full); err != nil {
				t.Fatal(err)
			}
			return time.Since(start)
		}
		want := 5 * time.Millisecond
		for range 12 {
			if got := pause(); got != want {
				t.Errorf("paused %s, want %s", got, want)
			}
			want = min(2*want, time.Second)
		}
		b.Reset()
		if got := pause(); got != 5*time.Millisecond {
			t.Errorf("after a success paused %s", got)
		}
		closed := &net.OpError{Op: "accept", Err: net.ErrClosed}
		if err := b.Wait(t.Context(), closed); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed listener gives %v", err)
		}
		drained := errors.New("drained")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(drained)
		if err := b.Wait(ctx, full); !errors.Is(err, drained) {
			t.Errorf("a context that ended gives %v", err)
		}
	})
}
