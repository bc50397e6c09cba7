package pool

import (
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

func maxStreams(n int) func(*Settings) { return func(s *Settings) { s.MaxStreams = n } }

// The names of these tests are those of the reference's catalogue (spec/dataplane.md §13.3).

func TestConnectionsReused(t *testing.T) {
	inBubble(t, maxStreams(3), func(f *fixture) {
		one := func(int) messages.TunnelKey { return f.key(1) }
		for range 2 {
			for _, a := range f.acquireAll(2, one) {
				f.use(a)()
			}
		}
		f.want(1, 1)
		f.end()
		if f.open.Load() != 0 {
			t.Error("the connection outlives its pool")
		}
	})
}

func TestUniqueKeysHaveUniqueConnections(t *testing.T) {
	inBubble(t, nil, func(f *fixture) {
		for i := range 2 {
			f.use(f.acquire(f.key(i)))()
		}
		f.want(2, 2)
	})
}

func TestKeysDifferInEveryField(t *testing.T) {
	inBubble(t, nil, func(f *fixture) {
		same := f.key(1)
		keys := []messages.TunnelKey{same, same, same, same}
		keys[1].Source.ServiceAccount = "other"
		keys[2].Expected += ",spiffe://cluster.local/ns/ns/sa/another"
		keys[3].SrcIP = f.key(2).SrcIP
		for _, key := range keys {
			f.use(f.acquire(key))()
		}
		f.want(4, 4)
	})
}

func TestConnectionLimits(t *testing.T) {
	inBubble(t, maxStreams(2), func(f *fixture) {
		var ends []func()
		for range 4 {
			ends = append(ends, f.use(f.acquire(f.key(1))))
		}
		f.want(2, 2)
		for _, end := range ends {
			end()
		}
		f.want(2, 0) // full tunnels do not come back
		ends = nil
		for range 5 {
			ends = append(ends, f.use(f.acquire(f.key(1))))
		}
		f.want(5, 3)
		for _, end := range ends {
			end()
		}
		f.want(5, 1) // the last has room
	})
}

func TestServerGoaway(t *testing.T) {
	inBubble(t, nil, func(f *fixture) {
		f.use(f.acquire(f.key(1)))()
		f.want(1, 1)
		f.servers[0].Drain()
		f.want(1, 0)
		a := f.acquire(f.key(1))
		if a.Hit {
			t.Error("a tunnel that was gone counts as hit")
		}
		f.use(a)()
		f.want(2, 1)
	})
}

func TestSinglePool(t *testing.T) {
	inBubble(t, maxStreams(1), func(f *fixture) {
		for range 3 {
			f.use(f.acquire(f.key(1)))()
		}
		f.want(3, 0)
	})
}

func TestStressSingleSource(t *testing.T) {
	inBubble(t, maxStreams(101), func(f *fixture) {
		answers := f.acquireAll(100, func(int) messages.TunnelKey { return f.key(1) })
		if n := tunnels(answers); n != 1 {
			t.Errorf("%d tunnels, want 1", n)
		}
		f.want(1, 1)
	})
}

func TestStressMultipleSource(t *testing.T) {
	inBubble(t, nil, func(f *fixture) {
		answers := f.acquireAll(100, f.key)
		if n := tunnels(answers); n != 100 {
			t.Errorf("%d tunnels, want 100", n)
		}
		f.want(100, 100)
	})
}

func TestStressManyClientsManySources(t *testing.T) {
	inBubble(t, maxStreams(100), func(f *fixture) {
		for range 3 {
			for _, a := range f.acquireAll(100, func(i int) messages.TunnelKey { return f.key(i % 3) }) {
				f.use(a)()
			}
		}
		f.want(3, 3)
	})
}

func TestIdleEviction(t *testing.T) {
	inBubble(t, func(s *Settings) { s.Unused = 100 * time.Millisecond }, func(f *fixture) {
		f.use(f.acquire(f.key(1)))()
		f.want(1, 0)
		f.use(f.acquire(f.key(1)))()
		f.want(2, 0)
	})
}

func TestIdleEvictionWithPersistent(t *testing.T) {
	inBubble(t, func(s *Settings) { s.Unused, s.MaxStreams = 100*time.Millisecond, 2 }, func(f *fixture) {
		persistent := f.use(f.acquire(f.key(1)))
		second := f.use(f.acquire(f.key(1)))
		overflow := f.use(f.acquire(f.key(1)))
		second()
		overflow()
		f.want(2, 1) // only the persistent one's tunnel is left
		persistent()
		f.want(2, 0)
	})
}

// A tunnel is evicted that long after it was last asked for, not after it was made.
func TestUseKeepsATunnel(t *testing.T) {
	inBubble(t, func(s *Settings) { s.Unused = 10 * time.Second }, func(f *fixture) {
		for range 5 {
			f.use(f.acquire(f.key(1)))()
			f.pass(6 * time.Second)
		}
		f.want(1, 1)
		f.pass(10 * time.Second)
		f.want(1, 0)
	})
}

func TestFailedDialIsShared(t *testing.T) {
	inBubble(t, nil, func(f *fixture) {
		f.net.Partition(f.client, f.server)
		began := time.Now()
		for _, a := range f.acquireAll(50, func(int) messages.TunnelKey { return f.key(1) }) {
			if a.Failure == nil || a.Failure.Reason != messages.ReasonNetworkPolicySuspected {
				t.Fatalf("failure %v, want the hint at a NetworkPolicy", a.Failure)
			}
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("all failed after %v, want 10s", took)
		}
		f.net.Heal(f.client, f.server)
		f.use(f.acquire(f.key(1)))()
	})
}

func TestWaitersAreBounded(t *testing.T) {
	inBubble(t, func(s *Settings) { s.MaxWaiters = 5 }, func(f *fixture) {
		refused := 0
		for _, a := range f.acquireAll(8, func(int) messages.TunnelKey { return f.key(1) }) {
			if a.Failure != nil && a.Failure.Reason == messages.ReasonOverCapacity {
				refused++
			}
		}
		if refused != 3 {
			t.Errorf("%d were refused, want 3", refused)
		}
	})
}

func TestPeersAreBounded(t *testing.T) {
	inBubble(t, func(s *Settings) { s.MaxPeers, s.Unused = 2, time.Second }, func(f *fixture) {
		for i := range 2 {
			f.use(f.acquire(f.key(i)))()
		}
		if a := f.acquire(f.key(2)); a.Failure == nil || a.Failure.Reason != messages.ReasonOverCapacity {
			t.Errorf("failure %v, want over capacity", a.Failure)
		}
		f.pass(5 * time.Second) // the idle ones leave
		f.use(f.acquire(f.key(2)))()
		if live := f.system.Stats().Role(RolePeer).Live; live != 1 {
			t.Errorf("%d peers live, want 1", live)
		}
	})
}

// Room that was granted to somebody who has left meanwhile comes back.
func TestWaiterLeaves(t *testing.T) {
	inBubble(t, maxStreams(1), func(f *fixture) {
		gone, err := f.system.SpawnRoot(kit.Spec{Role: "gone", Capacity: 1, New: newNobody}, "gone")
		if err != nil {
			t.Fatal(err)
		}
		f.system.Actors().Root.RequestWithCustomSender(f.pool, f.question(f.key(1)), gone)
		f.system.Stop(gone)
		f.want(1, 0) // full, and given back: it has no use any more
	})
}

func TestDrainingPool(t *testing.T) {
	inBubble(t, nil, func(f *fixture) {
		end := f.use(f.acquire(f.key(1)))
		f.use(f.acquire(f.key(2)))()
		f.want(2, 2)
		f.system.Send(f.pool, &messages.Drain{})
		f.want(2, 1)
		if a := f.acquire(f.key(1)); a.Failure == nil || a.Failure.Reason != messages.ReasonPoolDraining || a.Failure.Text != "pool draining" {
			t.Errorf("failure %v, want pool draining", a.Failure)
		}
		end()
		f.want(2, 0)
	})
}

// Whoever waits when the pool ends hears of it.
func TestPoolEndsDuringADial(t *testing.T) {
	inBubble(t, nil, func(f *fixture) {
		f.net.Partition(f.client, f.server)
		answered := make(chan *messages.TunnelAcquired)
		go func() { answered <- f.acquire(f.key(1)) }()
		f.pass(time.Second)
		f.system.Stop(f.pool)
		if a := <-answered; a.Failure == nil || a.Failure.Reason != messages.ReasonPoolDraining {
			t.Errorf("failure %v, want pool draining", a.Failure)
		}
	})
}

func TestNoCertificate(t *testing.T) {
	inBubble(t, nil, func(f *fixture) {
		f.certificate = nil
		if a := f.acquire(f.key(1)); a.Failure == nil || a.Failure.Reason != messages.ReasonIdentityUnavailable {
			t.Errorf("failure %v, want identity unavailable", a.Failure)
		}
	})
}

func TestGivingBackTwice(t *testing.T) {
	inBubble(t, maxStreams(2), func(f *fixture) {
		a := f.acquire(f.key(1))
		end := f.use(f.acquire(f.key(1)))
		a.GiveBack()
		a.GiveBack()
		f.want(1, 1) // the other stream still has its room
		end()
		f.want(1, 0)
	})
}

// Room that is not given back does not keep a tunnel for ever: without a stream it is missed after as long as a tunnel
// that nobody asks for.
func TestRoomThatNobodyGivesBack(t *testing.T) {
	inBubble(t, func(s *Settings) { s.Unused, s.MaxStreams = 10*time.Second, 2 }, func(f *fixture) {
		lost := f.acquire(f.key(1))
		f.want(1, 1)
		end := f.use(f.acquire(f.key(1))) // the tunnel is full now
		f.pass(30 * time.Second)
		f.want(1, 1) // a stream lives in it
		end()
		f.pass(30 * time.Second)
		f.want(1, 0)
		lost.GiveBack() // late, and to nobody
		f.want(1, 0)
	})
}
