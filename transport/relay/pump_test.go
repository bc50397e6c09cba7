package relay

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// startStopping is startPlain with a relay that is stopped at random, over and over, and carried on by another one.
func startStopping(t testing.TB, n socket.Network, seed uint64, held *int) *relayed {
	t.Helper()
	r := &relayed{counters: &Counters{}, done: make(chan Result, 1)}
	r.client, r.downstream = connect(t, n)
	r.upstream, r.server = connect(t, n)
	for _, c := range []socket.Conn{r.client, r.server} {
		_ = c.SetDeadline(time.Now().Add(patience))
	}
	go func() {
		rnd := rand.New(rand.NewPCG(seed, 12))
		var at messages.Halfway
		for {
			p, ended := NewPump(r.downstream, r.upstream, r.counters, at), make(chan struct{})
			var stopping sync.WaitGroup
			pause := time.Duration(rnd.IntN(3000)) * time.Microsecond
			stopping.Go(func() {
				timer := time.NewTimer(pause)
				defer timer.Stop()
				select {
				case <-timer.C:
					p.Stop()
				case <-ended:
				}
			})
			result, stopped := p.Run()
			close(ended)
			stopping.Wait()
			if !stopped {
				r.done <- result
				return
			}
			at = p.Halfway()
			*held += len(at.ToUpstream.Bytes) + len(at.ToDownstream.Bytes)
			if len(at.ToUpstream.Bytes) > messages.MaxHeld || len(at.ToDownstream.Bytes) > messages.MaxHeld {
				t.Errorf("it holds %d and %d bytes", len(at.ToUpstream.Bytes), len(at.ToDownstream.Bytes))
			}
		}
	}()
	t.Cleanup(func() {
		for _, c := range []socket.Conn{r.client, r.server, r.downstream, r.upstream} {
			_ = c.Close()
		}
	})
	return r
}

// A relay that is stopped anywhere, and another one that goes on, lose and repeat nothing, whether it copies or splices.
func TestPumpChangesHands(t *testing.T) {
	flows := 60
	if testing.Short() {
		flows = 20
	}
	stock := noise(6, 1<<20)
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			held := 0
			for seed := range uint64(flows) {
				r := startStopping(t, n.make(), seed, &held)
				if err := converse(r, stock, seed); err != nil {
					t.Errorf("flow %d: %v", seed, err)
				}
			}
			t.Logf("%d bytes changed hands", held)
		})
	}
}

// What a slow reader has not taken when the relay stops is held, from the pipe as well as from a buffer, and arrives.
func TestPumpHoldsWhatASlowReaderLeaves(t *testing.T) {
	for _, big := range []bool{false, true} {
		n := networks[0].make()
		client, downstream := connect(t, n)
		upstream, server := connect(t, n)
		for _, c := range []socket.Conn{client, downstream, upstream, server} {
			t.Cleanup(func() { _ = c.Close() })
		}
		counters := &Counters{}
		p := NewPump(downstream, upstream, counters, messages.Halfway{})
		type end struct{ stopped bool }
		done := make(chan end, 1)
		go func() {
			_, stopped := p.Run()
			done <- end{stopped}
		}()
		size := 96 << 10 // below spliceAfter: a buffer
		if big {
			size = 16 << 20
		} else {
			tcp, _ := socket.AsTCP(upstream)
			_ = tcp.SetWriteBuffer(4 << 10)
			tcp, _ = socket.AsTCP(server)
			_ = tcp.SetReadBuffer(4 << 10)
		}
		stock := noise(8, size)
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			_, _ = client.Write(stock)
			_ = client.CloseWrite()
		}()
		before := uint64(1)
		eventually(t, "the relay is stuck", func() bool { // nothing moves for a while
			now := counters.Received.Load()
			stuck := now > 0 && now == before
			before = now
			if !stuck {
				<-time.After(20 * time.Millisecond)
			}
			return stuck
		})
		p.Stop()
		if e := <-done; !e.stopped {
			t.Fatal("it ended")
		}
		at := p.Halfway()
		if len(at.ToUpstream.Bytes) == 0 || at.ToUpstream.Ended {
			t.Errorf("it holds %d bytes, ended %v, after %d", len(at.ToUpstream.Bytes), at.ToUpstream.Ended, counters.Received.Load())
		}
		next := NewPump(downstream, upstream, counters, at)
		go func() {
			_, stopped := next.Run()
			done <- end{stopped}
		}()
		_ = server.SetDeadline(time.Now().Add(patience))
		if err := listenTo(server, stock); err != nil {
			t.Error(err)
		}
		<-wrote
		_ = server.Close()
		_ = client.Close()
		if e := <-done; e.stopped || counters.Received.Load() != uint64(size) {
			t.Errorf("stopped %v, counted %d of %d", e.stopped, counters.Received.Load(), size)
		}
	}
}

// A direction that has ended stays ended, and who ended it is remembered.
func TestPumpGoesOnHalfClosed(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			r := &relayed{counters: &Counters{}}
			net := n.make()
			r.client, r.downstream = connect(t, net)
			r.upstream, r.server = connect(t, net)
			for _, c := range []socket.Conn{r.client, r.server} {
				_ = c.SetDeadline(time.Now().Add(patience))
				defer func() { _ = c.Close() }()
			}
			p := NewPump(r.downstream, r.upstream, r.counters, messages.Halfway{})
			stopped := make(chan bool, 1)
			go func() {
				_, s := p.Run()
				stopped <- s
			}()
			say(t, r.client, "question")
			_ = r.client.CloseWrite()
			hear(t, r.server, "question")
			hearEnd(t, r.server)
			p.Stop()
			if !<-stopped {
				t.Fatal("it ended")
			}
			at := p.Halfway()
			if !at.ToUpstream.Ended || at.ToDownstream.Ended || at.ClosedBy != "client" {
				t.Errorf("it stands at %+v", at)
			}
			next, done := NewPump(r.downstream, r.upstream, r.counters, at), make(chan Result, 1)
			go func() {
				result, _ := next.Run()
				done <- result
			}()
			say(t, r.server, "answer")
			_ = r.server.Close()
			hear(t, r.client, "answer")
			hearEnd(t, r.client)
			if result := <-done; result.Err != nil || result.ClosedBy != SideDownstream {
				t.Errorf("it ended with %+v", result)
			}
		})
	}
}
