package cni

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/zds"
)

const portTaken = "failure to start proxy : failed to bind to address [::]:15008: Address already in use (os error 98)"

// in runs a test in a bubble, connected to the agent.
func in(t *testing.T, do func(t *testing.T, w *world, c *fakeConn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, false)
		defer w.end()
		do(t, w, w.connected())
	})
}

func TestAddServesBeforeItIsAnswered(t *testing.T) {
	in(t, func(_ *testing.T, w *world, c *fakeConn) {
		w.slow = time.Second
		w.expectAnswer(c, w.add("a", 1), "")
		w.expect("a")
		w.expectAnswer(c, &zds.SnapshotSent{}, "")
		if !w.ready() {
			w.t.Error("not ready after the snapshot")
		}
		if got := w.counts.Up.Load(); got != 1 {
			w.t.Errorf("%d pods are counted, want 1", got)
		}
	})
}

func TestAddAgainInTheSameNamespaceChangesNothing(t *testing.T) {
	in(t, func(t *testing.T, w *world, c *fakeConn) {
		for range 3 {
			w.expectAnswer(c, w.add("a", 1), "")
		}
		w.expect("a")
		if started := w.counts.Started.Load(); started != 1 {
			t.Errorf("%d proxies were started, want 1", started)
		}
	})
}

func TestAddInAnotherNamespaceReplaces(t *testing.T) {
	in(t, func(t *testing.T, w *world, c *fakeConn) {
		w.expectAnswer(c, w.add("a", 1), "")
		w.expectAnswer(c, w.add("a", 2), "")
		w.expectAnswer(c, w.add("a", 3), "")
		pass(time.Second)
		w.expect("a")
		if up, stopped := w.counts.Up.Load(), w.counts.Stopped.Load(); up != 1 || stopped != 2 {
			t.Errorf("%d are up and %d were stopped, want 1 and 2", up, stopped)
		}
		if n := w.spaces.open.Load(); n > 2 { // that of the pods actor and that of the listener
			t.Errorf("%d handles of namespaces are open for one pod", n)
		}
	})
}

func TestAddDeleteAdd(t *testing.T) {
	in(t, func(_ *testing.T, w *world, c *fakeConn) {
		w.expectAnswer(c, &zds.SnapshotSent{}, "")
		for range 5 {
			w.expectAnswer(c, w.add("a", 1), "")
			w.expect("a")
			w.expectAnswer(c, &zds.Delete{UID: "a"}, "")
			w.expect()
		}
		w.expectAnswer(c, &zds.Delete{UID: "never heard of"}, "")
	})
}

// A pod whose port is taken is refused with the reason, is retried, and does not keep the others from being served.
func TestBusyPortIsRetried(t *testing.T) {
	in(t, func(t *testing.T, w *world, c *fakeConn) {
		w.expectAnswer(c, &zds.SnapshotSent{}, "")
		w.take("a", true)
		w.expectAnswer(c, w.add("a", 1), portTaken)
		w.expect("a: failed to bind to address [::]:15008: Address already in use (os error 98)")
		if !w.ready() {
			t.Error("a failed pod alone must not unset readiness (spec/ops.md §3.6)")
		}
		w.expectAnswer(c, w.add("b", 2), "")
		if w.ready() || w.own.Failed.Load() != 1 {
			t.Error("the next request shows that a pod is not served")
		}
		pass(6 * time.Second)
		w.take("a", false)
		pass(5 * time.Second)
		w.expect("a", "b")
		if !w.ready() || w.own.Failed.Load() != 0 {
			t.Error("not ready after the retry")
		}
	})
}

func TestFailedThenDeletedIsForgotten(t *testing.T) {
	in(t, func(t *testing.T, w *world, c *fakeConn) {
		w.expectAnswer(c, &zds.SnapshotSent{}, "")
		w.take("a", true)
		w.expectAnswer(c, w.add("a", 1), portTaken)
		w.expectAnswer(c, &zds.Delete{UID: "a"}, "")
		w.expect()
		w.take("a", false)
		pass(20 * time.Second)
		w.expect()
		if !w.ready() {
			t.Error("not ready")
		}
	})
}

