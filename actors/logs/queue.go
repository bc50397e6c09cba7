package logs

import (
	"context"
	"io"
	"sync"
)

const (
	// maxQueued is how many lines wait for the writer before Send blocks (spec/ops.md §2.7).
	maxQueued = 10_000
	// maxKept is the largest buffer, in bytes, that is kept for reuse between batches.
	maxKept = 1 << 20
)

// queue collects whole lines and writes them in batches from one goroutine. It copies what it takes.
type queue struct {
	out  io.Writer
	done chan struct{}

	mu     sync.Mutex
	filled sync.Cond // there are lines, or it is closed
	room   sync.Cond // there is room for a line
	// pending holds lines whole lines; spare is the other buffer of the two that are swapped.
	pending, spare []byte
	lines          int
	// taken and written count lines since the start; failed those that the output refused.
	taken, written, failed uint64
	waiters                []flushWaiter
	closed                 bool
}

// flushWaiter wants to hear when the first upto lines have been written.
type flushWaiter struct {
	upto uint64
	done chan struct{}
}

func newQueue(out io.Writer) *queue {
	q := &queue{out: out, done: make(chan struct{})}
	q.filled.L, q.room.L = &q.mu, &q.mu
	go q.run()
	return q
}

// Write takes one line and waits while the queue is full. After close the line is written at once.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.lines >= maxQueued && !q.closed {
		q.room.Wait()
	}
	if q.closed {
		return q.out.Write(line)
	}
	q.pending = append(q.pending, line...)
	q.lines++
	q.taken++
	if q.lines == 1 {
		q.filled.Signal()
	}
	return len(line), nil
}

// run writes batches until the queue is closed and empty.
func (q *queue) run() {
	defer close(q.done)
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for q.lines == 0 && !q.closed {
			q.filled.Wait()
		}
		if q.lines == 0 {
			return
		}
		q.writeBatch()
	}
}

// writeBatch writes everything that waits, without holding the lock meanwhile.
func (q *queue) writeBatch() {
	batch, lines := q.pending, q.lines
	q.pending, q.spare, q.lines = q.spare[:0], nil, 0
	q.room.Broadcast()
	q.mu.Unlock()
	_, err := q.out.Write(batch)
	q.mu.Lock()
	if err != nil {
		q.failed += uint64(lines)
	}
	q.written += uint64(lines)
	if cap(batch) <= maxKept {
		q.spare = batch
	}
	waiting := q.waiters[:0]
	for _, w := range q.waiters {
		if w.upto > q.written {
			waiting = append(waiting, w)
			continue
		}
		close(w.done)
	}
	q.waiters = waiting
}

// flush waits until everything taken so far was written, or ctx ends.
func (q *queue) flush(ctx context.Context) error {
	q.mu.Lock()
	if q.written == q.taken {
		q.mu.Unlock()
		return nil
	}
	w := flushWaiter{upto: q.taken, done: make(chan struct{})}
	q.waiters = append(q.waiters, w)
	q.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close writes what waits, stops the goroutine, and gives up waiting for it when ctx ends.
func (q *queue) close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.filled.Signal()
	q.room.Broadcast()
	q.mu.Unlock()
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
