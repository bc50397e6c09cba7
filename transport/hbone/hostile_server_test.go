package hbone

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/http2"
)

// Each of these fails an Open, and only that.
func TestClientRefusesResponses(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(sv *rawServer)
		want http2.ErrCode // of our reset
	}{
		{"no status", func(sv *rawServer) { sv.headers(1, false, "a", "b") }, http2.ErrCodeProtocol},
		{"bad status", func(sv *rawServer) { sv.headers(1, false, ":status", "2000") }, http2.ErrCodeProtocol},
		{"status 101", func(sv *rawServer) { sv.headers(1, false, ":status", "101") }, http2.ErrCodeProtocol},
		{"informational response that ends the stream", func(sv *rawServer) { sv.headers(1, true, ":status", "100") }, http2.ErrCodeProtocol},
		{"upper-case header", func(sv *rawServer) { sv.headers(1, false, ":status", "200", "Baggage", "x") }, http2.ErrCodeProtocol},
		{"connection header", func(sv *rawServer) { sv.headers(1, false, ":status", "200", "connection", "close") }, http2.ErrCodeProtocol},
		{"request pseudo header", func(sv *rawServer) { sv.headers(1, false, ":status", "200", ":method", "GET") }, http2.ErrCodeProtocol},
		{"DATA before the response", func(sv *rawServer) { _ = sv.f.WriteData(1, false, []byte("x")) }, http2.ErrCodeProtocol},
		{"header list too large", func(sv *rawServer) {
			pairs := []string{":status", "200"}
			for range 20 {
				pairs = append(pairs, "x-a", strings.Repeat("b", 1000))
			}
			sv.headers(1, false, pairs...)
		}, http2.ErrCodeProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			sv := trap(t, Settings{})
			done := sv.open(t, true)
			c.do(sv)
			o := <-done
			var se *StreamError
			if !errors.As(o.err, &se) || se.Code != c.want || se.Remote {
				t.Fatal(o.err)
			}
			sv.await(t, "RST_STREAM 1 "+c.want.String())
			again := sv.open(t, false)
			sv.await(t, "HEADERS 3 :method=CONNECT :authority=10.0.0.2:80")
			sv.headers(3, false, ":status", "103", "link", "x")
			sv.headers(3, false, ":status", "200", "baggage", "x")
			if o := <-again; o.err != nil || o.r.Status != 200 {
				t.Fatal(o.r, o.err)
			}
		})
	}
}

func TestClientEndsConnections(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(sv *rawServer)
		want http2.ErrCode
	}{
		{"push promise", func(sv *rawServer) { _ = sv.f.WriteRawFrame(http2.FramePushPromise, 0, 1, make([]byte, 8)) }, http2.ErrCodeProtocol},
		{"server enables push", func(sv *rawServer) { _ = sv.f.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 1}) }, http2.ErrCodeProtocol},
		{"HEADERS on an idle stream", func(sv *rawServer) { sv.headers(7, false, ":status", "200") }, http2.ErrCodeProtocol},
		{"HEADERS on an even stream", func(sv *rawServer) { sv.headers(2, false, ":status", "200") }, http2.ErrCodeProtocol},
		{"flood of informational responses", func(sv *rawServer) {
			for range 20000 {
				sv.headers(1, false, ":status", "103")
			}
		}, http2.ErrCodeEnhanceYourCalm},
		{"unasked PING answers", func(sv *rawServer) {
			for range 20000 {
				_ = sv.f.WritePing(true, [8]byte{9})
			}
		}, http2.ErrCodeEnhanceYourCalm},
	} {
		t.Run(c.name, func(t *testing.T) {
			sv := trap(t, Settings{})
			done := sv.open(t, true)
			c.do(sv)
			o := <-done
			var ce *ConnError
			if !errors.As(o.err, &ce) || ce.Code != c.want {
				t.Fatalf("%v, want %v", o.err, c.want)
			}
			if sv.client.Usable() {
				t.Error("it is still usable")
			}
			<-sv.client.Done()
			if !errors.As(sv.client.Err(), &ce) || ce.Code != c.want {
				t.Errorf("ended with %v", sv.client.Err())
			}
		})
	}
}

