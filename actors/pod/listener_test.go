package pod

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// starved is a listening socket that has no descriptors left.
type starved struct {
	socket.Listener
	accepts atomic.Int64
	closed  chan struct{}
}

func (s *starved) Accept() (socket.Accepted, error) {
	s.accepts.Add(1)
	select {
	case <-s.closed:
		return socket.Accepted{}, net.ErrClosed
	default:
		return socket.Accepted{}, errors.New("too many open files")
	}
}

func (s *starved) Close() error {
	select {
	case <-s.closed:
		return net.ErrClosed
	default:
		close(s.closed)
		return nil
	}
}

func (s *starved) Addr() netip.AddrPort { return netip.AddrPort{} }

// quiet counts the errors that it is told.
type quiet struct{ errors atomic.Int64 }

func (*quiet) ListenerEstablished(messages.Entrance, socket.Listener)       {}
func (*quiet) ShutdownComplete(messages.Entrance)                           {}
func (q *quiet) AcceptFailed(messages.Entrance, error)                      { q.errors.Add(1) }
func (*quiet) DrainExpired(int)                                             {}
func (*quiet) PolicyClosed(*messages.Connection, string, *messages.Verdict) {}

// A lack of descriptors pauses the listener, ever longer, and a drain ends it all the same.
func TestAcceptErrorsDoNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system, s, log := kit.NewSystem(kit.Config{}), &starved{closed: make(chan struct{})}, &quiet{}
		d := &door{Bound: Bound{Listener: s}}
		d.open.Store(true)
		l, err := system.SpawnRoot(listenerSpec(system, d, actor.NewPID("", "nobody"), log, new(atomic.Bool)), RoleListener)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if n := s.accepts.Load(); n < 60 || n > 80 {
			t.Errorf("accepted %d times in a minute, want about once a second", n)
		}
		if log.errors.Load() == 0 {
			t.Error("nobody was told")
		}
		system.Send(l, &messages.Drain{})
		<-time.After(2 * time.Second)
		if d.accepting.Load() {
			t.Error("still accepting after the drain")
		}
		if err := system.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// However often it is told, and however often it crashes, one goroutine accepts.
func TestOneGoroutineAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system, s := kit.NewSystem(kit.Config{}), &starved{closed: make(chan struct{})}
		d := &door{Bound: Bound{Listener: s}}
		ending := new(atomic.Bool)
		l, err := system.SpawnRoot(listenerSpec(system, d, actor.NewPID("", "nobody"), &quiet{}, ending), RoleListener)
		if err != nil {
			t.Fatal(err)
		}
		d.open.Store(true)
		for range 3 {
			system.Send(l, &messages.StartAccepting{})
		}
		synctest.Wait()
		if n := system.Stats().Role(RoleListener).Working; n != 1 {
			t.Errorf("%d goroutines accept, want 1", n)
		}
		system.Stop(l) // its pod starts anew
		synctest.Wait()
		select {
		case <-s.closed:
			t.Error("the socket was closed although its pod returns")
		default:
		}
		ending.Store(true)
		_ = s.Close()
		if err := system.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
