package pool

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow/tracked"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// peerIdle tells the pool that a child has no tunnel, no waiter and nothing held.
type peerIdle struct {
	key  messages.TunnelKey
	peer *actor.PID
}

// retire tells a child to let its tunnels go and to end when nothing is held any more.
type retire struct{}

// idleCheck is a child's own clock.
type idleCheck struct{}

// tunnelDialed is the end of a dial. It owns the tunnel.
type tunnelDialed struct {
	dialed
}

var _ messages.Undeliverable = (*tunnelDialed)(nil)

// Undeliver closes a tunnel that nobody waits for.
func (d *tunnelDialed) Undeliver() {
	if d.client != nil {
		d.client.Abort(errRetired)
	}
}

// pooled is a tunnel and how many streams of it are given out.
type pooled struct {
	client   *hbone.Client
	peer     *mtls.Peer // nil where there are no revocation lists, and once it was found to be revoked
	held     int
	lastUse  time.Time
	inPool   bool
	setupID  messages.TraceID
	setupRef messages.SpanID
}

// waiter is a flow in the queue.
type waiter struct {
	asker  *actor.PID
	id     uint64
	asked  time.Duration
	queued int
}

// peer owns the tunnels of one key.
type peer struct {
	system   *kit.System
	settings *Settings
	dialer   *Dialer
	key      messages.TunnelKey

	tunnels     []*pooled
	waiters     []waiter
	dialing     bool
	retired     bool
	expected    []messages.Identity
	certificate *mtls.Certificate
	timer       *kit.Timer
	tracked     tracked.Tunnels
}

func peerSpec(system *kit.System, settings *Settings, dialer *Dialer, key messages.TunnelKey) kit.Spec {
	return kit.Spec{
		Role: RolePeer, Capacity: settings.MaxWaiters + poolCapacity, Run: kit.CallerRuns(),
		New: func() actor.Actor {
			return &peer{system: system, settings: settings, dialer: dialer, key: key}
		},
	}
}

// Receive takes the child's messages.
func (p *peer) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.AcquireTunnel:
		p.acquireTunnel(ctx, m)
	case *messages.ReleaseTunnel:
		p.releaseTunnel(ctx, m)
	case *tunnelDialed:
		p.tunnelDialed(ctx, m)
	case *idleCheck:
		p.idleCheck(ctx)
	case *retire:
		p.retire(ctx)
	case *messages.RevocationsChanged:
		p.revocationsChanged(ctx)
	case *messages.RevocationsUnwatched:
		p.tracked.Unwatched(p.dialer.Telemetry, messages.Outbound, p.key.Dial)
	case *tracked.Again:
		p.tracked.Retry(ctx)
	case *kit.Undelivered:
		p.tracked.Undelivered(ctx, m)
	case *actor.Stopping, *actor.Restarting:
		p.stopping(ctx)
	default:
		kit.Unknown(ctx)
	}
}

func (p *peer) acquireTunnel(ctx actor.Context, m *messages.AcquireTunnel) {
	w := waiter{asker: ctx.Sender(), id: m.ID, asked: m.Waited, queued: len(p.waiters)}
	p.expected = m.Expected
	if certificate, ok := m.Certificate.(*mtls.Certificate); ok {
		p.certificate = certificate
	}
	if t := p.withRoom(ctx); t != nil && !p.retired {
		p.grant(ctx, w, t, true)
		return
	}
	if p.retired || len(p.waiters) >= p.settings.MaxWaiters {
		reason, text := messages.ReasonOverCapacity, "too many connections wait for a tunnel to "+p.key.Dial.String()
		if p.retired {
			reason, text = messages.ReasonPoolDraining, "pool draining"
		}
		p.answer(ctx, w, &messages.TunnelAcquired{Failure: messages.Fail(reason, text)})
		return
	}
	p.waiters = append(p.waiters, w)
	p.dial(ctx)
}

