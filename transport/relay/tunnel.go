package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// idleAfter is how long a relay waits for the application before it calls itself idle; it takes at least as long, and at
// most twice.
const idleAfter = 2 * time.Second

// Tunnel relays between an application's connection and a stream of a tunnel, as a [Carrier] does, from its start to its end.
func Tunnel(app socket.Conn, s *hbone.Stream, side Side, c *Counters) Result {
	carrier := NewCarrier(app, s, side, c)
	for {
		if r, ended := carrier.Carry(); ended {
			return r
		}
	}
}

// Carrier relays between an application's connection and a stream of a tunnel. Its rules are those of [Plain]: both
// directions run to their ends, FIN and END_STREAM become each other, an error half-closes the leg that is written
// to. Carry has ended when both have, and has closed both legs then; a stream that is not finished is reset
// (spec/dataplane.md §3.8).
//
// The goroutine that calls Carry carries the application's bytes. Those for the application are written by the tunnel's
// reader, and by one more goroutine only while the application is slow. An idle relay holds no buffer. Closing the
// application's connection and resetting the stream, from anywhere, ends it.
type Carrier struct {
	app                 socket.Conn
	stream              *hbone.Stream
	counters            *Counters
	appSide, streamSide Side
	in, out             Direction // in is from the stream to the application
	ending

	// Of the goroutine in Carry. alarmed says that reading ends when idleAfter is over, heard that bytes came since then.
	class          hbone.BufferClass
	buf            *hbone.Buffer
	alarmed, heard bool

	delivered   sync.WaitGroup
	deliveryErr error
}

var _ hbone.Outlet = (*Carrier)(nil)

// NewCarrier begins to relay the stream's bytes; side says which leg the application is: SideDownstream on the outbound
// path, SideUpstream on the inbound one. Carry must be called.
func NewCarrier(app socket.Conn, s *hbone.Stream, side Side, c *Counters) *Carrier {
	t := &Carrier{app: app, stream: s, counters: c, appSide: side, streamSide: SideUpstream, in: Receive, out: Send}
	if side == SideUpstream {
		t.streamSide, t.in, t.out = SideDownstream, Send, Receive
	}
	t.relay = t
	t.setAlarm()
	t.delivered.Add(1)
	s.Deliver(t)
	return t
}

func (t *Carrier) moved() uint64 { return t.counters.moved() }

func (t *Carrier) abort() { _, _ = t.app.Abort(), t.stream.Close() }

// Carry relays until both directions have ended, which it reports. It returns without that when the application has said nothing
// for a while: it must be called again then, from whichever goroutine. One that has done nothing yet has a stack that is
// a fraction of one that has carried bytes, and most connections of a node are idle.
func (t *Carrier) Carry() (Result, bool) {
	by, err := t.copy()
	if errors.Is(err, errIdle) {
		return Result{}, false
	}
	return t.finish(by, err), true
}

// finish ends the application's direction, and the relay when the other one has ended too.
func (t *Carrier) finish(by Side, err error) Result {
	defer t.stop()
	err = t.end(t.out, by, err, t.stream.CloseWrite)
	t.delivered.Wait()
	_ = t.app.Close()
	_ = t.stream.Close()
	if err == nil || t.in == Send && t.deliveryErr != nil {
		err = t.deliveryErr
	}
	return t.result(err)
}

// errIdle is how copy says that it has found nothing to do.
var errIdle = errors.New("the application says nothing")

// copy moves the application's bytes into the stream until they end, or for as long as they come. An idle relay waits in here: its
// callers' frames and its own are kept small.
func (t *Carrier) copy() (Side, error) {
	take := t.take
	for {
		n, err := t.app.ReadWith(take)
		b := t.buf
		t.buf = nil
		if err != nil {
			if b != nil {
				b.Release()
			}
			if errors.Is(err, os.ErrDeadlineExceeded) && t.alarmed {
				if t.rang() {
					return t.appSide, errIdle
				}
				continue
			}
			return t.appSide, err
		}
		if t.heard = true; !t.alarmed {
			t.setAlarm()
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

// setAlarm ends reading after idleAfter: once in that time, not for each read.
func (t *Carrier) setAlarm() {
	t.alarmed = true
	_ = t.app.SetReadDeadline(time.Now().Add(idleAfter)) // it fails where the connection is closed: the next read says so
}

// rang takes the alarm back and reports whether nothing has come since it was set. Otherwise it is set anew.
func (t *Carrier) rang() bool {
	if t.heard {
		t.heard = false
		t.setAlarm()
		return false
	}
	t.alarmed = false
	_ = t.app.SetReadDeadline(time.Time{})
	return true
}

// take gives ReadWith a place for the bytes, when there are some.
func (t *Carrier) take() []byte {
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
func (t *Carrier) end(d Direction, by Side, err error, closeWrite func() error) error {
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

func (t *Carrier) count(d Direction, n int) {
	if d == Send {
		t.counters.AddReceived(n)
	} else {
		t.counters.AddSent(n)
	}
}

// TryWrite implements hbone.Outlet.
func (t *Carrier) TryWrite(p []byte) (int, error) { return t.app.TryWrite(p) }

// WaitWritable implements hbone.Outlet.
func (t *Carrier) WaitWritable() error { return t.app.WaitWritable() }

// Delivered implements hbone.Outlet.
func (t *Carrier) Delivered(n int) { t.count(t.in, n) }

// Ended implements hbone.Outlet.
func (t *Carrier) Ended(readErr, writeErr error) {
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
