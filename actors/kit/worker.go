package kit

import (
	"context"
	"sync"
)

// maxIdleWorkers is how many goroutines wait for their next task. A burst beyond it starts goroutines that end when they are done.
const maxIdleWorkers = 64

// task is what a goroutine does for actors: a flow's turn, an actor's turn or, where neither is set, work.
type task struct {
	flow *FlowDispatcher
	cell *cell
	work work
	ctx  context.Context
}

// some reports whether there is anything to do.
func (t *task) some() bool { return t.flow != nil || t.cell != nil || t.work.cell != nil }

// run does t, and then what the flow that t ran has left for this goroutine. t is empty afterwards.
func (t *task) run(s *System) {
	for t.some() {
		now := *t
		*t = task{}
		switch {
		case now.flow != nil:
			now.flow.run(s, t)
		case now.cell != nil:
			now.cell.serveAlone()
		default:
			now.work.start(now.ctx, t)
		}
	}
}

// workers run tasks, each on a goroutine of its own. A few of those that have nothing left to do stay, since their stacks
// have grown to what actors need: growing a new one costs as much as a twentieth of a connection's set-up.
type workers struct {
	mu    sync.Mutex
	idle  []chan task // the one that came last is taken first
	ended bool
	alive int
	gone  sync.Cond // alive has become 0; L is mu
}

// launch runs t on an idle goroutine or on a new one. The caller has begun it. A task must leave its goroutine as it found it: not
// locked to a thread.
func (s *System) launch(t task) {
	if next := s.workers.take(); next != nil {
		next <- t
		return
	}
	go s.worker(t)
}

// worker runs one task after another, until there are idle ones enough.
func (s *System) worker(t task) {
	defer s.workers.leave()
	var next chan task
	for {
		t.run(s) // and it holds nothing while it waits
		if next == nil {
			next = make(chan task, 1)
		}
		if !s.workers.offer(next) {
			return
		}
		var more bool
		if t, more = <-next; !more {
			return
		}
	}
}

// take gives an idle goroutine's channel; nil means that there is none, and that the caller starts one.
func (w *workers) take() chan task {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := len(w.idle) - 1
	if last < 0 {
		w.alive++
		return nil
	}
	next := w.idle[last]
	w.idle[last] = nil
	w.idle = w.idle[:last]
	return next
}

func (w *workers) offer(next chan task) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended || len(w.idle) >= maxIdleWorkers {
		return false
	}
	w.idle = append(w.idle, next)
	return true
}

func (w *workers) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.alive--; w.alive == 0 {
		w.gone.Broadcast()
	}
}

// dismiss lets the idle goroutines go, and the others when they are done.
func (w *workers) dismiss() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for _, next := range w.idle {
		close(next)
	}
	w.idle = nil
}

// wait waits until all have ended: they must have been dismissed, and have no task any more.
func (w *workers) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.alive > 0 {
		w.gone.Wait()
	}
}