// drop takes the tunnels that it is true of out of the pool, and forgets those that hold no stream either.
func (p *peer) drop(ctx actor.Context, leaves func(*pooled) bool) {
	p.tunnels = slices.DeleteFunc(p.tunnels, func(t *pooled) bool {
		if t.inPool && leaves(t) {
			t.inPool = false
		}
		return p.letGo(ctx, t)
	})
}

// withRoom is a usable tunnel in the pool; dead ones are dropped on the way.
func (p *peer) withRoom(ctx actor.Context) *pooled {
	p.drop(ctx, func(t *pooled) bool { return !t.client.Usable() })
	if i := slices.IndexFunc(p.tunnels, func(t *pooled) bool { return t.inPool }); i >= 0 {
		return p.tunnels[i]
	}
	return nil
}

// grant gives room for one stream. The stream that fills a tunnel takes it out of the pool for good (spec §3.3).
func (p *peer) grant(ctx actor.Context, w waiter, t *pooled, hit bool) {
	t.held++
	t.lastUse = time.Now()
	if t.held >= p.settings.MaxStreams {
		t.inPool = false
	}
	self, system := ctx.Self(), p.system
	client := t.client
	var returned atomic.Bool // a flow that crashes over the answer may give it back and have it undelivered
	p.answer(ctx, w, &messages.TunnelAcquired{
		Tunnel: client, Hit: hit, Queued: w.queued, SetupTrace: t.setupID, SetupSpan: t.setupRef,
		GiveBack: func() {
			if returned.CompareAndSwap(false, true) {
				system.Send(self, &messages.ReleaseTunnel{Tunnel: client})
			}
		},
	})
}

func (p *peer) answer(ctx actor.Context, w waiter, a *messages.TunnelAcquired) {
	a.Answer = messages.Answer{ID: w.id, Asked: w.asked, Stamp: messages.Stamp{Sent: p.system.Nanos()}}
	ctx.Send(w.asker, a)
}

func (p *peer) releaseTunnel(ctx actor.Context, m *messages.ReleaseTunnel) {
	p.tunnels = slices.DeleteFunc(p.tunnels, func(t *pooled) bool {
		if t.client != m.Tunnel {
			return false
		}
		t.held--
		return p.letGo(ctx, t)
	})
	p.endIfDone(ctx)
}

// letGo closes a tunnel that left the pool and of which no stream is given out, and reports whether it did.
func (p *peer) letGo(ctx actor.Context, t *pooled) bool {
	if t.inPool || t.held > 0 {
		return false
	}
	closeWhenIdle(ctx, t.client)
	return true
}

// closeWhenIdle ends a tunnel in good order after its last stream, and owns its goroutines until then.
func closeWhenIdle(ctx actor.Context, client *hbone.Client) {
	client.CloseWhenIdle()
	kit.Go(ctx, func(context.Context) any {
		<-client.Done()
		return nil
	})
}

// dial starts the one dial of this key, unless it runs.
func (p *peer) dial(ctx actor.Context) {
	if p.dialing || len(p.waiters) == 0 {
		return
	}
	p.dialing = true
	dialer, key, expected, certificate := p.dialer, p.key, p.expected, p.certificate
	deadline := p.settings.DialDeadline
	kit.Go(ctx, func(stopped context.Context) any {
		return &tunnelDialed{dialer.dial(stopped, key, expected, certificate, deadline)}
	})
}

func (p *peer) tunnelDialed(ctx actor.Context, m *tunnelDialed) {
	p.dialing = false
	if m.failure != nil {
		waiters := p.waiters
		p.waiters = nil
		for _, w := range waiters {
			p.answer(ctx, w, &messages.TunnelAcquired{
				Failure: m.failure, Queued: w.queued, SetupTrace: m.setupID, SetupSpan: m.setupRef,
			})
		}
		p.check(ctx)
		return
	}
	t := &pooled{client: m.client, peer: m.peer, inPool: !p.retired, lastUse: time.Now(), setupID: m.setupID, setupRef: m.setupRef}
	p.tunnels = append(p.tunnels, t)
	if version, ok := p.judge(ctx, t); ok {
		p.tracked.Watch(ctx, p.dialer.Revocations, version)
	}
	for i, w := range p.waiters {
		if i > 0 && !t.inPool {
			p.waiters = append([]waiter(nil), p.waiters[i:]...)
			p.dial(ctx)
			return
		}
		p.grant(ctx, w, t, i > 0)
	}
	p.waiters = nil
	p.check(ctx)
}

