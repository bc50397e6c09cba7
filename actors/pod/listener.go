package pod

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// RoleListener is the role of a listener.
const RoleListener = "listener"

// door is a listening socket. It outlives crashes of its listener and of the pod: nobody who calls meanwhile is turned
// away. It is closed when the pod drains or ends.
type door struct {
	Bound
	// open says that the first state has arrived and no drain has begun.
	open atomic.Bool
	// accepting says that a goroutine accepts; there is never more than one.
	accepting atomic.Bool
}

// listener owns a door.
type listener struct {
	system *kit.System
	door   *door
	pod    *actor.PID
	log    Log
	ending *atomic.Bool // of the pod
}

func listenerSpec(system *kit.System, d *door, pod *actor.PID, log Log, ending *atomic.Bool) kit.Spec {
	return kit.Spec{
		Role: RoleListener, Capacity: 64,
		New: func() actor.Actor { return &listener{system: system, door: d, pod: pod, log: log, ending: ending} },
	}
}

// Receive takes the listener's messages.
func (l *listener) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		l.startAccepting(ctx) // an earlier life may have been told to
	case *messages.StartAccepting:
		l.startAccepting(ctx)
		if ctx.Sender() != nil {
			ctx.Respond(&messages.AcceptingStarted{Answer: l.system.Answer(&m.Question, 0)})
		}
	case *messages.Drain:
		l.close()
	case *actor.Stopping:
		if l.ending.Load() {
			l.close()
		}
	default:
		kit.Unknown(ctx)
	}
}

// startAccepting starts the goroutine that accepts where the door is open, unless that of an earlier life still does.
func (l *listener) startAccepting(ctx actor.Context) {
	if !l.door.open.Load() || !l.door.accepting.CompareAndSwap(false, true) {
		return
	}
	system, door, pod, log := l.system, l.door, l.pod, l.log
	kit.Go(ctx, func(context.Context) any {
		defer door.accepting.Store(false)
		accept(system, door.Bound, pod, log)
		return nil
	})
}

// close ends the listening socket at once: that is what lets a successor take over (spec/ops.md §2.5).
func (l *listener) close() {
	l.door.open.Store(false)
	_ = l.door.Listener.Close() // a second time it only says so
}

// accept hands every connection to the pod until the listener closes. Errors pause it, so that a lack of descriptors
// does not spin.
func accept(system *kit.System, b Bound, pod *actor.PID, log Log) {
	var backoff socket.Backoff
	for {
		accepted, err := b.Listener.Accept()
		if err != nil {
			if backoff.Wait(context.Background(), err) != nil {
				return
			}
			log.AcceptFailed(b.Entrance, err)
			continue
		}
		backoff.Reset()
		one := &struct { // in one piece
			messages.ConnectionAccepted
			claim messages.Claim
		}{ConnectionAccepted: messages.ConnectionAccepted{
			Entrance: b.Entrance, Conn: accepted.Conn, Peer: accepted.Peer, Local: accepted.Local, At: time.Now(),
		}}
		one.Claim = &one.claim
		system.Send(pod, &one.ConnectionAccepted)
	}
}