func TestClientMapsResets(t *testing.T) {
	for _, c := range []struct {
		code         http2.ErrCode
		read, finish error // nil: a StreamError with the code
	}{
		{http2.ErrCodeNo, io.EOF, nil},
		{http2.ErrCodeCancel, io.EOF, syscall.EPIPE},
		{http2.ErrCodeStreamClosed, syscall.EPIPE, syscall.EPIPE},
		{http2.ErrCodeInternal, nil, nil},
	} {
		t.Run(c.code.String(), func(t *testing.T) {
			sv := trap(t, Settings{})
			done := sv.open(t, true)
			sv.headers(1, false, ":status", "200")
			_ = sv.f.WriteData(1, false, []byte("abc"))
			_ = sv.f.WriteRSTStream(1, c.code)
			s := (<-done).s
			p := make([]byte, 10)
			if n, err := s.Read(p); n != 3 || err != nil {
				t.Fatalf("what came before the reset is lost: %d, %v", n, err)
			}
			isStreamError := func(err error) bool {
				var se *StreamError
				return errors.As(err, &se) && se.Remote && se.Code == c.code
			}
			if _, err := s.Read(p); c.read != nil && !errors.Is(err, c.read) || c.read == nil && !isStreamError(err) {
				t.Errorf("read: %v", err)
			}
			if _, err := s.Write(p); !errors.Is(err, ErrWriteClosed) {
				t.Errorf("write: %v", err)
			}
			err := s.CloseWrite()
			switch {
			case c.code == http2.ErrCodeNo && err != nil, c.finish != nil && !errors.Is(err, c.finish), c.code == http2.ErrCodeInternal && !isStreamError(err):
				t.Errorf("half-close: %v", err)
			}
			_ = s.Close() // sends nothing: the peer would complain
			if err := s.CloseWrite(); c.code == http2.ErrCodeNo && err != nil {
				t.Errorf("half-close after close: %v", err)
			}
		})
	}
}

func TestClientObeysGoAway(t *testing.T) {
	sv := trap(t, Settings{})
	first := sv.open(t, true)
	second := sv.open(t, false)
	sv.await(t, "HEADERS 3 :method=CONNECT :authority=10.0.0.2:80")
	sv.headers(1, false, ":status", "200")
	_ = sv.f.WriteGoAway(1, http2.ErrCodeNo, nil)
	if o := <-second; !Retryable(o.err) {
		t.Errorf("not retryable: %v", o.err)
	}
	o := <-first
	if o.err != nil || sv.client.Usable() {
		t.Fatal(o.err, sv.client.Usable())
	}
	_ = sv.f.WriteData(1, true, []byte("still here"))
	if got, err := io.ReadAll(o.s); string(got) != "still here" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if err := o.s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	sv.await(t, "GOAWAY 0 NO_ERROR") // the last stream has ended
	<-sv.client.Done()
	if err := sv.client.Err(); err != nil {
		t.Error(err)
	}
}

func TestClientWaitsForASlot(t *testing.T) {
	sv := trap(t, Settings{})
	first := sv.open(t, true, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
	sv.headers(1, false, ":status", "200")
	s := (<-first).s
	// The acknowledgement says that the limit is known.
	second := sv.open(t, false)
	_ = sv.f.WritePing(false, [8]byte{1})
	for _, line := range sv.await(t, "PING ACK") {
		if strings.HasPrefix(line, "HEADERS 3") {
			t.Fatal("opened above the limit")
		}
	}
	_ = s.Close()
	seen := sv.await(t, "HEADERS 3 :method=CONNECT :authority=10.0.0.2:80")
	if seen[0] != "RST_STREAM 1 CANCEL" {
		t.Error(seen)
	}
	sv.headers(3, false, ":status", "200")
	if o := <-second; o.err != nil {
		t.Fatal(o.err)
	}
}

func TestClientValidatesWhatItSends(t *testing.T) {
	sv := trap(t, Settings{})
	for _, authority := range []string{"", "a b:1", "a\r\nb", "a:1:2", "[::1", "[::1]x", "a/b", "a@b", "ä:1"} {
		if _, _, err := sv.client.Open(t.Context(), authority, nil); err == nil {
			t.Errorf("authority %q was sent", authority)
		}
	}
	for _, h := range []Header{{"baggage", "a\nb"}, {"Baggage", "a"}, {"a b", "c"}, {":path", "/"}, {"connection", "close"}, {"", "x"}} {
		if _, _, err := sv.client.Open(t.Context(), "a:1", []Header{h}); err == nil {
			t.Errorf("header %q was sent", h)
		}
	}
	if n := sv.client.ActiveStreams(); n != 0 {
		t.Errorf("%d streams", n)
	}
}
