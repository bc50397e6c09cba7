package relay

import (
	"errors"
	"io"
	"net"
	"sync"

	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// Tunnel relays between an application's connection and a stream of a tunnel; side says which leg the application
// is: SideDownstream on the outbound path, SideUpstream on the inbound one. Its rules are those of [Plain]: both
// directions run to their ends, FIN and END_STREAM become each other, an error half-closes the leg that is written
// to. It returns when both have ended, and has closed both legs then; a stream that is not finished is reset
// (spec/dataplane.md §3.8).
//
// The calling goroutine carries the application's bytes. Those for the application are written by the tunnel's
// reader, and by one more goroutine only while the application is slow. An idle relay holds no buffer. Closing the
// application's connection and resetting the stream, from anywhere, makes it return.
func Tunnel(app socket.Conn, s *hbone.Stream, side Side, c *Counters) Result {
	t := &tunnel{app: app, stream: s, counters: c, appSide: side, streamSide: SideUpstream, in: Receive, out: Send}
	if side == SideUpstream {
		t.streamSide, t.in, t.out = SideDownstream, Send, Receive
	}
	t.moved = func() uint64 { return c.Received.Load() + c.Sent.Load() }
	t.abort = func() { _, _ = app.Abort(), s.Close() }
	defer t.stop()
	t.delivered.Add(1)
	s.Deliver(t)
	err := t.carry()
	t.delivered.Wait()
	_ = app.Close()
	_ = s.Close()
	if err == nil || t.in == Send && t.deliveryErr != nil {
		err = t.deliveryErr
	}
	return t.result(err)
}

// tunnel is a running relay. In is the direction from the stream to the application, out the other one.
type tunnel struct {
	app                 socket.Conn
	stream              *hbone.Stream
	counters            *Counters
	appSide, streamSide Side
	in, out             Direction
	ending

	// The calling goroutine's.
	class hbone.BufferClass
	buf   *hbone.Buffer

	delivered   sync.WaitGroup
	deliveryErr error
}

var _ hbone.Outlet = (*tunnel)(nil)

// carry moves the application's bytes into the stream until they end.
func (t *tunnel) carry() error {
	by, err := t.copy()
	return t.end(t.out, by, err, t.stream.CloseWrite)
}

func (t *tunnel) copy() (Side, error) {
	take := t.take
	for {
		n, err := t.app.ReadWith(take)
		b := t.buf
		t.buf = nil
		if err != nil {
			if b != nil {
				b.Release()
			}
			return t.appSide, err
		}
		t.class = classAfter(t.class, n)
		written, err := t.stream.WriteBuffer(b, n)
		t.count(t.out, written)
		if errors.Is(err, hbone.ErrWriteClosed) {
			err = ErrDisconnected
		}
		if err != nil {
			return t.streamSide, err
		}
	}
}

// take gives ReadWith a place for the bytes, when there are some.
func (t *tunnel) take() []byte {
	if t.buf == nil {
		t.buf = hbone.TakeBuffer(t.class)
	}
	return t.buf.Payload()
}

// classAfter is the size for the next read: one class up after a full one, one down after one that left most of
// the buffer empty.
func classAfter(class hbone.BufferClass, n int) hbone.BufferClass {
	size := class.Payload()
	switch {
	case n == size && class < hbone.Buffer128K:
		return class + 1
	case n < size/4 && class > hbone.Buffer4K:
		return class - 1
	}
	return class
}

// end ends one direction: it half-closes the leg that was written to and says what the direction's error is.
func (t *tunnel) end(d Direction, by Side, err error, closeWrite func() error) error {
	t.ended(by, err, by == t.appSide)
	if err = unlessBenign(err); err != nil {
		err = &CopyError{Direction: d, Err: err}
	}
	if cerr := closeWrite(); cerr != nil && !benignClose(cerr) {
		if err == nil || !errors.Is(cerr, net.ErrClosed) {
			err = &CopyError{Direction: d, Closing: true, Err: cerr}
		}
	}
	return err
}

func (t *tunnel) count(d Direction, n int) {
	if d == Send {
		t.counters.AddReceived(n)
	} else {
		t.counters.AddSent(n)
	}
}

// TryWrite implements hbone.Outlet.
func (t *tunnel) TryWrite(p []byte) (int, error) { return t.app.TryWrite(p) }

// WaitWritable implements hbone.Outlet.
func (t *tunnel) WaitWritable() error { return t.app.WaitWritable() }

// Delivered implements hbone.Outlet.
func (t *tunnel) Delivered(n int) { t.count(t.in, n) }

// Ended implements hbone.Outlet.
func (t *tunnel) Ended(readErr, writeErr error) {
	by, err := t.streamSide, readErr
	if writeErr == nil && t.stream.CutShort() {
		t.cutBy.CompareAndSwap(uint32(SideNone), uint32(by))
	}
	if writeErr != nil {
		by, err = t.appSide, writeErr
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	t.deliveryErr = t.end(t.in, by, err, t.app.CloseWrite)
	t.delivered.Done()
}
