package pod

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// RoleListener is the role of a listener.
const RoleListener = "listener"

// listener owns one listening socket and the goroutine that accepts on it. A restarted listener goes on accepting: the
// socket outlives a crash.
type listener struct {
	system    *kit.System
	bound     Bound
	pod       *actor.PID
	log       Log
	state     *doorState
	accepting bool
	draining  bool
}

// doorState outlives restarts of a listener.
type doorState struct {
	open bool
}

func listenerSpec(system *kit.System, b Bound, pod *actor.PID, log Log) kit.Spec {
	state := &doorState{}
	return kit.Spec{
		Role: RoleListener, Capacity: 64,
		New: func() actor.Actor { return &listener{system: system, bound: b, pod: pod, log: log, state: state} },
	}
}

// Receive takes the listener's messages.
func (l *listener) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		if l.state.open { // an earlier life did
			l.startAccepting(ctx)
		}
	case *messages.StartAccepting:
		l.startAccepting(ctx)
	case *messages.Drain, *actor.Stopping:
		l.close()
	default:
		kit.Unknown(ctx)
	}
}

func (l *listener) startAccepting(ctx actor.Context) {
	if l.accepting || l.draining {
		return
	}
	l.accepting, l.state.open = true, true
	system, bound, pod, log := l.system, l.bound, l.pod, l.log
	kit.Go(ctx, func(stopped context.Context) any {
		accept(stopped, system, bound, pod, log)
		return nil
	})
}

// close ends the listening socket at once: that is what lets a successor take over (spec/ops.md §2.5).
func (l *listener) close() {
	if l.draining {
		return
	}
	l.draining = true
	_ = l.bound.Listener.Close()
}

// accept hands every connection to the pod until the listener closes. Errors pause it, so that a lack of descriptors
// does not spin.
func accept(ctx context.Context, system *kit.System, b Bound, pod *actor.PID, log Log) {
	var backoff socket.Backoff
	for {
		accepted, err := b.Listener.Accept()
		if err != nil {
			if ctx.Err() != nil || backoff.Wait(ctx, err) != nil {
				return
			}
			log.AcceptFailed(b.Entrance, err)
			continue
		}
		backoff.Reset()
		system.Send(pod, &messages.ConnectionAccepted{
			Entrance: b.Entrance, Conn: accepted.Conn, Peer: accepted.Peer, Local: accepted.Local, At: time.Now(),
		})
	}
}
