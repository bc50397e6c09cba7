package admin

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

func TestServerLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		defer n.stop()
		n.serve("stats", 15020, answerText("hello"))
		dial := func() socket.Conn {
			t.Helper()
			c, err := n.dial(15020)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		endsAfter := func(c socket.Conn, want time.Duration, what string) string {
			t.Helper()
			start := time.Now()
			text, err := io.ReadAll(c)
			if err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: %v", what, err)
			}
			// net/http waits half a second for a client to read the answer before it closes with unread data.
			if took := time.Since(start); took < want || took > want+time.Second {
				t.Errorf("%s: ended after %v, want %v", what, took, want)
			}
			_ = c.Close()
			return string(text)
		}

		endsAfter(dial(), headerTimeout, "a client that says nothing")

		slow := dial()
		_, _ = io.WriteString(slow, "GET / HTTP/1.1\r\nHos")
		endsAfter(slow, headerTimeout, "a client that stops within the header")

		idle := dial()
		_, _ = io.WriteString(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if text := endsAfter(idle, headerTimeout, "a kept connection without a next request"); !strings.Contains(text, "hello") {
			t.Errorf("got %q", text)
		}

		garbage := dial()
		_, _ = io.WriteString(garbage, "\x16\x03\x01 not http at all\r\n\r\n")
		if text := endsAfter(garbage, 0, "garbage"); !strings.HasPrefix(text, "HTTP/1.1 400") {
			t.Errorf("got %q", text)
		}

		fits := dial()
		if status, _ := exchange(t, fits, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("a", 8000)+"\r\n\r\n"); status != 200 {
			t.Errorf("a header of 8000 bytes: got %d", status)
		}
		_ = fits.Close()
		large := dial()
		_, _ = io.WriteString(large, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("a", 8200)+"\r\n\r\n")
		if text := endsAfter(large, 0, "a header that is too large"); !strings.HasPrefix(text, "HTTP/1.1 431") {
			t.Errorf("a header of 8200 bytes: got %q", text)
		}

		old := dial()
		if status, body := exchange(t, old, "GET / HTTP/1.0\r\n\r\n"); status != 200 || body != "hello" {
			t.Errorf("HTTP/1.0: got %d %q", status, body)
		}
		_ = old.Close()
	})
}

func TestHalfClosedClientGetsItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		defer n.stop()
		n.serve("admin", 15000, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			timer := time.NewTimer(time.Second)
			select {
			case <-timer.C:
				writeText(w, 200, "patient")
			case <-r.Context().Done():
				writeText(w, 500, "cut")
			}
		}))
		c, err := n.dial(15000)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(c)
		if err != nil || !strings.HasSuffix(string(text), "patient") {
			t.Errorf("got %q, %v", text, err)
		}
	})
}

func TestTooManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		defer n.stop()
		release := make(chan struct{})
		e := n.serve("stats", 15020, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-release
			writeText(w, 200, "x")
		}))
		var open []socket.Conn
		for range maxConnections {
			c, err := n.dial(15020)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			open = append(open, c)
			synctest.Wait()
		}
		over, err := n.dial(15020)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(over); len(text) != 0 {
			t.Errorf("one too many got %q", text)
		}
		_ = over.Close()
		if e.Refused() != 1 {
			t.Errorf("refused %d", e.Refused())
		}
		close(release)
		for _, c := range open {
			if text, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(text), "x") {
				t.Errorf("got %q, %v", text, err)
			}
			_ = c.Close()
		}
		synctest.Wait()
		if status, _ := n.get(15020, http.MethodGet, "/"); status != 200 {
			t.Errorf("afterwards: got %d", status)
		}
	})
}

func TestHandlerPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		defer n.stop()
		n.serve("admin", 15000, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") }))
		if status, body := n.get(15000, http.MethodGet, "/"); status != 500 || body != "internal error\n" {
			t.Errorf("got %d %q", status, body)
		}
		n.expectLog("\terror\thyper_util\thandler failed\tcomponent=\"admin\" error=\"oops\" stack=")
	})
}

// failing is a listener whose first accepts fail.
type failing struct {
	socket.Listener
	failures int
}

func (f *failing) Accept() (socket.Accepted, error) {
	if f.failures > 0 {
		f.failures--
		return socket.Accepted{}, syscall.EMFILE
	}
	return f.Listener.Accept()
}

func TestAcceptErrorsAreNotTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		defer n.stop()
		e := n.bindFailing(5)
		n.sys.Send(n.pid, &Serve{Endpoint: e, Handler: answerText("alive")})
		if status, body := n.get(15020, http.MethodGet, "/"); status != 200 || body != "alive" {
			t.Errorf("got %d %q", status, body)
		}
		if got := strings.Count(n.logged(), "\twarn\thyper_util\taccept failed, trying again\t"); got != 5 {
			t.Errorf("%d failures logged, want 5", got)
		}
	})
}

func TestStopEndsFailingAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.sys.Send(n.pid, &Serve{Endpoint: n.bindFailing(1 << 30), Handler: answerText("x")})
		<-time.After(time.Minute)
		n.stop()
	})
}

func (n *node) bindFailing(failures int) *Endpoint {
	n.t.Helper()
	l, err := n.host.Listen(n.t.Context(), netAddr(15020), socket.ListenOptions{})
	if err != nil {
		n.t.Fatal(err)
	}
	return &Endpoint{name: "stats", first: []socket.Listener{&failing{l, failures}}}
}
