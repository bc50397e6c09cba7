package hbone

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

func since(t *testing.T, from time.Time, want time.Duration) {
	t.Helper()
	if took := time.Since(from); took != want {
		t.Errorf("took %v, want %v", took, want)
	}
}

func TestKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := connect(t, memory())
		tn := start(t, a, b, Settings{}, Settings{}, echo)
		s, _, err := tn.client.Open(t.Context(), "a:1", nil)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour) // in the bubble: the pings are answered
		exchange(t, s, 1000)
	})
}

func TestPingTimeoutOfAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := time.Now()
		sv := trap(t, Settings{})
		done := sv.open(t, true)
		sv.headers(1, false, ":status", "200")
		s := (<-done).s
		_, err := s.Read(make([]byte, 1)) // the server answers nothing
		if !errors.Is(err, ErrPingTimeout) {
			t.Errorf("read: %v", err)
		}
		since(t, from, 30*time.Second)
		if err := s.CloseWrite(); !errors.Is(err, ErrPingTimeout) {
			t.Errorf("half-close: %v", err)
		}
		if n := sv.stats.PingTimeouts.Load(); n != 1 {
			t.Errorf("counted %d", n)
		}
		<-sv.client.Done()
	})
}

func TestPingTimeoutOfAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := time.Now()
		c := attack(t, Settings{}, nil)
		c.connect(1)
		s, err := (<-c.requests).Accept(nil)
		if err != nil {
			t.Fatal(err)
		}
		c.await(t, "PING")
		since(t, from, 10*time.Second)
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, ErrPingTimeout) {
			t.Errorf("read: %v", err)
		}
		since(t, from, 30*time.Second)
		c.await(t, "GOAWAY 1 NO_ERROR")
		if err := s.CloseWrite(); err != nil {
			t.Errorf("half-close after our own abrupt GOAWAY: %v", err)
		}
		if err := <-c.served; !errors.Is(err, ErrPingTimeout) {
			t.Error(err)
		}
	})
}

func TestPrefaceDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := connect(t, memory())
		c := silent(t, a, b, Settings{}, nil)
		from := time.Now()
		_, _ = a.Write([]byte(http2.ClientPreface)[:10])
		if err := <-c.served; !errors.Is(err, ErrPrefaceTimeout) {
			t.Error(err)
		}
		since(t, from, 10*time.Second)
		c.await(t, "GOAWAY 0 SETTINGS_TIMEOUT")
		if n := c.stats.PrefaceTimeouts.Load(); n != 1 {
			t.Errorf("counted %d", n)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a server that greets but never acknowledges
		a, b := connect(t, memory())
		sv := newRaw(b)
		stats := &Stats{}
		client, err := NewClient(a, Settings{Stats: stats, LingerTimeout: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		_ = sv.f.WriteSettings()
		_, _, err = client.Open(t.Context(), "a:1", nil)
		if !errors.Is(err, ErrPrefaceTimeout) {
			t.Error(err)
		}
		<-client.Done()
		if stats.PrefaceTimeouts.Load() != 1 || stats.LingerTimeouts.Load() != 1 {
			t.Error("not counted")
		}
		_ = b.Close()
	})
}

func TestNotHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := connect(t, memory())
		c := silent(t, a, b, Settings{}, nil)
		_, _ = a.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
		if c.code(t) != http2.ErrCodeProtocol {
			t.Error("another code")
		}
	})
}

func TestHeaderDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := attack(t, Settings{HeaderTimeout: 3 * time.Second}, nil)
		c.connect(1)
		from := time.Now()
		_ = c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: c.block(":method", "CONNECT")})
		synctest.Wait()
		<-time.After(2 * time.Second)
		_ = c.f.WriteContinuation(3, false, nil) // does not help
		if c.code(t) != http2.ErrCodeEnhanceYourCalm || c.stats.HeaderTimeouts.Load() != 1 {
			t.Error("another end")
		}
		since(t, from, 3*time.Second)
	})
}

func TestConnectDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sv := trap(t, Settings{ConnectTimeout: 7 * time.Second})
		from := time.Now()
		done := sv.open(t, true)
		if o := <-done; !errors.Is(o.err, ErrConnectTimeout) {
			t.Error(o.err)
		}
		since(t, from, 7*time.Second)
		sv.await(t, "RST_STREAM 1 CANCEL")
		if n := sv.stats.ConnectTimeouts.Load(); n != 1 {
			t.Errorf("counted %d", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := sv.client.Open(ctx, "a:1", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		since(t, from, 8*time.Second)
		sv.await(t, "RST_STREAM 3 CANCEL")
	})
}

func TestSlotWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sv := trap(t, Settings{MaxConcurrentStreams: 1})
		sv.open(t, true, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := sv.client.Open(ctx, "a:1", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if sv.client.ActiveStreams() != 1 {
			t.Error("the stream was opened")
		}
	})
}

func TestStreamDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := connect(t, memory())
		hold := make(chan *Stream, 1)
		tn := start(t, a, b, Settings{}, Settings{StreamWindow: 1000}, func(r *ServerStream) {
			s, err := r.Accept(nil)
			if err == nil {
				hold <- s
			}
		})
		s, _, err := tn.client.Open(t.Context(), "a:1", nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the server's window is known
		from := time.Now()
		_ = s.SetDeadline(from.Add(2 * time.Second))
		if n, err := s.Write(make([]byte, 5000)); n != 1000 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d, %v", n, err)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		since(t, from, 2*time.Second)
		// A new deadline reaches who waits already.
		_ = s.SetDeadline(time.Time{})
		go func() {
			<-time.After(time.Second)
			_ = s.SetDeadline(time.Now())
		}()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		if err := s.WaitWritable(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wait: %v", err)
		}
		since(t, from, 3*time.Second)
		_ = s.SetDeadline(time.Time{})
		if _, err := io.ReadFull(<-hold, make([]byte, 1000)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n, err := s.TryWrite(make([]byte, 5000)); n != 1000 || err != nil {
			t.Errorf("wrote %d, %v: the window was not given back", n, err)
		}
	})
}

func TestDrainLetsStreamsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := attack(t, Settings{}, nil)
		c.connect(1)
		s, err := (<-c.requests).Accept(nil)
		if err != nil {
			t.Fatal(err)
		}
		c.server.Drain()
		c.await(t, "GOAWAY 2147483647 NO_ERROR")
		c.connect(3) // under way
		(<-c.requests).Refuse(503)
		_ = c.f.WritePing(true, drainPing)
		c.await(t, "GOAWAY 3 NO_ERROR")
		c.connect(5) // too late: neither answered nor an offence
		_ = c.f.WriteData(1, true, []byte("x"))
		if got, err := io.ReadAll(s); string(got) != "x" || err != nil {
			t.Fatal(got, err)
		}
		_ = s.CloseWrite()
		seen := c.await(t, "GOAWAY 3 NO_ERROR")
		for _, line := range seen {
			if strings.Contains(line, " 5") {
				t.Error(line)
			}
		}
		if err := <-c.served; err != nil {
			t.Error(err)
		}
	})
}

func TestDrainWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := attack(t, Settings{PingInterval: time.Hour, PingTimeout: 15 * time.Second}, nil)
		from := time.Now()
		c.server.Drain()
		c.await(t, "GOAWAY 0 NO_ERROR")
		since(t, from, 15*time.Second)
		if err := <-c.served; err != nil {
			t.Error(err)
		}
	})
}

func TestCloseWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := connect(t, memory())
		tn := start(t, a, b, Settings{}, Settings{}, echo)
		s, _, err := tn.client.Open(t.Context(), "a:1", nil)
		if err != nil {
			t.Fatal(err)
		}
		tn.client.CloseWhenIdle()
		if tn.client.Usable() {
			t.Error("it is still usable")
		}
		if _, _, err := tn.client.Open(t.Context(), "a:1", nil); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		<-time.After(time.Minute)
		exchange(t, s, 1000)
		<-tn.client.Done()
		if err := tn.client.Err(); err != nil {
			t.Error(err)
		}
		if err := <-tn.served; err != nil {
			t.Error(err)
		}
	})
}

func TestAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := connect(t, memory())
		tn := start(t, a, b, Settings{}, Settings{}, echo)
		s, _, err := tn.client.Open(t.Context(), "a:1", nil)
		if err != nil {
			t.Fatal(err)
		}
		revoked := errors.New("revoked")
		from := time.Now()
		tn.client.Abort(revoked)
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, revoked) {
			t.Errorf("read: %v", err)
		}
		if _, err := s.Write(make([]byte, 1)); !errors.Is(err, ErrWriteClosed) {
			t.Errorf("write: %v", err)
		}
		if err := s.CloseWrite(); !errors.Is(err, revoked) {
			t.Errorf("half-close: %v", err)
		}
		<-tn.client.Done()
		<-tn.served
		since(t, from, 0)
		if !errors.Is(tn.client.Err(), revoked) {
			t.Error(tn.client.Err())
		}
	})
}

func TestRequestDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := attack(t, Settings{}, nil)
		c.connect(1)
		c.connect(3)
		c.connect(5)
		first, second, third := <-c.requests, <-c.requests, <-c.requests
		_ = c.f.WriteRSTStream(1, http2.ErrCodeCancel)
		<-first.Done()
		if _, err := first.Accept(nil); err == nil {
			t.Error("a stream was accepted after its reset")
		}
		select {
		case <-second.Done():
			t.Error("another request is over too")
		default:
		}
		_ = c.f.WriteRSTStream(5, http2.ErrCodeCancel)
		synctest.Wait()
		<-third.Done() // asked for only now
		_ = c.Close()
		<-second.Done()
		if _, err := second.Accept(nil); err == nil {
			t.Error("a stream was accepted after the connection's end")
		}
	})
}