// istio#52858: a pod that waits for its retry comes again in another namespace.
func TestFailedThenAddedInAnotherNamespace(t *testing.T) {
	in(t, func(t *testing.T, w *world, c *fakeConn) {
		w.expectAnswer(c, &zds.SnapshotSent{}, "")
		w.take("a", true)
		w.expectAnswer(c, w.add("a", 1), portTaken)
		w.take("a", false)
		w.expectAnswer(c, w.add("a", 2), "")
		pass(20 * time.Second)
		w.expect("a")
		if started := w.counts.Started.Load(); started != 1 {
			t.Errorf("%d proxies were started, want 1", started)
		}
	})
}

func TestSnapshotEndsWhoIsNotInIt(t *testing.T) {
	in(t, func(t *testing.T, w *world, c *fakeConn) {
		for uid, ns := range map[string]uint64{"a": 1, "b": 2, "c": 3} {
			w.expectAnswer(c, w.add(uid, ns), "")
		}
		w.expectAnswer(c, &zds.Delete{UID: "c"}, "") // before the snapshot it is only not named
		w.expect("a", "b", "c")
		w.expectAnswer(c, &zds.SnapshotSent{}, "")
		w.expect("a", "b")
		_ = c.Close()
		synctest.Wait()
		if w.ready() {
			t.Error("ready without the agent")
		}
		w.expect("a", "b")
		again := w.connected()
		w.expectAnswer(again, &zds.Keep{UID: "b"}, "")
		w.expectAnswer(again, &zds.Keep{UID: "not here"}, "")
		w.expectAnswer(again, &zds.SnapshotSent{}, "")
		w.expect("b")
		if !w.ready() {
			t.Error("not ready after the second snapshot")
		}
	})
}

// What could not be started is tried on across a reconnect, until a snapshot leaves it out.
func TestFailedSurvivesReconnect(t *testing.T) {
	in(t, func(_ *testing.T, w *world, c *fakeConn) {
		w.take("a", true)
		w.take("b", true)
		w.expectAnswer(c, w.add("a", 1), portTaken)
		w.expectAnswer(c, w.add("b", 2), portTaken)
		_ = c.Close()
		again := w.connected()
		w.expectAnswer(again, &zds.Keep{UID: "a"}, "")
		w.expectAnswer(again, &zds.SnapshotSent{}, "")
		w.take("a", false)
		pass(10 * time.Second)
		w.expect("a")
	})
}

func TestProtocolErrorsEndTheProcess(t *testing.T) {
	for name, one := range map[string]struct {
		request func(*world) zds.Request
		want    error
	}{
		"keep too late":  {func(*world) zds.Request { return &zds.Keep{UID: "a"} }, errKeepTooLate},
		"snapshot twice": {func(*world) zds.Request { return &zds.SnapshotSent{} }, errSnapshotTwice},
		"no info":        {func(w *world) zds.Request { r := w.add("a", 1); r.Info = nil; return r }, errNoInfo},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world, c *fakeConn) {
				w.expectAnswer(c, &zds.SnapshotSent{}, "")
				w.expectAnswer(c, one.request(w), "failure to process message : "+one.want.Error())
				if len(w.broken) != 1 || !errors.Is(w.broken[0], one.want) {
					t.Errorf("told of %v", w.broken)
				}
				pass(time.Minute)
				if len(w.agent.dials) != 1 {
					t.Error("it dialled again")
				}
			})
		})
	}
}

func TestUnreadablePacketIsRefusedAndReconnects(t *testing.T) {
	in(t, func(t *testing.T, w *world, c *fakeConn) {
		w.expectAnswer(c, w.add("a", 1), "")
		c.broken <- errors.New("Expected 1 FD, got 2")
		synctest.Wait()
		if got := <-c.answers; got != "failure to read message : Expected 1 FD, got 2" {
			t.Errorf("answered %q", got)
		}
		w.connected()
		w.expect("a")
		if len(w.broken) != 0 || w.own.Refused.Load() != 1 {
			t.Errorf("told of %v", w.broken)
		}
	})
}

