package relay

import (
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/transport/hbone"
)

// carryAfresh carries to the end, each time on a new goroutine.
func carryAfresh(c *Carrier, idle func(), done chan<- Result) {
	r, ended := c.Carry()
	if !ended {
		idle()
		go carryAfresh(c, idle, done)
		return
	}
	done <- r
}

// pass sends one byte and waits until it is at the other end.
func pass(t *testing.T, from io.Writer, to io.Reader) {
	t.Helper()
	p := []byte{'x'}
	if _, err := from.Write(p); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(to, p); err != nil {
		t.Fatal(err)
	}
}

func TestCarrierSaysOnceThatItIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := startTunnel(t, networks[1].make(), false, hbone.Settings{}, hbone.Settings{})
		stream, _, err := tn.client.Open(t.Context(), "10.0.0.9:80", nil)
		if err != nil {
			t.Fatal(err)
		}
		client, downstream := connect(t, tn.network)
		acc := <-tn.apps
		start, done := time.Now(), make(chan Result, 1)
		var mu sync.Mutex
		var idle []time.Duration
		note := func() {
			mu.Lock()
			defer mu.Unlock()
			idle = append(idle, time.Since(start))
		}
		go carryAfresh(NewCarrier(downstream, stream, SideDownstream, &Counters{}), note, done)
		expect := func(what string, want ...time.Duration) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(idle) != len(want) {
				t.Fatalf("%s: idle %v, want %v", what, idle, want)
			}
			for i := range want {
				if d := idle[i] - want[i]; d < 0 || d > time.Second/2 {
					t.Errorf("%s: idle %v, want %v", what, idle, want)
				}
			}
		}

		<-time.After(idleAfter + time.Second)
		expect("never a word", idleAfter)
		<-time.After(time.Hour)
		expect("still not a word", idleAfter)
		pass(t, acc.app, client)
		<-time.After(time.Hour)
		expect("a word from the other side", idleAfter)

		spoke := time.Since(start)
		pass(t, client, acc.app)
		<-time.After(idleAfter / 2)
		pass(t, client, acc.app)
		<-time.After(idleAfter)
		expect("words", idleAfter)
		<-time.After(time.Hour)
		expect("and no more", idleAfter, spoke+2*idleAfter)

		_ = client.Close()
		synctest.Wait()
		_ = acc.app.Close()
		if r := <-done; r.Err != nil || r.ClosedBy != SideDownstream {
			t.Errorf("it ended with %+v", r)
		}
	})
}

// A talk whose words are further apart than a relay is patient loses none.
func TestNoByteIsLostBetweenTwoIdleTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := startTunnel(t, networks[1].make(), false, hbone.Settings{}, hbone.Settings{})
		stream, _, err := tn.client.Open(t.Context(), "10.0.0.9:80", nil)
		if err != nil {
			t.Fatal(err)
		}
		client, downstream := connect(t, tn.network)
		acc := <-tn.apps
		done := make(chan Result, 1)
		var idle atomic.Int64
		go carryAfresh(NewCarrier(downstream, stream, SideDownstream, &Counters{}), func() { idle.Add(1) }, done)
		for i := range 200 {
			<-time.After(time.Duration(i) * idleAfter / 50)
			pass(t, client, acc.app)
			pass(t, acc.app, client)
		}
		_ = client.Close()
		_ = acc.app.Close()
		if r := <-done; r.Err != nil || idle.Load() == 0 {
			t.Errorf("idle %d times, ended with %+v", idle.Load(), r)
		}
	})
}
