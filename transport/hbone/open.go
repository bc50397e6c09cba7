package hbone

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/http2"
)

// Open sends a CONNECT for authority and waits for the answer, bounded by ctx and ConnectTimeout. While the peer's
// limit of streams is reached it waits for one to end. Any final status is returned; the stream is finished unless
// that is 200. An error that is ErrGoAway or ErrIDsExhausted, or a StreamError with REFUSED_STREAM, says that the
// peer did not process the request.
func (cl *Client) Open(ctx context.Context, authority string, headers []Header) (*Stream, *Response, error) {
	c := cl.c
	if err := authorityFault(authority); err != nil {
		return nil, nil, err
	}
	if err := checkOutgoing(headers); err != nil {
		return nil, nil, fmt.Errorf("opening a stream to %s: %w", authority, err)
	}
	s, err := c.open(ctx, authority, headers)
	if err != nil {
		return nil, nil, fmt.Errorf("opening a stream to %s: %w", authority, err)
	}
	c.drain()
	r, err := s.awaitResponse(ctx)
	if err != nil {
		s.Reset(http2.ErrCodeCancel)
		return nil, nil, fmt.Errorf("awaiting the answer to CONNECT %s: %w", authority, err)
	}
	if r.Status != 200 {
		_ = s.Close() // never fails
	}
	return s, r, nil
}

// open queues the HEADERS of a new stream. The id is taken and the block encoded under the lock that orders the
// queue.
func (c *conn) open(ctx context.Context, authority string, headers []Header) (*Stream, error) {
	c.mu.Lock()
	for c.unusable() == nil && uint32(len(c.streams)+c.promised) >= c.peerStreams {
		slot := make(chan bool, 1)
		c.slots = append(c.slots, slot)
		c.mu.Unlock()
		var promised bool
		var err error
		select {
		case promised = <-slot:
		case <-ctx.Done():
			err = ctx.Err()
		}
		c.mu.Lock()
		if err != nil {
			c.giveUpSlot(slot)
			c.mu.Unlock()
			return nil, err
		}
		if promised {
			c.promised--
			break
		}
	}
	defer c.mu.Unlock()
	if err := c.unusable(); err != nil {
		return nil, err
	}
	pseudo := []Header{{":method", "CONNECT"}, {":authority", authority}}
	if n := listSize(pseudo) + listSize(headers); n > c.peerHeaderList {
		return nil, fmt.Errorf("header list of %d bytes, the peer accepts %d", n, c.peerHeaderList)
	}
	s := c.newStream(c.nextID)
	s.wake = make(chan struct{}, 1)
	if c.nextID += 2; c.nextID > maxStreamID {
		c.nextID = 0
	}
	c.queueHeaders(s.id, false, pseudo, headers)
	return s, nil
}

// newStream registers a stream. c.mu is held.
func (c *conn) newStream(id uint32) *Stream {
	s := &Stream{c: c, id: id, sendWindow: c.streamWindow, recvWindow: int64(c.set.StreamWindow)}
	if !c.acked { // the peer may not know our window yet
		s.recvWindow = max(s.recvWindow, initialWindow)
	}
	c.streams[id] = s
	return s
}

// queueHeaders queues a header block. c.mu is held.
func (c *conn) queueHeaders(id uint32, end bool, pseudo, headers []Header) {
	block := c.encodeHeaders(pseudo, headers)
	var frames [512]byte
	c.writer.queueControl(appendHeaders(frames[:0], id, end, block, c.peerFrame))
}

// unusable says why no stream can be opened; nil if one can. c.mu is held.
func (c *conn) unusable() error {
	switch {
	case c.err != nil:
		return fmt.Errorf("%w: %w", ErrGoAway, c.err)
	case c.goAway.received:
		return ErrGoAway
	case c.goAway.closing:
		return fmt.Errorf("%w: %w", ErrGoAway, ErrClosed)
	case c.nextID == 0:
		return ErrIDsExhausted
	}
	return nil
}

// freeSlots promises the free slots to the Opens that have waited longest. c.mu is held.
func (c *conn) freeSlots() {
	for len(c.slots) > 0 && uint32(len(c.streams)+c.promised) < c.peerStreams {
		c.slots[0] <- true
		c.slots[0] = nil
		c.slots = c.slots[1:]
		c.promised++
	}
}

// giveUpSlot takes an Open off the waiting list; if it was promised a slot the next one gets it. c.mu is held.
func (c *conn) giveUpSlot(slot chan bool) {
	for i, s := range c.slots {
		if s == slot {
			c.slots = append(c.slots[:i], c.slots[i+1:]...)
			return
		}
	}
	select {
	case promised := <-slot:
		if promised {
			c.promised--
			c.freeSlots()
		}
	default:
	}
}

// awaitResponse waits for the answer.
func (s *Stream) awaitResponse(ctx context.Context) (*Response, error) {
	c := s.c
	late := time.NewTimer(c.set.ConnectTimeout)
	defer late.Stop()
	for {
		c.mu.Lock()
		r := s.response
		s.response = nil
		err := s.failure
		if err == nil && s.wasReset {
			err = &StreamError{Code: s.resetCode, Remote: true}
		}
		c.mu.Unlock()
		switch {
		case r != nil:
			return r, nil
		case err != nil:
			return nil, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late.C:
			c.set.Stats.ConnectTimeouts.Add(1)
			return nil, ErrConnectTimeout
		}
	}
}

// Retryable says whether err, from Open, means that the peer did not process the request.
func Retryable(err error) bool {
	var se *StreamError
	return errors.Is(err, ErrGoAway) || errors.Is(err, ErrIDsExhausted) ||
		errors.As(err, &se) && se.Remote && se.Code == http2.ErrCodeRefusedStream
}