// An add without a namespace that can be looked at is refused, and the connection goes on.
func TestAddWithoutNamespace(t *testing.T) {
	in(t, func(t *testing.T, w *world, c *fakeConn) {
		r := &zds.Add{UID: "a", Info: &messages.WorkloadInfo{Name: "a"}, Err: errors.New("bad file descriptor")}
		if got := c.ask(t, r); !strings.HasPrefix(got, "failure to start proxy : ") || !strings.Contains(got, "bad file descriptor") {
			t.Errorf("answered %q", got)
		}
		w.expectAnswer(c, w.add("b", 2), "")
		w.expect("b")
	})
}

// A pod whose opening hangs is refused within the agent's patience.
func TestSlowStartIsRefusedInTime(t *testing.T) {
	in(t, func(t *testing.T, w *world, c *fakeConn) {
		w.mu.Lock()
		w.slow = 30 * time.Second
		w.mu.Unlock()
		began := time.Now()
		w.expectAnswer(c, w.add("a", 1), "failure to start proxy : the proxy did not start in time")
		if took := time.Since(began); took >= 5*time.Second {
			t.Errorf("answered after %v", took)
		}
		pass(time.Minute)
		w.expect("a")
	})
}

func TestDialBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, true)
		defer w.end()
		w.agent.down = true
		w.system.Send(w.cni, &messages.StartAccepting{})
		pass(2 * time.Minute)
		w.agent.mu.Lock()
		dials := w.agent.dials
		w.agent.down = false
		w.agent.mu.Unlock()
		want := 20 * time.Millisecond
		for i := 1; i < len(dials); i++ {
			if got := dials[i].Sub(dials[i-1]); got != want {
				t.Errorf("wait %d was %v, want %v", i, got, want)
			}
			want = min(2*want, 15*time.Second)
		}
		if len(dials) < 12 {
			t.Errorf("dialled %d times", len(dials))
		}
		w.expectAnswer(w.connected(), &zds.SnapshotSent{}, "")
	})
}

func TestAnnouncementBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, true)
		defer w.end()
		w.agent.deaf = true
		w.system.Send(w.cni, &messages.StartAccepting{})
		pass(time.Minute)
		w.agent.mu.Lock()
		dials := w.agent.dials
		w.agent.deaf = false
		w.agent.mu.Unlock()
		want := 5 * time.Millisecond
		for i := 1; i < len(dials); i++ {
			if got := dials[i].Sub(dials[i-1]); got != want {
				t.Errorf("wait %d was %v, want %v", i, got, want)
			}
			want = min(2*want, 15*time.Second)
		}
		pass(20 * time.Second)
		last := w.live()
		w.expectAnswer(last, &zds.SnapshotSent{}, "")
		if last.hellos.Load() != 1 {
			t.Errorf("%d hellos on one connection", last.hellos.Load())
		}
	})
}

func TestNothingIsDialledBeforeTheFirstState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, true)
		defer w.end()
		pass(time.Minute)
		if len(w.agent.dials) != 0 {
			t.Error("it dialled")
		}
		w.system.Send(w.cni, &messages.StartAccepting{})
		w.connected()
	})
}

func TestDrainHangsUp(t *testing.T) {
	in(t, func(t *testing.T, w *world, c *fakeConn) {
		w.expectAnswer(c, w.add("a", 1), "")
		w.take("b", true)
		w.expectAnswer(c, w.add("b", 2), portTaken)
		for _, pid := range []string{"cni", "pods"} {
			who := w.cni
			if pid == "pods" {
				who = w.pods
			}
			if _, err := kit.AskFor[*messages.Drained](t.Context(), w.system, who, &messages.Drain{Deadline: time.Second}, 10*time.Second); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if !isClosed(c) || w.open["a"] != 0 {
			t.Errorf("closed: %v; open listeners: %v", isClosed(c), w.open)
		}
		pass(time.Minute)
		if len(w.agent.dials) != 1 {
			t.Error("it dialled again")
		}
	})
}
