package hbone

import (
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
)

// scripted is an outlet that takes what it is allowed to.
type scripted struct {
	mu        sync.Mutex
	room      int
	writable  chan struct{}
	got       []byte
	delivered int
	fail      error
	ended     chan [2]error
}

func newScripted(room int) *scripted {
	return &scripted{room: room, writable: make(chan struct{}), ended: make(chan [2]error, 2)}
}

func (o *scripted) TryWrite(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return 0, o.fail
	}
	n := min(len(p), o.room)
	o.room -= n
	o.got = append(o.got, p[:n]...)
	return n, nil
}
func (o *scripted) WaitWritable() error { <-o.writable; return nil }
func (o *scripted) Delivered(n int)     { o.delivered += n }
func (o *scripted) Ended(r, w error)    { o.ended <- [2]error{r, w} }

func (o *scripted) allow(n int) {
	o.mu.Lock()
	o.room += n
	o.mu.Unlock()
	o.writable <- struct{}{}
}

// delivering is a server's stream from a raw client.
func delivering(t *testing.T) (*rawClient, *Stream) {
	c := attack(t, Settings{}, nil)
	c.connect(1)
	s, err := (<-c.requests).Accept(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func TestDeliverKeepsWhatASlowApplicationDoesNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := delivering(t)
		_ = c.f.WriteData(1, false, []byte("before"))
		synctest.Wait()
		o := newScripted(8)
		s.Deliver(o)
		_ = c.f.WriteData(1, false, []byte("|at once"))
		_ = c.f.WriteData(1, true, []byte("|kept"))
		synctest.Wait()
		if string(o.got) != "before|a" || len(o.ended) != 0 || c.stats.SlowApplications.Load() != 1 {
			t.Fatalf("%q, %d ends, slow %d times", o.got, len(o.ended), c.stats.SlowApplications.Load())
		}
		o.allow(3)
		synctest.Wait()
		o.allow(100)
		synctest.Wait()
		const all = "before|at once|kept"
		if end := <-o.ended; string(o.got) != all || end != [2]error{io.EOF, nil} || o.delivered != len(all) {
			t.Errorf("%q, %v, %d delivered", o.got, end, o.delivered)
		}
		if n := c.server.c.buffered.Load(); n != 0 {
			t.Errorf("%d bytes are still counted", n)
		}
	})
}

func TestDeliverTellsOnceHowItEnded(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		do   func(c *rawClient, s *Stream, o *scripted)
		read func(error) bool
		want error // of writing
	}{
		{"end of stream", func(c *rawClient, _ *Stream, _ *scripted) { _ = c.f.WriteData(1, true, nil) }, isEOF, nil},
		{"trailers", func(c *rawClient, _ *Stream, _ *scripted) { c.headers(1, true, "a", "b") }, isEOF, nil},
		{"reset", func(c *rawClient, _ *Stream, _ *scripted) { _ = c.f.WriteRSTStream(1, http2.ErrCodeInternal) }, func(err error) bool {
			var se *StreamError
			return errors.As(err, &se)
		}, nil},
		{"own reset", func(_ *rawClient, s *Stream, _ *scripted) { s.Reset(http2.ErrCodeCancel); s.Reset(http2.ErrCodeCancel) }, func(err error) bool { return err != nil }, nil},
		{"lost connection", func(c *rawClient, _ *Stream, _ *scripted) { _ = c.Close() }, func(err error) bool { return err != nil }, nil},
		{"application fails", func(c *rawClient, _ *Stream, o *scripted) {
			o.fail = broken
			_ = c.f.WriteData(1, true, []byte("x"))
		}, func(err error) bool { return err == nil }, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				raw, s := delivering(t)
				o := newScripted(100)
				s.Deliver(o)
				c.do(raw, s, o)
				synctest.Wait()
				if end := <-o.ended; !c.read(end[0]) || !errors.Is(end[1], c.want) {
					t.Error(end)
				}
				_ = s.Close()
				_ = raw.Close()
				synctest.Wait()
				if len(o.ended) != 0 {
					t.Error("told twice")
				}
			})
		})
	}
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
