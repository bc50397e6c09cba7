package pod

import (
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/dns"
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
	Flow      flow.Deps // System, Telemetry, Stores, Network, Settings, TLS and HBONE are given
	ServerH2  hbone.Settings
	Pool      pool.Settings
	Listeners []Bound
	// DNS is the pod's DNS proxy, with its sockets; nil means none.
	DNS        *dns.Config
	MaxFlows   int
	Handshake  time.Duration
	Log        Log
	StartsOpen bool
	// Returns is set while the pod's parent restarts, and the pod with it: its doors stay open for its next life. Nil means
	// that the pod never returns once it is stopped.
	Returns *atomic.Bool
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
	// PolicyClosed tells that a live connection to the workload uid is closed, because it is not allowed any more: v is why.
	PolicyClosed(c *messages.Connection, uid string, v *messages.Verdict)
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
	doors     []*door
	sessions  map[string]*actor.PID
	flows     map[string]*actor.PID
	ending    *atomic.Bool // for good: a pod that is restarted does not end
	dnsSpec   *kit.Spec
	dns       *actor.PID // nil where there is none
	dnsEnding *atomic.Bool

	opening  opening
	draining *drain
	giving   *giving // nil until a successor has come
	left     bool    // a successor has the doors
}

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
	doors := make([]*door, len(c.Listeners))
	for i, b := range c.Listeners {
		doors[i] = &door{Bound: b}
		doors[i].open.Store(c.StartsOpen)
	}
	dnsEnding := new(atomic.Bool)
	names := dnsSpec(&c, dnsEnding)
	return kit.Spec{
		Role: RolePod, Capacity: podCapacity, Run: kit.CallerRuns(),
		// Flows and sessions end with their failure; what serves all of them comes back.
		Supervision: kit.Supervision{Directive: kit.Stop},
		Children: map[string]kit.Supervision{
			RoleListener:    restart,
			pool.RolePool:   restart,
			RoleConnections: restart,
			dns.Role:        restart,
		},
		New: func() actor.Actor {
			return &pod{config: c, doors: doors, ending: new(atomic.Bool), dnsSpec: names, dnsEnding: dnsEnding}
		},
	}
}

// Receive takes the pod's messages.
func (p *pod) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.started(ctx)
	case *messages.StartAccepting:
		p.startAccepting(ctx, m)
	case *messages.AcceptingStarted:
		p.acceptingStarted(ctx, m)
	case *kit.TooLate:
		p.opening.orders.Repeat(ctx, m)
	case *messages.ConnectionAccepted:
		p.connectionAccepted(ctx, m)
	case *messages.StreamOpened:
		p.streamOpened(ctx, m)
	case *messages.ConnectLocally:
		p.connectLocally(ctx, m)
	case *messages.DumpConnections:
		ctx.Forward(p.deps.Connections)
	case *messages.Drain:
		p.drain(ctx, m)
	case *messages.Drained:
		p.dnsDrained(ctx)
	case *kit.Undelivered:
		p.undelivered(ctx, m)
	case *CloseDoors:
		p.closeDoors(ctx)
	case *HandOver:
		p.handOver(ctx, m)
	case *messages.LegOffered:
		p.legOffered(ctx, m)
	case *messages.LegKept:
		p.legKept(ctx, m)
	case *legPassed:
		p.legPassed(ctx, m)
	case *givingOverdue:
		p.givingOverdue(ctx, m)
	case *messages.AdoptLeg:
		p.adoptLeg(ctx, m)
	case *drainExpired:
		p.drainExpired(ctx)
	case *flowsOverdue:
		p.cutSessions(ctx, true)
	case *actor.Terminated:
		p.terminated(ctx, m)
	case *actor.Stopping:
		p.ending.Store(p.config.Returns == nil || !p.config.Returns.Load())
		p.dnsEnding.Store(p.ending.Load())
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
	deps.HBONE.ConnectTimeout = deps.Settings.ConnectDeadline
	deps.Pod, deps.Ending, deps.Own = ctx.Self(), p.ending, new(atomic.Pointer[messages.DerivedWorkload])
	registry := connectionsSpec(&deps, p.config.Log)
	deps.Connections = kit.Spawn(ctx, system.Props(registry), RoleConnections)
	dialer := &pool.Dialer{
		Network: deps.Network, TLS: deps.TLS, HBONE: deps.HBONE, Telemetry: deps.Telemetry, Revocations: deps.Stores.Revocations,
	}
	deps.Pool = kit.Spawn(ctx, system.Props(pool.Spec(system, p.config.Pool, dialer)), pool.RolePool)
	deps.SOCKSPool = kit.Spawn(ctx, system.Props(pool.Spec(system, p.config.Pool, dialer)), pool.RolePool)
	deps.Names = deps.Stores.DNSCache
	p.startDNS(ctx)
	for _, d := range p.doors {
		p.preserve[d.Entrance] = d.Listener.Transparent()
		p.config.Log.ListenerEstablished(d.Entrance, d.Listener)
		l := kit.Spawn(ctx, system.Props(listenerSpec(system, d, ctx.Self(), p.config.Log, p.ending)), RoleListener)
		p.listeners = append(p.listeners, l)
	}
	if p.config.StartsOpen {
		p.serveLocally(ctx)
	}
}

// serveLocally tells the other pods of this process that connections may be handed over.
func (p *pod) serveLocally(ctx actor.Context) {
	if p.deps.Settings.LocalFastpath && p.deps.Stores.LocalPods != nil && p.draining == nil {
		ctx.Request(p.deps.Stores.LocalPods, &messages.PodServes{Info: p.deps.Settings.Info})
	}
}

