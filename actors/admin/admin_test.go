package admin

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

func TestReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, "state manager", "proxy")
		defer n.stop()
		n.serve("readiness", 15021, nil)
		expect := func(status int, body string) {
			t.Helper()
			if gotStatus, gotBody := n.ready(); gotStatus != status || gotBody != body {
				t.Errorf("got %d %q, want %d %q", gotStatus, gotBody, status, body)
			}
		}
		expect(500, "not ready, pending: proxy, state manager\n")
		<-time.After(1500 * time.Millisecond) // virtual
		n.sys.Send(n.pid, &messages.TaskCompleted{Name: "state manager"})
		expect(500, "not ready, pending: proxy\n")
		n.sys.Send(n.pid, &messages.TaskCompleted{Name: "unheard of"})
		n.sys.Send(n.pid, &messages.TaskCompleted{Name: "proxy"})
		expect(200, "ready\n")
		n.sys.Send(n.pid, &messages.AwaitTask{Name: "workload proxy manager"})
		n.sys.Send(n.pid, &messages.AwaitTask{Name: "workload proxy manager"})
		expect(500, "not ready, pending: workload proxy manager\n")
		n.sys.Send(n.pid, &messages.TaskCompleted{Name: "workload proxy manager"})
		expect(200, "ready\n")

		for _, tt := range []struct {
			method, path string
			status       int
		}{
			{http.MethodPost, "/healthz/ready", 405},
			{http.MethodHead, "/healthz/ready", 405},
			{http.MethodGet, "/", 404},
			{http.MethodGet, "/healthz/ready/", 404},
		} {
			if status, body := n.get(15021, tt.method, tt.path); status != tt.status || body != "" {
				t.Errorf("%s %s: got %d %q", tt.method, tt.path, status, body)
			}
		}
		n.expectLog("\tinfo\treadiness\tTask 'state manager' complete (1.5s), still awaiting 1 tasks\t\n")
		n.expectLog("\tinfo\treadiness\tTask 'proxy' complete (1.5s), marking server ready\t\n")
		n.expectLog("\tinfo\thyper_util\tlistener established\taddress=10.0.0.1:15021 component=\"readiness\"\n")
		if strings.Contains(n.logged(), "unheard of") {
			t.Error("a task that nobody awaited was completed")
		}
	})
}

// What threatens a node that is ready is told beside the reference's answer, and nothing while it is not ready anyway.
func TestReadinessWarns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, "state manager")
		defer n.stop()
		var warnings []string
		h := readinessHandler(n.sys, n.pid, func(context.Context) []string { return warnings })
		for _, tt := range []struct {
			complete bool
			warnings []string
			status   int
			body     string
			told     []string
		}{
			{false, []string{"one"}, 500, "not ready, pending: state manager\n", nil},
			{true, nil, 200, "ready\n", nil},
			{true, []string{"one", "two, and more"}, 200, "ready\n", []string{"one", "two, and more"}},
		} {
			if tt.complete {
				n.sys.Send(n.pid, &messages.TaskCompleted{Name: "state manager"})
			}
			warnings = tt.warnings
			w := ask1(h, http.MethodGet, "/healthz/ready")
			if w.Code != tt.status || w.Body.String() != tt.body || !slices.Equal(w.Header().Values(HeaderWarning), tt.told) {
				t.Errorf("%+v: got %d %q %q", tt, w.Code, w.Body, w.Header())
			}
		}
	})
}

func TestBindConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		defer n.stop()
		e := n.serve("stats", 15020, answerText("x"))
		synctest.Wait()
		free, taken := netip.AddrPortFrom(nodeAddr, 15019), netip.AddrPortFrom(nodeAddr, 15020)
		_, err := Bind(t.Context(), n.host, "admin", []netip.AddrPort{free, taken})
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "admin endpoint to 10.0.0.1:15020") {
			t.Errorf("got %v", err)
		}
		again, err := Bind(t.Context(), n.host, "admin", []netip.AddrPort{free})
		if err != nil {
			t.Fatalf("the first address stayed bound: %v", err)
		}
		if got := again.Addrs(); len(got) != 1 || got[0] != free {
			t.Errorf("got %v", got)
		}
		again.Close()
		if e.Addrs() != nil {
			t.Error("the endpoint still has listeners to give")
		}
	})
}

func TestUndeliveredEndpointIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.sys.Stop(n.pid)
		synctest.Wait()
		n.serve("stats", 15020, answerText("x"))
		synctest.Wait()
		if _, err := n.dial(15020); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v", err)
		}
		n.stop()
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		defer n.stop()
		release := make(chan struct{})
		n.serve("readiness", 15021, nil)
		n.serve("admin", 15000, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-release
			writeText(w, 200, "late")
		}))
		slow := make(chan string, 1)
		go func() {
			_, body := n.get(15000, http.MethodGet, "/")
			slow <- body
		}()
		synctest.Wait()
		start := time.Now()
		drained := make(chan struct{})
		go func() { n.drain(t.Context(), &messages.Drain{Deadline: 5 * time.Second}); close(drained) }()
		synctest.Wait()
		for _, port := range []uint16{15021, 15000} {
			if _, err := n.dial(port); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("port %d while draining: got %v", port, err)
			}
		}
		select {
		case <-drained:
			t.Error("drained while a request was running")
		default:
		}
		<-time.After(time.Second)
		close(release)
		<-drained
		if body := <-slow; body != "late" {
			t.Errorf("the running request got %q", body)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("drain took %v", took)
		}
		n.drain(t.Context(), &messages.Drain{Deadline: time.Second}) // once more is answered too
		e := n.serve("stats", 15020, answerText("x"))
		synctest.Wait()
		if e.Addrs() != nil {
			t.Error("an endpoint that came too late stays open")
		}
		n.expectLog("listener drained\taddress=10.0.0.1:15000 component=\"admin\"\n")
	})
}

func TestDrainDeadline(t *testing.T) {
	for _, mode := range []messages.DrainMode{messages.DrainGraceful, messages.DrainImmediate} {
		synctest.Test(t, func(t *testing.T) {
			n := newNode(t)
			defer n.stop()
			n.serve("admin", 15000, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
			c, err := n.dial(15000)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			start := time.Now()
			n.drain(t.Context(), &messages.Drain{Mode: mode, Deadline: 3 * time.Second})
			want := 3 * time.Second
			if mode == messages.DrainImmediate {
				want = 0
			}
			if took := time.Since(start); took != want {
				t.Errorf("mode %d: drain took %v, want %v", mode, took, want)
			}
			_ = c.Close()
			if mode == messages.DrainGraceful {
				n.expectLog("\twarn\thyper_util\tdrain duration expired with pending connections, forcefully shutting down\t")
			}
		})
	}
}

func TestCrashKeepsTasksAndReopens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, "proxy")
		defer n.stop()
		n.serve("readiness", 15021, nil)
		synctest.Wait()
		n.sys.Send(n.pid, (*messages.TaskCompleted)(nil)) // its handler reads through nil
		synctest.Wait()
		if status, body := n.ready(); status != 500 || body != "not ready, pending: proxy\n" {
			t.Errorf("after a crash: got %d %q", status, body)
		}
		if got := strings.Count(n.logged(), "listener established"); got != 2 {
			t.Errorf("the listener was established %d times, want 2", got)
		}

		n.sys.Send(n.pid, &messages.TaskCompleted{Name: "proxy"})
		if status, _ := n.ready(); status != 200 {
			t.Errorf("got %d", status)
		}
	})
}

// scarce is a network on which listening fails for a while.
type scarce struct {
	socket.Network
	failures int
}

func (s *scarce) Listen(ctx context.Context, addr netip.AddrPort, o socket.ListenOptions) (socket.Listener, error) {
	if s.failures > 0 {
		s.failures--
		return nil, syscall.EADDRINUSE
	}
	return s.Network.Listen(ctx, addr, o)
}

func TestReopenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		defer n.stop()
		network := &scarce{Network: n.host}
		e, err := Bind(t.Context(), network, "stats", []netip.AddrPort{netAddr(15020)})
		if err != nil {
			t.Fatal(err)
		}
		n.sys.Send(n.pid, &Serve{Endpoint: e, Handler: answerText("back")})
		synctest.Wait()
		network.failures = 3
		n.sys.Send(n.pid, (*messages.TaskCompleted)(nil))
		synctest.Wait()
		if _, err := n.dial(15020); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v", err)
		}
		<-time.After(3*reopenAfter + time.Millisecond)
		synctest.Wait()
		if status, body := n.get(15020, http.MethodGet, "/"); status != 200 || body != "back" {
			t.Errorf("got %d %q", status, body)
		}
		n.expectLog("\terror\tadmin\tendpoint is down, trying again\terror=\"bind the stats endpoint to 10.0.0.1:15020")

		// While it drains nothing is opened any more.
		network.failures = 1
		n.sys.Send(n.pid, (*messages.TaskCompleted)(nil))
		synctest.Wait()
		n.drain(t.Context(), &messages.Drain{Deadline: time.Second})
		<-time.After(2 * reopenAfter)
		synctest.Wait()
		if _, err := n.dial(15020); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("after draining: got %v", err)
		}
	})
}
