package pool

import (
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// Roles of the pool's actors.
const (
	RolePool = "pool"
	RolePeer = "peer"
)

// Settings of a pool.
type Settings struct {
	// MaxStreams is how many streams a tunnel carries before it leaves the pool (POOL_MAX_STREAMS_PER_CONNECTION, 1 to 65535).
	MaxStreams int
	// Unused is after how long without a request a tunnel leaves the pool (POOL_UNUSED_RELEASE_TIMEOUT).
	Unused time.Duration
	// DialDeadline bounds connecting, handshake and set-up of a tunnel.
	DialDeadline time.Duration
	// MaxPeers bounds the keys, MaxWaiters the flows that wait for one key's dial.
	MaxPeers, MaxWaiters int
}

// DefaultSettings are the reference's, and bounds where it has none.
func DefaultSettings() Settings {
	return Settings{
		MaxStreams: 100, Unused: 5 * time.Minute, DialDeadline: 20 * time.Second, MaxPeers: 65536, MaxWaiters: 4096,
	}
}

// pool finds or spawns the child for a key.
type pool struct {
	system   *kit.System
	settings Settings
	dialer   *Dialer
	peers    map[messages.TunnelKey]*actor.PID
	keys     map[string]messages.TunnelKey // by the children's PIDs, retired ones included
	draining bool
}

// poolCapacity bounds the pool's mailbox: it is caller-runs, so that only bursts wait.
const poolCapacity = 16384

// Spec is how a pool is spawned.
func Spec(system *kit.System, settings Settings, dialer *Dialer) kit.Spec {
	return kit.Spec{
		Role: RolePool, Capacity: poolCapacity, Run: kit.CallerRuns(),
		Supervision: kit.Supervision{Directive: kit.Stop},
		New: func() actor.Actor {
			return &pool{
				system: system, settings: settings, dialer: dialer,
				peers: map[messages.TunnelKey]*actor.PID{}, keys: map[string]messages.TunnelKey{},
			}
		},
	}
}

// Receive takes the pool's messages.
func (p *pool) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.AcquireTunnel:
		p.acquireTunnel(ctx, m)
	case *peerIdle:
		p.peerIdle(ctx, m)
	case *actor.Terminated:
		p.terminated(m)
	case *messages.Drain:
		p.drain(ctx)
	default:
		kit.Unknown(ctx)
	}
}

func (p *pool) acquireTunnel(ctx actor.Context, m *messages.AcquireTunnel) {
	if p.draining {
		p.refuse(ctx, m, messages.Fail(messages.ReasonPoolDraining, "pool draining"))
		return
	}
	peer := p.peers[m.Key]
	if peer == nil {
		if len(p.keys) >= p.settings.MaxPeers {
			p.refuse(ctx, m, messages.Fail(messages.ReasonOverCapacity, "the pool holds tunnels to too many peers"))
			return
		}
		peer = kit.Spawn(ctx, p.system.Props(peerSpec(p.system, &p.settings, p.dialer, m.Key)), RolePeer)
		p.peers[m.Key], p.keys[peer.Id] = peer, m.Key
	}
	ctx.RequestWithCustomSender(peer, m, ctx.Sender())
}

func (p *pool) refuse(ctx actor.Context, m *messages.AcquireTunnel, f *messages.Failure) {
	ctx.Respond(&messages.TunnelAcquired{Answer: messages.Answer{ID: m.ID, Asked: m.Waited}, Failure: f})
}

// peerIdle retires a child that has nothing left. What was sent to it before is handled before it ends.
func (p *pool) peerIdle(ctx actor.Context, m *peerIdle) {
	if p.peers[m.key] == m.peer {
		delete(p.peers, m.key)
		ctx.Send(m.peer, &retire{})
	}
}

// terminated forgets a child that ended, also by a crash: the next request gets a new one.
func (p *pool) terminated(m *actor.Terminated) {
	key, known := p.keys[m.Who.Id]
	if !known {
		return
	}
	delete(p.keys, m.Who.Id)
	if peer := p.peers[key]; peer != nil && peer.Equal(m.Who) { // it may have retired before
		delete(p.peers, key)
	}
}

// drain refuses what comes; tunnels live on as long as flows hold them.
func (p *pool) drain(ctx actor.Context) {
	p.draining = true
	for _, name := range slices.Sorted(maps.Keys(p.keys)) { // a map must not decide who hears first
		if peer := p.peers[p.keys[name]]; peer != nil && peer.Id == name {
			ctx.Send(peer, &retire{})
		}
	}
	clear(p.peers)
}