// judge looks whether a tunnel's peer is still to be trusted. A tunnel to one that is not takes no more streams and is
// cut; its streams are told why. It returns the version of the lists that it looked into, and false when there is nothing
// to look after.
func (p *peer) judge(ctx actor.Context, t *pooled) (version uint64, ok bool) {
	if t.peer == nil {
		return 0, false
	}
	version, err := t.peer.Judge()
	if err == nil {
		return version, true
	}
	p.dialer.Telemetry.PeerRevoked(messages.Outbound, p.key.Dial, t.peer.Identity(), err)
	t.peer, t.inPool = nil, false
	client := t.client
	kit.Go(ctx, func(context.Context) any {
		client.Abort(messages.Revoked(err))
		return nil
	})
	return version, false
}

// revocationsChanged judges all tunnels again.
func (p *peer) revocationsChanged(ctx actor.Context) {
	for _, t := range p.tunnels {
		p.judge(ctx, t)
	}
	p.drop(ctx, func(*pooled) bool { return false })
	p.endIfDone(ctx)
}

// check arms the idle clock when there is something it could find.
func (p *peer) check(ctx actor.Context) {
	if p.timer != nil || p.retired {
		p.endIfDone(ctx)
		return
	}
	p.arm(ctx, p.settings.Unused)
}

func (p *peer) arm(ctx actor.Context, after time.Duration) {
	p.timer = kit.After(ctx, after, &idleCheck{})
}

func (p *peer) idleCheck(ctx actor.Context) {
	p.timer = nil
	p.missReturns()
	p.withRoom(ctx)
	next := p.settings.Unused
	p.drop(ctx, func(t *pooled) bool {
		left := p.settings.Unused - time.Since(t.lastUse)
		if left > 0 {
			next = min(next, left)
		}
		return left <= 0
	})
	if len(p.tunnels) == 0 && len(p.waiters) == 0 && !p.dialing {
		ctx.Send(ctx.Parent(), &peerIdle{key: p.key, peer: ctx.Self()})
	}
	p.arm(ctx, next)
}

// missReturns takes room back that nobody will give back any more: the tunnel has no stream, and room was last given out
// so long ago that nobody is about to open one. What comes back later finds the tunnel gone.
func (p *peer) missReturns() {
	for _, t := range p.tunnels {
		if t.held > 0 && t.client.ActiveStreams() == 0 && time.Since(t.lastUse) >= p.settings.Unused {
			t.held = 0
		}
	}
}

func (p *peer) retire(ctx actor.Context) {
	p.retired = true
	p.drop(ctx, func(*pooled) bool { return true })
	p.endIfDone(ctx)
}

func (p *peer) endIfDone(ctx actor.Context) {
	if p.retired && len(p.tunnels) == 0 && len(p.waiters) == 0 && !p.dialing {
		ctx.Stop(ctx.Self())
	}
}

// stopping answers who still waits, and takes the tunnels out of use. It cuts none: after a crash of the child or the
// pool the flows go on, and when the pod ends its flows end their streams themselves.
func (p *peer) stopping(ctx actor.Context) {
	for _, w := range p.waiters {
		p.answer(ctx, w, &messages.TunnelAcquired{
			Queued: w.queued, Failure: messages.Fail(messages.ReasonPoolDraining, "pool draining"),
		})
	}
	p.waiters = nil
	for _, t := range p.tunnels {
		if t.peer != nil && t.held > 0 { // only after a crash: nobody will judge its peer again
			p.dialer.Telemetry.PeerUntracked(messages.Outbound, p.key.Dial, "the actor that looked after it crashed")
		}
		closeWhenIdle(ctx, t.client)
	}
	p.tunnels = nil
	p.tracked.End(ctx)
}
