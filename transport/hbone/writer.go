package hbone

import (
	"golang.org/x/net/http2"
)

const (
	// mergeLimit is the largest payload that is copied behind other frames, to share a TLS record with them.
	mergeLimit = 4 * kib
	// flushAt is how many sealed bytes are written at once.
	flushAt = 8 * sealedRecord
	// drainLimit is how many bytes one goroutine writes, for others too, before the writer goroutine takes over.
	drainLimit = 512 * kib
	// provokedLimit is how many frames that the peer provoked may wait to be written.
	provokedLimit = 1000
)

// writer is the queue of frames to be written, and who writes. Writing is a role that one goroutine has at a time:
// whoever queues a frame takes it if it is free, and writes until the queue is empty or the socket takes no more;
// then the connection's writer goroutine, which is parked otherwise, goes on. Only that one waits for the socket.
type writer struct {
	queue    bufferList
	taken    bool // the role
	closed   bool // nothing is written any more
	last     bool // when the queue is empty, the sending side ends
	provoked int  // frames in the queue that the peer provoked
	kick     chan struct{}
	ended    chan struct{}
}

// queueControl appends frames that are no DATA.
func (w *writer) queueControl(frames []byte) {
	if w.closed || w.last {
		return
	}
	w.merge(len(frames), func(p []byte) { copy(p, frames) })
}

// merge appends n bytes, which fill puts there, behind the frames that wait already.
func (w *writer) merge(n int, fill func(p []byte)) {
	t := w.queue.tail
	if t == nil || !t.merge || len(t.mem)-t.w < n {
		if t = TakeBuffer(Buffer16K); n > len(t.mem) {
			t.mem = make([]byte, n) // a header block beyond all measure
		}
		t.merge = true
		w.queue.push(t)
	}
	fill(t.mem[t.w : t.w+n])
	t.w += n
	w.queue.size += n
}

// mergeData appends a short DATA frame.
func (w *writer) mergeData(h frameHeader, p []byte) {
	t := w.queue.tail
	n := frameHeaderLen + len(p)
	if t == nil || !t.merge || len(t.mem)-t.w < n {
		t = TakeBuffer(Buffer16K)
		t.merge = true
		w.queue.push(t)
	}
	h.put(t.mem[t.w:])
	copy(t.mem[t.w+frameHeaderLen:], p)
	t.w += n
	w.queue.size += n
}

// drain writes what is queued, unless somebody does already. It does not wait for the socket.
func (c *conn) drain() { c.drainUnless(true) }

// drainSealed writes also what TLS had to say by itself, while reading.
func (c *conn) drainSealed() { c.drainUnless(c.rec.Buffered() == 0) }

// drainUnless does nothing if idle and nothing is queued.
func (c *conn) drainUnless(idle bool) {
	w := &c.writer
	c.mu.Lock()
	if w.taken || w.closed || idle && w.queue.head == nil && !w.last {
		c.mu.Unlock()
		return
	}
	w.taken = true
	c.startGreeting()
	c.mu.Unlock()
	if c.rec.FlushWaits() || !c.writeQueue(drainLimit) {
		w.kick <- struct{}{}
	}
}

// writeQueue writes until the queue is empty, and gives the role back. It reports false, and keeps the role for the
// writer goroutine, if the socket takes no more, limit bytes are written, or the sending side is to be ended. What is
// sealed is written before anything else is sealed, so that it stays bounded.
func (c *conn) writeQueue(limit int) bool {
	w := &c.writer
	for {
		if c.rec.Stuck() || c.rec.Buffered() >= flushAt {
			if flushed, over := c.flush(); !flushed || limit <= 0 {
				return over
			}
		}
		c.mu.Lock()
		if w.closed {
			c.mu.Unlock()
			return true // the role is of no use to anybody
		}
		b := w.queue.pop()
		if b == nil {
			w.provoked = 0
		}
		if len(c.waiting) > 0 && w.queue.size <= c.set.StreamSendBuffer/2 {
			c.wakeWaiting()
		}
		c.mu.Unlock()
		if b != nil {
			limit -= b.w - b.r
			err := c.rec.Write(b.bytes())
			b.Release()
			if err != nil {
				c.fail(err)
				return true
			}
			continue
		}
		if flushed, over := c.flush(); !flushed {
			return over
		}
		c.mu.Lock()
		if w.queue.head == nil {
			last := w.last // the end of the sending side is the writer goroutine's
			w.taken = last
			c.mu.Unlock()
			return !last
		}
		c.mu.Unlock()
	}
}

// flush writes what is sealed. It reports whether the socket took all, and whether the connection failed.
func (c *conn) flush() (flushed, failed bool) {
	flushed, err := c.rec.Flush()
	if err != nil {
		c.fail(err)
		return false, true
	}
	return flushed, false
}

// write is the writer goroutine. Each kick hands it the role.
func (c *conn) write() {
	defer close(c.writer.ended)
	for {
		select {
		case <-c.writer.kick:
		case <-c.quit:
			return
		}
		for !c.writeQueue(maxStreamID) {
			if done, err := c.unblock(); err != nil {
				c.fail(err)
				break
			} else if done {
				break
			}
			c.progressed()
		}
	}
}

// unblock waits for the socket, or ends the sending side if that is what is left to do.
func (c *conn) unblock() (done bool, err error) {
	c.mu.Lock()
	end := c.writer.last && c.writer.queue.head == nil
	c.mu.Unlock()
	if !end {
		return false, c.rec.WaitWritable()
	}
	flushed, err := c.rec.Flush()
	if err != nil {
		return false, err
	}
	if !flushed {
		return false, c.rec.WaitWritable()
	}
	return true, c.rec.Finish()
}

// provoke queues a frame that the peer provoked. The queue of those is bounded: a peer that does not read its
// answers must not make them pile up. c.mu is held.
func (c *conn) provoke(frame []byte) error {
	c.writer.provoked++
	if c.writer.provoked > provokedLimit {
		c.set.Stats.ProvokedOverflows.Add(1)
		return connErrorf(http2.ErrCodeEnhanceYourCalm, "%d answers wait to be written", c.writer.provoked)
	}
	c.writer.queueControl(frame)
	return nil
}
