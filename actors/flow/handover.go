package flow

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// handing is a connection that is about to change hands.
type handing struct {
	asker      *actor.PID
	registered messages.RegisterConnection
	// offered says that the relay stands still and the asker has the legs.
	offered bool
}

// handOver stops the relay of a plain connection, so that another process can carry it on. All others are kept.
func (t *tunnel) handOver(ctx actor.Context, m *messages.HandOver) {
	if t.over || t.closing != nil || t.handing != nil || !t.setUp || t.leg == nil || t.caller != nil || !t.leg.stop() {
		ctx.Request(ctx.Sender(), &messages.LegKept{ // not Respond: who is asked next depends on whose answer it is
			Tunnelled: t.leg != nil && t.leg.stream != nil, Peer: t.rec.Src, Since: t.rec.Start,
		})
		return
	}
	t.handing = &handing{asker: ctx.Sender(), registered: m.Registered}
}

// relayStopped offers the legs.
func (t *tunnel) relayStopped(ctx actor.Context, m *messages.RelayStopped) {
	switch {
	case t.over:
		return // its end has closed the legs
	case t.closing != nil || t.handing == nil:
		t.end(ctx, t.closing)
		return
	}
	t.leg.from = m.At
	t.handing.offered = true
	entrance := messages.EntranceOutbound
	if t.rec.Direction == messages.Inbound {
		entrance = messages.EntrancePlaintext
	}
	ctx.Request(t.handing.asker, &messages.LegOffered{
		Leg: messages.Leg{
			Entrance: entrance, Record: t.rec, Registered: t.handing.registered,
			Received: t.counters.Received.Load(), Sent: t.counters.Sent.Load(), At: m.At,
		},
		Downstream: t.leg.app, Upstream: t.leg.upstream,
	})
}

// legTaken ends the flow without a word: its successor says how the connection ended.
func (t *tunnel) legTaken(ctx actor.Context) {
	if t.over || t.handing == nil || !t.handing.offered {
		return
	}
	t.over = true
	defer ctx.Stop(ctx.Self())
	t.cut(ctx) // our descriptors; the connections live on in the other process's
	t.Telemetry.Moved(&t.rec)
	t.tracked.End(ctx)
	if t.registered != unregistered {
		ctx.Request(t.Connections, &messages.UnregisterConnection{})
	}
	t.release()
}

// legRefused carries the connection on.
func (t *tunnel) legRefused(ctx actor.Context) {
	if t.over || t.handing == nil || !t.handing.offered {
		return
	}
	t.handing = nil
	if t.closing != nil {
		t.end(ctx, t.closing)
		return
	}
	kit.DoLong(ctx, t.leg.carry)
}

// Adopt is how the pod spawns the flow of a connection that another process has set up. The flow owns what it carries;
// nil when its ends are not what a relay can use, which are then closed.
func Adopt(d *Deps, a *messages.AdoptLeg) *kit.Spec {
	_, ok1 := a.Downstream.(socket.Conn)
	_, ok2 := a.Upstream.(socket.Conn)
	if !ok1 || !ok2 {
		a.Undeliver()
		return nil
	}
	dispatcher := kit.NewFlowDispatcher()
	t := &tunnel{passage: passage{Deps: d}, dispatcher: dispatcher, adopted: a}
	return &kit.Spec{
		Role: RoleTunnel, Capacity: flowCapacity, Run: kit.OnFlow(dispatcher),
		Supervision: kit.Supervision{Directive: kit.Escalate},
		New:         func() actor.Actor { return t },
	}
}

// adopt goes on where the other process stopped. Policy is asked at once: it may have changed on the way.
func (t *tunnel) adopt(ctx actor.Context) {
	a := t.adopted
	t.adopted = nil
	t.rec = a.Leg.Record
	t.rec.SetupOver, t.rec.Established = true, true
	t.at, t.setUp = messages.StageTunnel, true
	t.series = t.Telemetry.Adopted(&t.rec)
	t.counters.Received.Store(a.Leg.Received)
	t.counters.Sent.Store(a.Leg.Sent)
	t.counters.LiveReceived, t.counters.LiveSent = t.series.Received(), t.series.Sent()
	t.leg = &leg{
		counters: &t.counters, app: a.Downstream.(socket.Conn), upstream: a.Upstream.(socket.Conn), from: a.Leg.At,
	}
	t.leg.add(a.Downstream)
	t.leg.add(a.Upstream)
	entry := a.Leg.Registered
	entry.Adopted, entry.TraceID = true, t.rec.TraceID
	t.registered = told
	ctx.Request(t.Connections, &entry)
	kit.DoLong(ctx, t.leg.carry)
	t.Telemetry.Follow(&t.rec, &t.counters)
}

// stop asks the relay of a plain leg to stand still; false when there is none to stop.
func (l *leg) stop() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut || l.stream != nil || l.upstream == nil {
		return false
	}
	l.stopping = true
	if l.pump != nil {
		l.pump.Stop()
	}
	return true
}

// pumpPlain relays between two connections until they end or stop is called.
func (l *leg) pumpPlain() (relay.Result, bool) {
	p := relay.NewPump(l.app, l.upstream, l.counters, l.from)
	l.mu.Lock()
	l.from = messages.Halfway{}
	l.pump = p
	if l.stopping {
		p.Stop()
	}
	l.mu.Unlock()
	return p.Run()
}

// halfway is where the relay stopped. Nobody stops it twice.
func (l *leg) halfway() messages.Halfway {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.pump.Halfway()
	l.pump, l.stopping = nil, false
	return at
}
