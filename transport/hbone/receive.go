package hbone

import (
	"encoding/binary"
	"io"

	"golang.org/x/net/http2"
)

// beginData finds the stream of a DATA frame and takes the frame off the windows.
func (c *conn) beginData(h frameHeader) error {
	p := &c.parser
	p.target = nil
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recvWindow -= int64(h.length); c.recvWindow < 0 {
		return connErrorf(http2.ErrCodeFlowControl, "DATA exceeds the connection's window")
	}
	s := c.streams[h.streamID]
	if s == nil {
		if err := c.checkIdleStream(h.streamID, h.typ); err != nil {
			return err
		}
		if c.forgot.has(h.streamID) {
			return nil
		}
		return c.strayFrame(h.streamID)
	}
	switch s.recvWindow -= int64(h.length); {
	case s.recvDone:
		return c.streamError(s, http2.ErrCodeStreamClosed, "DATA after END_STREAM")
	case !c.server && !s.answered:
		return c.streamError(s, http2.ErrCodeProtocol, "DATA before the response")
	case s.recvWindow < 0:
		c.set.Stats.FlowControlErrors.Add(1)
		return c.streamError(s, http2.ErrCodeFlowControl, "DATA exceeds the stream's window")
	}
	p.target = s
	p.got = 0
	return nil
}

// data takes a piece of a DATA frame's payload.
func (c *conn) data(b []byte) {
	if len(b) == 0 {
		return
	}
	c.parser.got += len(b)
	if s := c.parser.target; s != nil {
		s.deliver(b)
	}
}

// endData gives the frame back to the connection's window, padding to the stream's too.
func (c *conn) endData(h frameHeader) error {
	p := &c.parser
	s := p.target
	p.target = nil
	ends := h.has(http2.FlagDataEndStream)
	c.mu.Lock()
	c.giveBack(h.length)
	if s != nil && ends && !s.recvDone {
		s.recvDone = true
		c.settle(s)
	}
	c.mu.Unlock()
	if s != nil {
		if padding := h.length - p.got; padding > 0 {
			s.credit(padding)
		}
		if ends {
			s.endReceiving(io.EOF)
		}
	}
	if !ends && p.got == 0 {
		return c.abuse.empty(c)
	}
	return nil
}

// peerReset is a RST_STREAM.
func (c *conn) peerReset(id uint32, b []byte) error {
	code := http2.ErrCode(binary.BigEndian.Uint32(b))
	c.mu.Lock()
	s := c.streams[id]
	if s == nil {
		defer c.mu.Unlock()
		return c.checkIdleStream(id, http2.FrameRSTStream)
	}
	pending := c.server && !s.answered
	s.wasReset, s.resetCode, s.cutShort = true, code, !s.recvDone
	s.sendDone, s.recvDone = true, true
	s.signal()
	c.settle(s)
	c.mu.Unlock()
	s.endReceiving(readError(code))
	if pending {
		return c.abuse.reset(c)
	}
	return nil
}

// checkIdleStream refuses frames for a stream that nobody has opened. c.mu is held.
func (c *conn) checkIdleStream(id uint32, typ http2.FrameType) error {
	mine := id%2 == 1 && (c.server && id <= c.lastPeer || !c.server && (c.nextID == 0 || id < c.nextID))
	if !mine {
		return connErrorf(http2.ErrCodeProtocol, "%v for idle stream %d", typ, id)
	}
	return nil
}

// strayFrame answers a frame for a stream that is closed. c.mu is held.
func (c *conn) strayFrame(id uint32) error {
	if err := c.abuse.mistake(c); err != nil {
		return err
	}
	return c.provoke(appendRST(nil, id, http2.ErrCodeStreamClosed))
}

// streamError resets a stream because of what the peer did. c.mu is held. Its error ends the connection: the peer
// has made too many mistakes.
func (c *conn) streamError(s *Stream, code http2.ErrCode, reason string) error {
	s.failure = &StreamError{Code: code, Reason: reason}
	s.resetLocally(code)
	// The stream's own lock is not taken inside c.mu.
	c.parser.broken = append(c.parser.broken, s)
	return c.abuse.mistake(c)
}

// buryBroken tells the readers of streams that streamError reset. c.mu is not held.
func (c *conn) buryBroken() {
	for _, s := range c.parser.broken {
		s.endReceiving(s.failure)
	}
	clear(c.parser.broken)
	c.parser.broken = c.parser.broken[:0]
}
