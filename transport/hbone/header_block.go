package hbone

import (
	"errors"
	"io"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// continuationLimit is how many frames a header block may have.
const continuationLimit = 64

// beginHeaders starts a header block.
func (c *conn) beginHeaders(h frameHeader) error {
	c.block = headerBlock{streamID: h.streamID, endStream: h.has(http2.FlagHeadersEndStream)}
	c.decoder.SetEmitFunc(func(f hpack.HeaderField) { c.block.add(f, int(c.set.MaxHeaderListSize)) })
	return nil
}

func (c *conn) continueHeaders(frameHeader) error {
	if c.block.frames++; c.block.frames > continuationLimit {
		c.set.Stats.ContinuationFloods.Add(1)
		return connErrorf(http2.ErrCodeEnhanceYourCalm, "header block in more than %d frames", continuationLimit)
	}
	return nil
}

// headerFragment decodes a piece of a block. A list above the limit is still decoded, since the compression state
// has to be kept, but not stored; the block itself is limited too.
func (c *conn) headerFragment(b []byte) error {
	if c.block.bytes += len(b); c.block.bytes > 4*int(c.set.MaxHeaderListSize) {
		c.set.Stats.HeaderListsTooLarge.Add(1)
		return connErrorf(http2.ErrCodeEnhanceYourCalm, "header block of more than %d bytes", 4*c.set.MaxHeaderListSize)
	}
	_, err := c.decoder.Write(b)
	return c.decodeError(err)
}

func (c *conn) decodeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, hpack.ErrStringLength):
		c.set.Stats.HeaderListsTooLarge.Add(1)
		return connErrorf(http2.ErrCodeEnhanceYourCalm, "header longer than %d bytes", c.set.MaxHeaderListSize)
	}
	return connErrorf(http2.ErrCodeCompression, "decoding headers: %w", err)
}

// endHeaders acts on a complete block.
func (c *conn) endHeaders() error {
	if err := c.decodeError(c.decoder.Close()); err != nil {
		return err
	}
	b := c.block
	c.block = headerBlock{}
	if b.tooLarge {
		c.set.Stats.HeaderListsTooLarge.Add(1)
	}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil
	}
	if s := c.streams[b.streamID]; s != nil && (c.server || s.answered) {
		err := c.trailers(s, &b)
		ended := s.recvDone && !s.wasReset && s.failure == nil
		c.mu.Unlock()
		if err == nil && ended {
			s.endReceiving(io.EOF)
		}
		return err
	}
	if c.server {
		return c.peerRequest(&b)
	}
	s, err := c.peerResponse(&b)
	c.mu.Unlock()
	if s != nil && b.endStream {
		s.endReceiving(io.EOF)
	}
	return err
}

// trailers end the receiving side. c.mu is held.
func (c *conn) trailers(s *Stream, b *headerBlock) error {
	switch {
	case s.recvDone:
		return c.streamError(s, http2.ErrCodeStreamClosed, "HEADERS after END_STREAM")
	case !b.endStream:
		return c.streamError(s, http2.ErrCodeProtocol, "HEADERS inside the stream")
	case b.malformed != "" || b.pseudo != pseudo{}:
		return c.streamError(s, http2.ErrCodeProtocol, "malformed trailers")
	}
	s.recvDone = true
	c.settle(s)
	return nil
}

// peerResponse is a response (client). It returns the stream that it answers. c.mu is held.
func (c *conn) peerResponse(b *headerBlock) (*Stream, error) {
	s := c.streams[b.streamID]
	if s == nil {
		return nil, c.checkIdleStream(b.streamID, http2.FrameHeaders)
	}
	if b.tooLarge {
		return nil, c.streamError(s, http2.ErrCodeProtocol, "header list above "+strconv.Itoa(int(c.set.MaxHeaderListSize))+" bytes")
	}
	status, fault := b.checkResponse()
	if fault == "" && status < 200 {
		if status != 101 && !b.endStream {
			return nil, c.abuse.ignored(c)
		}
		fault = "informational response that ends the stream or switches protocols"
	}
	if fault != "" {
		c.set.Stats.MalformedStreams.Add(1)
		return nil, c.streamError(s, http2.ErrCodeProtocol, fault)
	}
	s.response = &Response{Status: status, Headers: b.headers}
	s.answered = true
	if b.endStream {
		s.recvDone = true
		c.settle(s)
	}
	s.signal()
	return s, nil
}

// checkHeading starts the clock of a header block that is under way, and stops it after the block.
func (c *conn) checkHeading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.block.streamID == 0:
		if c.heading != nil {
			c.heading.Stop()
			c.heading = nil
		}
	case c.heading == nil && c.err == nil:
		c.heading = time.AfterFunc(c.set.HeaderTimeout, func() {
			c.set.Stats.HeaderTimeouts.Add(1)
			c.conclude(&ConnError{Code: http2.ErrCodeEnhanceYourCalm, Cause: ErrHeaderTimeout})
		})
	}
}
