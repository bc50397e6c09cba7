package hbone

import (
	"os"
)

// Read returns received bytes, waiting for some. The end of the peer's side, and a reset with NO_ERROR or CANCEL, is
// io.EOF; a lost connection is its error, or io.ErrUnexpectedEOF.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return s.ReadWith(func() []byte { return p })
}

// ReadWith implements socket.Conn: buffer is called when bytes are at hand.
func (s *Stream) ReadWith(buffer func() []byte) (int, error) {
	for {
		s.mu.Lock()
		if s.queue.head != nil {
			n := s.queue.read(buffer())
			s.mu.Unlock()
			s.consumed(n)
			return n, nil
		}
		if s.readErr != nil {
			defer s.mu.Unlock()
			return 0, s.readErr
		}
		if passed(s.readDeadline) {
			s.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		if s.readWake == nil {
			s.readWake = make(chan struct{}, 1)
		}
		wake, deadline := s.readWake, s.readDeadline
		s.mu.Unlock()
		await(wake, deadline)
	}
}

// keep stores received bytes until they are consumed. s.mu is held.
func (s *Stream) keep(p []byte) {
	s.queue.append(p)
	s.c.buffered.Add(int64(len(p)))
	signal(s.readWake)
}

// consumed gives n stored bytes back to the windows.
func (s *Stream) consumed(n int) {
	s.c.unbuffer(n)
	if s.credit(n) {
		s.c.drain()
	}
}

// endReceiving makes err what follows the received bytes.
func (s *Stream) endReceiving(err error) {
	s.mu.Lock()
	if s.readErr == nil {
		s.readErr = err
	}
	signal(s.readWake)
	s.tellEnd()
}

// dropReceived makes err what a reader gets at once.
func (s *Stream) dropReceived(err error) {
	s.mu.Lock()
	s.dropped = true
	s.readErr = err
	s.discard()
	signal(s.readWake)
	s.tellEnd()
}

// discard empties the queue, unless somebody is writing it to the outlet. s.mu is held.
func (s *Stream) discard() {
	if s.busy {
		return
	}
	n := s.queue.size
	s.queue.release()
	s.c.unbuffer(n)
}
