package hbone

import (
	"net"
	"os"

	"golang.org/x/net/http2"
)

// Write queues p as DATA, waiting for the flow-control windows and the write queue. The bytes are on their way, not
// delivered, when it returns.
func (s *Stream) Write(p []byte) (int, error) {
	return s.send(p, nil, true)
}

// TryWrite queues as much of p as the windows and the write queue take at once.
func (s *Stream) TryWrite(p []byte) (int, error) {
	return s.send(p, nil, false)
}

// WriteBuffer writes the first n bytes of b's payload, and owns b from then on.
func (s *Stream) WriteBuffer(b *Buffer, n int) (int, error) {
	return s.send(b.Payload()[:n], b, true)
}

// WaitWritable waits until TryWrite can make progress or fails.
func (s *Stream) WaitWritable() error {
	c := s.c
	for {
		c.mu.Lock()
		k, err := s.room(1)
		if k > 0 || err != nil {
			c.mu.Unlock()
			return err
		}
		s.park()
	}
}

// send queues p. If p is the payload of a buffer, it takes the buffer over and, where it can, queues it as it is.
func (s *Stream) send(p []byte, b *Buffer, wait bool) (n int, err error) {
	c := s.c
	for n < len(p) {
		c.mu.Lock()
		k, rerr := s.room(len(p) - n)
		if rerr != nil {
			c.mu.Unlock()
			err = rerr
			break
		}
		if k == 0 {
			if !wait {
				c.mu.Unlock()
				break
			}
			s.park()
			continue
		}
		s.sendWindow -= int64(k)
		c.sendWindow -= int64(k)
		if c.writer.queueData(s.id, p[n:n+k], b, frameHeaderLen+n, n+k == len(p)) {
			b = nil
		}
		c.mu.Unlock()
		n += k
	}
	if b != nil {
		b.Release()
	}
	c.drain()
	return n, err
}

// queueData appends a DATA frame with payload p. The last piece of a buffer, at offset at, goes as it is, the header
// over bytes that are queued already; anything else is copied. It reports whether it took the buffer.
func (w *writer) queueData(id uint32, p []byte, b *Buffer, at int, last bool) bool {
	h := frameHeader{length: len(p), typ: http2.FrameData, streamID: id}
	if len(p) <= mergeLimit {
		w.mergeData(h, p)
		return false
	}
	if b != nil && last {
		b.r, b.w = at-frameHeaderLen, at+len(p)
		h.put(b.mem[b.r:])
		w.queue.push(b)
		return true
	}
	for len(p) > 0 { // the pieces of a frame: the largest buffer may be smaller than the frame
		piece := bufferFor(frameHeaderLen + len(p))
		if h.length > 0 {
			h.put(piece.mem)
			piece.w = frameHeaderLen
			h.length = 0
		}
		n := copy(piece.mem[piece.w:], p)
		piece.w += n
		p = p[n:]
		w.queue.push(piece)
	}
	return false
}

// room says how many of n bytes may be sent now. c.mu is held.
func (s *Stream) room(n int) (int, error) {
	c := s.c
	switch {
	case s.closed:
		return 0, net.ErrClosed
	case s.sendDone || c.err != nil:
		return 0, ErrWriteClosed
	case passed(s.writeDeadline):
		return 0, os.ErrDeadlineExceeded
	case c.writer.queue.size >= c.set.StreamSendBuffer:
		return 0, nil
	}
	return int(max(0, min(int64(n), s.sendWindow, c.sendWindow, int64(c.piece)))), nil
}

// park waits until something has changed for a writer without room. c.mu is held and gets released. Those that wait
// for their own stream's window are not disturbed by what happens to the connection.
func (s *Stream) park() {
	c := s.c
	if s.wake == nil {
		s.wake = make(chan struct{}, 1)
	}
	if c.writer.queue.size >= c.set.StreamSendBuffer {
		c.set.Stats.QueueWaits.Add(1)
	}
	if s.sendWindow > 0 && !s.listed {
		s.listed = true
		c.waiting = append(c.waiting, s)
	}
	wake, deadline := s.wake, s.writeDeadline
	c.mu.Unlock()
	c.drain()
	await(wake, deadline)
}

// wakeWaiting wakes the writers that wait for the connection's window or the queue. c.mu is held.
func (c *conn) wakeWaiting() {
	for i, s := range c.waiting {
		s.listed = false
		s.signal()
		c.waiting[i] = nil
	}
	c.waiting = c.waiting[:0]
}

// wholeRecords is the largest payload up to limit that fills whole TLS records together with its frame header.
func wholeRecords(limit int) int {
	return (limit+frameHeaderLen)/16384*16384 - frameHeaderLen
}
