package trace

import (
	"context"
	"fmt"
	"sync/atomic"
)

// worker makes spans outside of the flows' time: one goroutine behind a bounded queue.
type worker struct {
	jobs     chan func()
	cut      *Counter
	quit     chan struct{}
	done     chan struct{}
	stopping atomic.Bool
	abandon  atomic.Bool
}

func startWorker(queue int, cut *Counter) *worker {
	w := &worker{jobs: make(chan func(), queue), cut: cut, quit: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *worker) run() {
	defer close(w.done)
	for {
		select {
		case job := <-w.jobs:
			w.do(job)
		case <-w.quit:
			w.drain()
			return
		}
	}
}

func (w *worker) drain() {
	for {
		select {
		case job := <-w.jobs:
			w.do(job)
		default:
			return
		}
	}
}

func (w *worker) do(job func()) {
	if w.abandon.Load() {
		w.cut.Add(1)
		return
	}
	job()
}

// submit hands over a job, or counts it as cut and says so when the queue is full or the worker has ended. It never
// waits.
func (w *worker) submit(job func()) bool {
	if !w.stopping.Load() {
		select {
		case w.jobs <- job:
			return true
		default:
		}
	}
	w.cut.Add(1)
	return false
}

// flush waits until all jobs submitted before it have run.
func (w *worker) flush(ctx context.Context) error {
	ran := make(chan struct{})
	select {
	case w.jobs <- func() { close(ran) }:
	case <-w.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the trace queue: %w", ctx.Err())
	}
	select {
	case <-ran:
	case <-w.done:
	case <-ctx.Done():
		return fmt.Errorf("wait for the trace worker: %w", ctx.Err())
	}
	return nil
}

// stop runs what is queued until ctx ends, and then waits for the goroutine. Jobs never block, so it always ends.
func (w *worker) stop(ctx context.Context) error {
	if w.stopping.Swap(true) {
		<-w.done
		return nil
	}
	close(w.quit)
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		w.abandon.Store(true)
		<-w.done
		return fmt.Errorf("stop the trace worker: %w", ctx.Err())
	}
}
