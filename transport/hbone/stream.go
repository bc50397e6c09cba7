package hbone

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// Stream is one CONNECT tunnel as a byte stream. Its two directions end separately: CloseWrite is END_STREAM, the
// peer's END_STREAM is io.EOF. There may be one reader and one writer at a time; everything else may be called from
// anywhere. Resets and lost connections appear as spec/dataplane.md §3.8 says.
type Stream struct {
	c  *conn
	id uint32

	// Guarded by c.mu.
	sendWindow    int64
	recvWindow    int64
	answered      bool // the response was sent or received
	sendDone      bool // END_STREAM was sent, or the stream was reset
	recvDone      bool // END_STREAM was received, or the stream was reset
	gone          bool // not in c.streams any more
	closed        bool // by this end
	wasReset      bool // by the peer, with resetCode
	cutShort      bool // by that reset: the peer's side had not ended
	listed        bool // in c.waiting
	resetCode     http2.ErrCode
	wake          chan struct{} // made when somebody first waits for the answer or to write
	writeDeadline time.Time
	request       *ServerStream // until it is answered
	response      *Response     // until Open has returned it
	failure       error         // what ended it, if that was neither END_STREAM nor the peer's reset
	onLost        func(error)

	unacked atomic.Int64 // consumed and not yet given back to the stream's window

	mu           sync.Mutex
	queue        bufferList // received and not consumed
	readErr      error      // what follows the queue
	outlet       Outlet
	busy         bool // somebody writes to the outlet
	dropped      bool // what is received is of no use to anybody
	told         bool // the outlet knows the end
	readWake     chan struct{}
	readDeadline time.Time
}

var (
	_ net.Conn    = (*Stream)(nil)
	_ socket.Conn = (*Stream)(nil)
)

// ID is the stream's number on its connection.
func (s *Stream) ID() uint32 { return s.id }

// OnLost has told called, once, with why the connection ended while the stream was open; at once when that has happened.
// It is called on the goroutine that ends the connection and must not wait, nor call the stream.
func (s *Stream) OnLost(told func(error)) {
	c := s.c
	c.mu.Lock()
	why := c.err
	if why == nil {
		s.onLost = told
	}
	c.mu.Unlock()
	if why != nil {
		told(why)
	}
}

// LocalAddr and RemoteAddr are those of the tunnel.
func (s *Stream) LocalAddr() net.Addr { return s.c.net.LocalAddr() }

// RemoteAddr is the address of the tunnel's other end.
func (s *Stream) RemoteAddr() net.Addr { return s.c.net.RemoteAddr() }

// CloseWrite sends END_STREAM. After a reset by the peer, or when the connection is lost, it returns what
// spec/dataplane.md §3.8 says: nil after NO_ERROR, otherwise a broken pipe or the connection's error.
func (s *Stream) CloseWrite() error {
	c := s.c
	c.mu.Lock()
	err := s.finishSending()
	c.mu.Unlock()
	c.drain()
	return err
}

func (s *Stream) finishSending() error {
	c := s.c
	switch {
	case s.wasReset:
		return finishError(s.resetCode)
	case s.closed:
		return net.ErrClosed
	case s.failure != nil:
		return lostFinish(c.server, s.failure)
	case s.sendDone:
		return nil
	case c.err != nil:
		return lostFinish(c.server, c.err)
	}
	c.writer.mergeData(frameHeader{typ: http2.FrameData, flags: http2.FlagDataEndStream, streamID: s.id}, nil)
	s.sendDone = true
	s.signal()
	c.settle(s)
	return nil
}

// Close drops the stream. If it is not finished in both directions the peer gets a RST_STREAM: NO_ERROR if this is
// the server and it had ended its side, otherwise CANCEL.
func (s *Stream) Close() error {
	c := s.c
	c.mu.Lock()
	code := http2.ErrCodeCancel
	if c.server && s.sendDone {
		code = http2.ErrCodeNo
	}
	c.mu.Unlock()
	s.Reset(code)
	return nil
}

// Abort resets the stream with CANCEL.
func (s *Stream) Abort() error {
	s.Reset(http2.ErrCodeCancel)
	return nil
}

// Reset ends both directions at once: whoever reads, writes or waits gets net.ErrClosed. The peer gets a RST_STREAM
// with code unless the stream is finished.
func (s *Stream) Reset(code http2.ErrCode) {
	c := s.c
	c.mu.Lock()
	s.resetLocally(code)
	s.closed = true
	c.mu.Unlock()
	s.dropReceived(net.ErrClosed)
	c.drain()
}

// resetLocally queues a RST_STREAM unless the stream is finished. c.mu is held.
func (s *Stream) resetLocally(code http2.ErrCode) {
	if s.gone {
		return
	}
	c := s.c
	c.writer.queueControl(appendRST(nil, s.id, code))
	c.forgot.add(s.id)
	s.sendDone, s.recvDone = true, true
	s.signal()
	c.settle(s)
}

// settle forgets a stream that has ended in both directions. c.mu is held.
func (c *conn) settle(s *Stream) {
	if s.gone || !s.sendDone || !s.recvDone {
		return
	}
	s.gone = true
	s.endRequest()
	delete(c.streams, s.id)
	c.freeSlots()
	c.checkIdle()
}

// lost ends a stream that is no longer in c.streams, because of err.
func (s *Stream) lost(err error) {
	c := s.c
	c.mu.Lock()
	s.sendDone, s.recvDone, s.gone = true, true, true
	s.failure = err
	s.endRequest()
	s.signal()
	c.mu.Unlock()
	s.endReceiving(lostRead(err))
}

// signal wakes who waits for the answer or to write. c.mu is held.
func (s *Stream) signal() { signal(s.wake) }

func signal(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default: // nobody has ever waited, or is woken already
	}
}

// SetDeadline sets both deadlines.
func (s *Stream) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

// SetReadDeadline bounds Read and ReadWith, also those that are waiting.
func (s *Stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readDeadline = t
	signal(s.readWake)
	return nil
}

// SetWriteDeadline bounds Write and WaitWritable, also those that are waiting.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.writeDeadline = t
	s.signal()
	return nil
}

// await waits for a signal or the deadline.
func await(wake <-chan struct{}, deadline time.Time) {
	if deadline.IsZero() {
		<-wake
		return
	}
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	select {
	case <-wake:
	case <-t.C:
	}
}

func passed(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }

// CutShort reports whether the peer reset the stream before it had ended its side: there may have been more to come,
// although a reader sees a clean end (spec/dataplane.md §3.8).
func (s *Stream) CutShort() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.cutShort
}
