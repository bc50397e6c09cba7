package pod

import (
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/pool"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// RolePod is the role of a pod's root actor.
const RolePod = "pod"

// podCapacity bounds the pod's mailbox. It is caller-runs, so that only bursts wait.
const podCapacity = 16384

// Config is what a pod's proxy is made of. Listeners are bound already: a busy port fails the start of the pod, not
// its life. The pod owns them.
type Config struct {
	Flow       flow.Deps // System, Telemetry, Stores, Network, Settings, TLS and HBONE are given
	ServerH2   hbone.Settings
	Pool       pool.Settings
	Listeners  []Bound
	MaxFlows   int
	Handshake  time.Duration
	Log        Log
	StartsOpen bool
}

// Bound is a listening socket and the door it is.
type Bound struct {
	Entrance messages.Entrance
	Listener socket.Listener
}

// Log is what a pod says of its listeners.
type Log interface {
	// ListenerEstablished tells of a bound listener, ShutdownComplete that nothing of it is left.
	ListenerEstablished(e messages.Entrance, l socket.Listener)
	ShutdownComplete(e messages.Entrance)
	// AcceptFailed tells of a connection that could not be accepted, DrainExpired that connections had to be cut.
	AcceptFailed(e messages.Entrance, err error)
	DrainExpired(cut int)
}

// Defaults of Config.
const (
	DefaultMaxFlows  = 200_000
	DefaultHandshake = 10 * time.Second
)

// pod is the root of one pod's proxy.
type pod struct {
	config    Config
	deps      *flow.Deps
	listeners []*actor.PID
	preserve  map[messages.Entrance]bool
	sessions  map[string]*actor.PID
	flows     map[string]*actor.PID
	refused   uint64
	ending    atomic.Bool

	draining *drain
}

// drain is a drain under way.
type drain struct {
	asker *actor.PID
	total int
	cut   int
	timer *kit.Timer
}

// drainExpired says that a graceful drain took too long.
type drainExpired struct{}

// restart brings back what serves all connections of a pod, ever more slowly while it keeps failing.
var restart = kit.Supervision{
	Directive: kit.Restart, MaxRestarts: 20, Window: time.Minute,
	Backoff: kit.Backoff{Initial: 10 * time.Millisecond, Max: 5 * time.Second, Jitter: 0.2}, Then: kit.Escalate,
}

// Spec is how a pod is spawned.
func Spec(c Config) kit.Spec {
	if c.MaxFlows == 0 {
		c.MaxFlows = DefaultMaxFlows
	}
	if c.Handshake == 0 {
		c.Handshake = DefaultHandshake
	}
	return kit.Spec{
		Role: RolePod, Capacity: podCapacity, Run: kit.CallerRuns(),
		// Flows and sessions end with their failure; what serves all of them comes back.
		Supervision: kit.Supervision{Directive: kit.Stop},
		Children: map[string]kit.Supervision{
			RoleListener:    restart,
			pool.RolePool:   restart,
			RoleConnections: restart,
		},
		New: func() actor.Actor { return &pod{config: c} },
	}
}

// Receive takes the pod's messages.
func (p *pod) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.started(ctx)
	case *messages.StartAccepting:
		p.startAccepting(ctx)
	case *messages.ConnectionAccepted:
		p.connectionAccepted(ctx, m)
	case *messages.StreamOpened:
		p.streamOpened(ctx, m)
	case *messages.FlowEnded:
		p.flowEnded(ctx)
	case *messages.SessionEnded:
		p.sessionEnded(ctx)
	case *messages.DumpConnections:
		ctx.Forward(p.deps.Connections)
	case *messages.Drain:
		p.drain(ctx, m)
	case *drainExpired:
		p.drainExpired(ctx)
	case *actor.Terminated:
		p.terminated(ctx, m)
	case *actor.Stopping:
		p.ending.Store(true)
	default:
		kit.Unknown(ctx)
	}
}

func (p *pod) started(ctx actor.Context) {
	deps := p.config.Flow
	p.deps = &deps
	p.flows, p.sessions = map[string]*actor.PID{}, map[string]*actor.PID{}
	p.preserve = map[messages.Entrance]bool{}
	system := deps.System
	deps.Pod, deps.Ending = ctx.Self(), &p.ending
	deps.Connections = kit.Spawn(ctx, system.Props(connectionsSpec(system, deps.Stores.Policies)), RoleConnections)
	dialer := &pool.Dialer{Network: deps.Network, TLS: deps.TLS, HBONE: deps.HBONE, Telemetry: deps.Telemetry}
	deps.Pool = kit.Spawn(ctx, system.Props(pool.Spec(system, p.config.Pool, dialer)), pool.RolePool)
	deps.SOCKSPool = kit.Spawn(ctx, system.Props(pool.Spec(system, p.config.Pool, dialer)), pool.RolePool)
	for _, b := range p.config.Listeners {
		p.preserve[b.Entrance] = b.Listener.Transparent()
		p.config.Log.ListenerEstablished(b.Entrance, b.Listener)
		l := kit.Spawn(ctx, system.Props(listenerSpec(system, b, ctx.Self(), p.config.Log)), RoleListener)
		p.listeners = append(p.listeners, l)
	}
	if p.config.StartsOpen {
		p.startAccepting(ctx)
	}
}

