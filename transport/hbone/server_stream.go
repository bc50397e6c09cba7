package hbone

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/net/http2"
)

// ServerStream is a request that waits for its answer: exactly one of Accept and Refuse.
type ServerStream struct {
	// Method is CONNECT from every proper client; others are for the handler to refuse.
	Method string
	// Authority is :authority as sent, empty if it is missing.
	Authority string
	// Headers are the regular header lines in order.
	Headers []Header

	s    *Stream
	done chan struct{}
	// leave is what OnLeave was given.
	leave func()
	over  bool
}

var errAnswered = errors.New("request is answered already")

// Get is the value of the first header line with this lower-case name.
func (r *ServerStream) Get(name string) (string, bool) { return get(r.Headers, name) }

// All are the values of all header lines with this lower-case name, in order.
func (r *ServerStream) All(name string) []string {
	var all []string
	for _, h := range r.Headers {
		if h.Name == name {
			all = append(all, h.Value)
		}
	}
	return all
}

// Done is closed when the peer resets the stream, or the connection is lost, before the answer.
func (r *ServerStream) Done() <-chan struct{} {
	c := r.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.done == nil {
		r.done = make(chan struct{})
		if r.over {
			close(r.done)
		}
	}
	return r.done
}

// Lost is why the connection ended, nil while it lives: also when the peer reset only this stream.
func (r *ServerStream) Lost() error {
	c := r.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// OnLeave has leave called, once and on a goroutine of the connection's, when the peer resets the stream or the connection
// is lost before the answer; at once when that has happened. leave must not block, nor call the stream. It costs no
// goroutine, as waiting for Done would. Only the last leave given counts; nil takes it back.
func (r *ServerStream) OnLeave(leave func()) {
	c := r.s.c
	c.mu.Lock()
	gone := r.over
	r.leave = leave
	c.mu.Unlock()
	if gone && leave != nil {
		leave()
	}
}

// endRequest closes Done and tells who wanted to hear of it. c.mu is held.
func (s *Stream) endRequest() {
	r := s.request
	if r == nil || r.over {
		return
	}
	s.request = nil
	r.over = true
	if r.done != nil {
		close(r.done)
	}
	if r.leave != nil {
		r.leave()
	}
}

// Accept answers 200 with headers and nothing else, and leaves the stream open. It fails if the stream has been
// reset or its connection is lost.
func (r *ServerStream) Accept(headers []Header) (*Stream, error) {
	if err := checkOutgoing(headers); err != nil {
		return nil, err
	}
	s, c := r.s, r.s.c
	c.mu.Lock()
	if err := r.answerable(); err != nil {
		c.mu.Unlock()
		return nil, err
	}
	s.answered = true
	s.request = nil
	c.queueHeaders(s.id, false, []Header{{":status", "200"}}, headers)
	c.mu.Unlock()
	c.drain()
	return s, nil
}

// Refuse answers with status and nothing else, and ends the stream. Since the client's side is open,
// RST_STREAM(NO_ERROR) follows. It does nothing where an answer was given already.
func (r *ServerStream) Refuse(status int) { r.RefuseWith(status, nil) }

// RefuseWith is Refuse with headers; those that can't be sent are left out.
func (r *ServerStream) RefuseWith(status int, headers []Header) {
	if checkOutgoing(headers) != nil {
		headers = nil
	}
	c := r.s.c
	c.mu.Lock()
	if r.answerable() == nil {
		r.s.refuse(status, headers)
	}
	c.mu.Unlock()
	c.drain()
}

// Reset ends the request without an answer.
func (r *ServerStream) Reset(code http2.ErrCode) { r.s.Reset(code) }

func (r *ServerStream) answerable() error {
	s := r.s
	switch {
	case s.wasReset:
		return fmt.Errorf("answering %s %s: %w", r.Method, r.Authority, &StreamError{Code: s.resetCode, Remote: true})
	case s.failure != nil:
		return fmt.Errorf("answering %s %s: %w", r.Method, r.Authority, s.failure)
	case s.c.err != nil:
		return fmt.Errorf("answering %s %s: %w", r.Method, r.Authority, s.c.err)
	case s.request == nil:
		return errAnswered
	}
	return nil
}

// refuse queues the answer and the reset. c.mu is held.
func (s *Stream) refuse(status int, headers []Header) {
	c := s.c
	s.answered = true
	s.request = nil
	c.queueHeaders(s.id, true, []Header{{":status", strconv.Itoa(status)}}, headers)
	s.sendDone = true
	if s.recvDone {
		c.settle(s)
		return
	}
	s.resetLocally(http2.ErrCodeNo)
}