// isFull reports whether there is no room for another flow or session.
func (p *pod) isFull() bool { return len(p.flows)+len(p.sessions) >= p.config.MaxFlows }

// connectionAccepted spawns what serves a connection: a session for a peer's tunnel, a flow for everything else.
func (p *pod) connectionAccepted(ctx actor.Context, m *messages.ConnectionAccepted) {
	if !m.Claim.Take() {
		return // a copy: another has the connection
	}
	conn, ok := m.Conn.(socket.Conn)
	switch {
	case p.isCut():
		p.refuse(m, errDrained)
		return
	case !ok || p.isFull():
		p.refuse(m, errFull)
		return
	}
	if m.Entrance == messages.EntranceHBONE {
		s := kit.Spawn(ctx, p.deps.System.Props(sessionSpec(p.deps, &p.config, m, conn)), RoleSession)
		p.sessions[s.Id] = s
		if p.draining != nil {
			ctx.Send(s, &messages.Drain{})
		}
		return
	}
	p.spawnFlow(ctx, flow.Entry{
		Entrance: m.Entrance, At: m.At, Peer: m.Peer, Local: m.Local, Conn: conn, PreserveSource: p.preserve[m.Entrance],
	})
}

// errFull is why a connection is refused for which there is no room.
var errFull = messages.Fail(messages.ReasonOverCapacity, "too many connections: the limit of this pod is reached")

// refuse closes a connection that is not served, and says why.
func (p *pod) refuse(m *messages.ConnectionAccepted, why *messages.Failure) {
	record := messages.Record{Direction: m.Entrance.Direction(), Src: m.Peer, Dst: m.Local}
	record.Start = m.At
	p.deps.Telemetry.Start(&record)
	p.denied(&record, m, why)
}

// denied lets go of what is refused and tells of it; its record was started.
func (p *pod) denied(record *messages.Record, m interface{ Undeliver() }, why *messages.Failure) {
	record.Failure = why
	m.Undeliver()
	p.deps.Telemetry.EarlyDenied(record)
}

// streamOpened spawns the flow of a peer's CONNECT.
func (p *pod) streamOpened(ctx actor.Context, m *messages.StreamOpened) {
	if !m.Claim.Take() {
		return
	}
	stream, ok := m.Stream.(*hbone.ServerStream)
	switch {
	case p.isCut():
		p.refuseStream(m, errDrained)
		return
	case !ok || p.isFull():
		p.refuseStream(m, errFull)
		return
	}
	p.spawnFlow(ctx, flow.Entry{
		Entrance: messages.EntranceHBONE, At: m.At, Peer: m.Peer, Local: m.Local, Stream: stream, Identity: m.Identity,
		TLSVersion: m.TLSVersion, TLSCipher: m.TLSCipher, TLSCurve: m.TLSCurve,
		PreserveSource: p.preserve[messages.EntranceHBONE],
	})
}

// refuseStream refuses a CONNECT that is not served, and says why.
func (p *pod) refuseStream(m *messages.StreamOpened, why *messages.Failure) {
	record := messages.Record{Direction: messages.Inbound, Src: m.Peer, Dst: m.Local}
	record.Start = m.At
	p.deps.Telemetry.StartStream(&record)
	p.denied(&record, m, why)
}

// connectLocally spawns the flow of a connection that another pod of this process hands over. A pod that drains takes none,
// as its listener would.
func (p *pod) connectLocally(ctx actor.Context, m *messages.ConnectLocally) {
	caller := ctx.Sender()
	if !m.Claim.Take() {
		return
	}
	var refusal *messages.Failure
	conn, ok := m.Conn.(socket.Conn)
	switch {
	case !ok || caller == nil:
		refusal = messages.Fail(messages.ReasonInternal, "connection closed: it was not handed over properly")
	case p.draining != nil:
		refusal = messages.Fail(messages.ReasonConnectionRefused, "connection failed: the destination is being drained")
	case p.isFull():
		refusal = messages.Fail(messages.ReasonOverCapacity, "too many connections: the limit of the destination's pod is reached")
	default:
		p.spawnFlow(ctx, flow.Entry{
			Entrance: messages.EntranceLocal, At: m.At, Peer: m.Peer, Local: m.Local, Conn: conn, Identity: m.Identity,
			PreserveSource: p.preserve[messages.EntranceHBONE],
			Call: &flow.Call{
				Caller: caller, ID: m.ID, Target: m.Target, Source: m.Source, ForwardedHost: m.ForwardedHost,
				Traceparent: m.Traceparent, Tracestate: m.Tracestate, Counters: m.Counters,
			},
		})
		return
	}
	m.Undeliver()
	ctx.Respond(&messages.LocallyConnected{Answer: messages.Answer{ID: m.ID}, Failure: refusal})
}

func (p *pod) spawnFlow(ctx actor.Context, e flow.Entry) {
	f := kit.Spawn(ctx, p.deps.System.Props(flow.Spec(p.deps, e)), flow.RoleTunnel)
	p.flows[f.Id] = f
}

// terminated is told of every child that ended, also by a crash.
func (p *pod) terminated(ctx actor.Context, m *actor.Terminated) {
	if _, ok := p.flows[m.Who.Id]; ok && p.draining != nil {
		p.draining.ended++
	}
	delete(p.flows, m.Who.Id)
	delete(p.sessions, m.Who.Id)
	if p.isGiving(m.Who) {
		p.giveNext(ctx) // it ended by itself
	}
	p.cutSessions(ctx, false)
	p.checkDrained(ctx)
}
