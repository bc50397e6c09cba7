package xds

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestEndingOf(t *testing.T) {
	for i, test := range []struct {
		err   error
		heard bool
		want  Ending
	}{
		{io.EOF, true, EndComplete},
		{io.EOF, false, EndComplete},
		{status.Error(codes.Unavailable, "connection refused"), false, EndConnectionError},
		{status.Error(codes.Unauthenticated, "authentication failure"), false, EndConnectionError},
		{errors.New("read the roots"), false, EndConnectionError},
		{status.Error(codes.Unknown, "x"), true, EndReconnect},
		{status.Error(codes.Canceled, "x"), true, EndReconnect},
		{status.Error(codes.DeadlineExceeded, "x"), true, EndReconnect},
		{status.Error(codes.Unavailable, "error reading from server: received prior goaway: code: NO_ERROR"), true, EndReconnect},
		{status.Error(codes.Unavailable, "transport is closing"), true, EndReconnect},
		{status.Error(codes.Unavailable, "connection reset by peer"), true, EndError},
		{status.Error(codes.ResourceExhausted, "x"), true, EndError},
		{status.Error(codes.Internal, "x"), true, EndError},
		{errors.New("x"), true, EndError},
		{fmt.Errorf("open: %w", status.Error(codes.Unavailable, "transport is closing")), true, EndReconnect},
	} {
		if got := EndingOf(test.err, test.heard); got != test.want {
			t.Errorf("%d %v: %s, want %s", i, test.err, got, test.want)
		}
	}
}

func TestBackoffDoubles(t *testing.T) {
	var b Backoff
	want := 20 * time.Millisecond
	for range 15 {
		low, high := b, b
		if got := low.Next(EndError, 0, 0); got != want/2 {
			t.Errorf("at least %s, want %s", got, want/2)
		}
		if got := high.Next(EndConnectionError, time.Second, 1); got != want {
			t.Errorf("at most %s, want %s", got, want)
		}
		b = high
		want = min(2*want, 15*time.Second)
	}
	// A server that ends streams in good order, but at once, is no better.
	if got := b.Next(EndReconnect, time.Second, 1); got != 15*time.Second {
		t.Errorf("flapping: %s", got)
	}
	// One that has lived makes good what was before.
	if low, high := (&Backoff{b.last}).Next(EndReconnect, time.Hour, 0), (&Backoff{b.last}).Next(EndComplete, time.Hour, 1); low != 10*time.Millisecond || high != 510*time.Millisecond {
		t.Errorf("graceful: %s to %s", low, high)
	}
	if got := b.Next(EndError, time.Hour, 1); got != 20*time.Millisecond {
		t.Errorf("an error after a long life: %s", got)
	}
}
