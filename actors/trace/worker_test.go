package trace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWorkerRunsJobsInOrderAndCutsWhatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut Counter
		w := startWorker(2, &cut)
		gate := make(chan struct{})
		var ran []int
		w.submit(func() { <-gate })
		synctest.Wait() // the worker holds the gate, two more fit
		for i := range 5 {
			w.submit(func() { ran = append(ran, i) })
		}
		if cut.Value() != 3 {
			t.Errorf("%d cut, want 3", cut.Value())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush behind a full queue: %v", err)
		}
		close(gate)
		if err := w.flush(t.Context()); err != nil {
			t.Error(err)
		}
		if len(ran) != 2 || ran[0] != 0 || ran[1] != 1 {
			t.Errorf("ran %v, want 0 and 1", ran)
		}
		if err := w.stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := w.stop(t.Context()); err != nil {
			t.Error(err)
		}
		w.submit(func() { t.Error("a job runs after the end") })
		if cut.Value() != 4 {
			t.Errorf("%d cut, want 4", cut.Value())
		}
		if err := w.flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestStoppingRunsWhatIsQueuedUntilTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut Counter
		w := startWorker(10, &cut)
		ran := 0
		for range 5 {
			w.submit(func() { pass(400 * time.Millisecond); ran++ })
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop: %v", err)
		}
		if ran != 3 || cut.Value() != 2 {
			t.Errorf("%d ran and %d cut, want 3 and 2", ran, cut.Value())
		}
	})
}