func (p *pod) startAccepting(ctx actor.Context) {
	for _, l := range p.listeners {
		ctx.Send(l, &messages.StartAccepting{})
	}
}

// connectionAccepted spawns what serves a connection: a session for a peer's tunnel, a flow for everything else.
func (p *pod) connectionAccepted(ctx actor.Context, m *messages.ConnectionAccepted) {
	conn, ok := m.Conn.(socket.Conn)
	if !ok || len(p.flows)+len(p.sessions) >= p.config.MaxFlows {
		p.refused++
		m.Undeliver()
		return
	}
	if m.Entrance == messages.EntranceHBONE {
		s := kit.Spawn(ctx, p.deps.System.Props(sessionSpec(p.deps, &p.config, m, conn)), RoleSession)
		p.sessions[s.Id] = s
		ctx.Watch(s)
		if p.draining != nil {
			ctx.Send(s, &messages.Drain{})
		}
		return
	}
	p.spawnFlow(ctx, flow.Entry{
		Entrance: m.Entrance, At: m.At, Peer: m.Peer, Local: m.Local, Conn: conn, PreserveSource: p.preserve[m.Entrance],
	})
}

// streamOpened spawns the flow of a peer's CONNECT.
func (p *pod) streamOpened(ctx actor.Context, m *messages.StreamOpened) {
	stream, ok := m.Stream.(*hbone.ServerStream)
	if !ok || len(p.flows)+len(p.sessions) >= p.config.MaxFlows {
		p.refused++
		m.Undeliver()
		return
	}
	p.spawnFlow(ctx, flow.Entry{
		Entrance: messages.EntranceHBONE, At: m.At, Peer: m.Peer, Local: m.Local, Stream: stream, Identity: m.Identity,
		TLSVersion: m.TLSVersion, TLSCipher: m.TLSCipher, TLSCurve: m.TLSCurve,
		PreserveSource: p.preserve[messages.EntranceHBONE],
	})
}

func (p *pod) spawnFlow(ctx actor.Context, e flow.Entry) {
	f := kit.Spawn(ctx, p.deps.System.Props(flow.Spec(p.deps, e)), flow.RoleTunnel)
	p.flows[f.Id] = f
}

func (p *pod) flowEnded(ctx actor.Context) {
	delete(p.flows, ctx.Sender().Id)
	p.checkDrained(ctx)
}

func (p *pod) sessionEnded(ctx actor.Context) {
	delete(p.sessions, ctx.Sender().Id)
	p.checkDrained(ctx)
}

// terminated is told of watched sessions only: one that crashed did not say goodbye.
func (p *pod) terminated(ctx actor.Context, m *actor.Terminated) {
	delete(p.sessions, m.Who.Id)
	p.checkDrained(ctx)
}

// drain closes the doors and waits for what is inside (spec/dataplane.md §10.2).
func (p *pod) drain(ctx actor.Context, m *messages.Drain) {
	if p.draining != nil {
		return
	}
	p.draining = &drain{asker: ctx.Sender(), total: len(p.flows) + len(p.sessions)}
	for _, l := range p.listeners {
		ctx.Send(l, m)
	}
	ctx.Send(p.deps.Connections, m)
	if m.Mode == messages.DrainImmediate {
		p.cut(ctx)
		return
	}
	for _, s := range p.sessions {
		ctx.Send(s, m)
	}
	p.draining.timer = kit.After(ctx, m.Deadline, &drainExpired{})
	p.checkDrained(ctx)
}

func (p *pod) drainExpired(ctx actor.Context) {
	if p.draining == nil || len(p.flows)+len(p.sessions) == 0 {
		return
	}
	p.cut(ctx)
}

// cut ends every flow and session that is left.
func (p *pod) cut(ctx actor.Context) {
	p.draining.cut = len(p.flows)
	if n := len(p.flows) + len(p.sessions); n > 0 {
		p.config.Log.DrainExpired(n)
	}
	drained := messages.Fail(messages.ReasonDrained, "connection closed due to connection drain")
	for _, f := range p.flows {
		ctx.Send(f, &messages.CloseFlow{Failure: drained})
	}
	for _, s := range p.sessions {
		ctx.Send(s, &messages.Drain{Mode: messages.DrainImmediate})
	}
	p.checkDrained(ctx)
}

func (p *pod) checkDrained(ctx actor.Context) {
	d := p.draining
	if d == nil || d.asker == nil || len(p.flows)+len(p.sessions) > 0 {
		return
	}
	if d.timer != nil {
		d.timer.Stop()
	}
	for _, b := range p.config.Listeners {
		p.config.Log.ShutdownComplete(b.Entrance)
	}
	ctx.Send(d.asker, &messages.Drained{Ended: d.total - d.cut, Cut: d.cut})
	d.asker = nil
}
