package hbone

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// A writer whose peer's node reads nothing waits for the queue, not for the socket: deadlines and resets reach it.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := connect(t, memory())
		sv := newRaw(b)
		stats := &Stats{}
		client, err := NewClient(a, Settings{Stats: stats, StreamSendBuffer: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		_ = sv.f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 28})
		_ = sv.f.WriteWindowUpdate(0, 1<<28)
		sv.headers(1, false, ":status", "200")
		s, _, err := client.Open(t.Context(), "a:1", nil)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Now()
		_ = s.SetWriteDeadline(from.Add(time.Second))
		n, err := s.Write(make([]byte, 64<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d, %v", n, err)
		}
		since(t, from, time.Second)
		client.c.mu.Lock()
		queued := client.c.writer.queue.size
		client.c.mu.Unlock()
		if queued > 64<<10+128<<10 || stats.QueueWaits.Load() == 0 {
			t.Errorf("%d bytes are queued, %d waits", queued, stats.QueueWaits.Load())
		}
		_ = s.SetWriteDeadline(time.Time{})
		wrote := make(chan error, 1)
		go func() {
			_, err := s.Write(make([]byte, 1<<20))
			wrote <- err
		}()
		synctest.Wait()
		s.Reset(http2.ErrCodeCancel)
		if err := <-wrote; err == nil {
			t.Error("the write succeeded after the reset")
		}
		_ = b.Close()
		<-client.Done()
	})
}

// Short frames share a buffer, hence a record; what is queued first leaves first.
func TestFramesKeepTheirOrder(t *testing.T) {
	c := attack(t, Settings{}, nil)
	_ = c.f.WriteWindowUpdate(0, 1<<20)
	c.connect(1)
	s, err := (<-c.requests).Accept([]Header{{"baggage", "a=b"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 5000, 2, 100 << 10, 3} {
		if _, err := s.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	var got []string
	for _, line := range c.await(t, "RST_STREAM 1 NO_ERROR") {
		if strings.Contains(line, " 1 ") {
			got = append(got, line)
		}
	}
	want := "HEADERS 1 :status=200 baggage=a=b|DATA 1 1|DATA 1 5000|DATA 1 2|DATA 1 16375|DATA 1 16375|DATA 1 16375|DATA 1 16375|DATA 1 16375|DATA 1 16375|DATA 1 4150|DATA 1 3|DATA 1 0 END|RST_STREAM 1 NO_ERROR"
	if text := strings.Join(got, "|"); text != want {
		t.Errorf("%s\nwant %s", text, want)
	}
}

// dribble is a socket that takes a little at a time, and watches what waits for it.
type dribble struct {
	sink
	under *Coalescer
	most  int
	ended chan struct{}
}

func (d *dribble) Read([]byte) (int, error) { <-d.ended; return 0, os.ErrClosed }
func (d *dribble) Close() error {
	select {
	case <-d.ended:
	default:
		close(d.ended)
	}
	return nil
}

func (d *dribble) TryWrite(p []byte) (int, error) {
	d.most = max(d.most, d.under.buffered())
	return min(len(p), 5000), nil
}

// While a socket takes only a little, nothing more is sealed: the bound is on the queue and must not be evaded.
func TestSealedBytesAreBounded(t *testing.T) {
	d := &dribble{ended: make(chan struct{})}
	c, err := newConn(d, Settings{}.or(ClientDefaults()), false)
	if err != nil {
		t.Fatal(err)
	}
	d.under = c.rec.(*standardRecord).under
	go c.run()
	c.mu.Lock()
	c.streamWindow, c.sendWindow, c.piece = 1<<28, 1<<28, 1<<20
	c.mu.Unlock()
	s, err := c.open(t.Context(), "a:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		b := TakeBuffer(Buffer128K)
		if _, err := s.WriteBuffer(b, len(b.Payload())); err != nil {
			t.Fatal(err)
		}
	}
	c.fail(os.ErrClosed)
	<-c.done
	if d.most > bufferSizes[bufferSealed] {
		t.Errorf("%d bytes were sealed and not written", d.most)
	}
}
