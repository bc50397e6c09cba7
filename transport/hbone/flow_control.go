package hbone

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// Receiving: the connection's window is given back when bytes arrive, a stream's when its application has them, so
// that a stalled application stops its own stream and no other. Both in quarters of the window. What all stalled
// applications of a connection together may make us keep is bounded: beyond that its window is withheld.

// credit gives n consumed bytes back to the stream's window. It reports whether it queued a frame, which the caller
// has to drain.
func (s *Stream) credit(n int) bool {
	c := s.c
	quarter := int64(c.set.StreamWindow / 4)
	if s.unacked.Add(int64(n)) < quarter {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	back := s.unacked.Swap(0)
	if back == 0 || s.recvDone || c.err != nil {
		return false
	}
	s.recvWindow += back
	c.writer.queueControl(appendWindowUpdate(nil, s.id, uint32(back)))
	return true
}

// giveBack returns n received bytes, and what was withheld, to the connection's window. c.mu is held.
func (c *conn) giveBack(n int) bool {
	c.recvCredit += uint32(n)
	if c.recvCredit < c.set.ConnWindow/4 || c.err != nil {
		return false
	}
	if c.buffered.Load() > int64(c.set.MaxBuffered) {
		c.set.Stats.WindowsWithheld.Add(1)
		return false
	}
	c.recvWindow += int64(c.recvCredit)
	c.writer.queueControl(appendWindowUpdate(nil, 0, c.recvCredit))
	c.recvCredit = 0
	return true
}

// unbuffer notes that n kept bytes are gone.
func (c *conn) unbuffer(n int) {
	now := c.buffered.Add(int64(-n))
	limit := int64(c.set.MaxBuffered)
	if now > limit || now+int64(n) <= limit {
		return
	}
	c.mu.Lock()
	queued := c.giveBack(0)
	c.mu.Unlock()
	if queued {
		c.drain()
	}
}

// peerWindow is a WINDOW_UPDATE.
func (c *conn) peerWindow(id uint32, b []byte) error {
	n := int64(binary.BigEndian.Uint32(b) & maxStreamID)
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == 0 {
		if n == 0 {
			return connErrorf(http2.ErrCodeProtocol, "WINDOW_UPDATE of 0")
		}
		if c.sendWindow+n > maxWindow {
			return connErrorf(http2.ErrCodeFlowControl, "connection window above 2^31-1")
		}
		c.sendWindow += n
		c.wakeWaiting()
		return nil
	}
	s := c.streams[id]
	switch {
	case s == nil:
		return c.checkIdleStream(id, http2.FrameWindowUpdate)
	case n == 0:
		return c.streamError(s, http2.ErrCodeProtocol, "WINDOW_UPDATE of 0")
	case s.sendWindow+n > maxWindow:
		c.set.Stats.FlowControlErrors.Add(1)
		return c.streamError(s, http2.ErrCodeFlowControl, "stream window above 2^31-1")
	}
	s.sendWindow += n
	s.signal()
	return nil
}

// resizeWindows applies a new initial window to the streams. c.mu is held.
func (c *conn) resizeWindows(to int64) error {
	delta := to - c.streamWindow
	c.streamWindow = to
	for _, s := range c.streams {
		if s.sendWindow += delta; s.sendWindow > maxWindow {
			return connErrorf(http2.ErrCodeFlowControl, "stream window above 2^31-1")
		}
		s.signal()
	}
	return nil
}
