package pod

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// CloseDoors tells a pod that another process takes its connections and answers its DNS questions from now on. It closes the
// doors and says goodbye to the peers' tunnels; what is open goes on. A second time it changes nothing.
type CloseDoors struct{}

// HandOver is CloseDoors and more: the pod gives its plain connections away, one after the other. It answers HandedOver; the
// pod then waits for its Drain with what it kept.
type HandOver struct {
	// Take passes one connection to the other process and returns nil when that one carries it on. It is called on a
	// goroutine of its own and may block for a few seconds.
	Take func(*messages.LegOffered) error
}

// HandedOver answers HandOver.
type HandedOver struct {
	// Moved are the connections that live on elsewhere; Refused those that could have and were not taken, for the reason
	// Why (the last one's).
	Moved, Refused int
	Why            error
	// Kept are the connections that stay until they end, oldest first, at most MaxKept of them; KeptCount is how many.
	Kept      []Kept
	KeptCount int
	// Tunnels is how many HBONE connections of peers stay.
	Tunnels int
}

// peersInReport bounds the peers that a report names.
const peersInReport = 16

// Add adds another pod's report.
func (r *HandedOver) Add(o *HandedOver) {
	r.Moved += o.Moved
	r.Refused += o.Refused
	if o.Why != nil {
		r.Why = o.Why
	}
	r.KeptCount += o.KeptCount
	r.Tunnels += o.Tunnels
	r.Kept = append(r.Kept, o.Kept...)
	r.sortKept()
}

// sortKept puts the oldest first, and cuts the list to its bound.
func (r *HandedOver) sortKept() {
	slices.SortFunc(r.Kept, func(a, b Kept) int { return a.Since.Compare(b.Since) })
	r.Kept = r.Kept[:min(len(r.Kept), MaxKept)]
}

// Describe says what became of the connections: how many, how old, which peers.
func (r *HandedOver) Describe(now time.Time) string {
	text := fmt.Sprintf("%d connections moved, %d refused, %d kept beside %d tunnels of peers", r.Moved, r.Refused, r.KeptCount, r.Tunnels)
	if len(r.Kept) > 0 {
		text += fmt.Sprintf(", the oldest for %v, of %s", now.Sub(r.Kept[0].Since).Round(time.Millisecond), r.peers())
	}
	return text
}

// Attributes are the same for the drain's trace.
func (r *HandedOver) Attributes(now time.Time) []messages.Attr {
	attrs := []messages.Attr{
		messages.IntAttr(messages.AttrDrainMoved, int64(r.Moved)), messages.IntAttr(messages.AttrDrainRefused, int64(r.Refused)),
		messages.IntAttr(messages.AttrDrainKept, int64(r.KeptCount)), messages.IntAttr(messages.AttrDrainTunnels, int64(r.Tunnels)),
	}
	if len(r.Kept) > 0 {
		attrs = append(attrs, messages.StringAttr(messages.AttrDrainPeers, r.peers()),
			messages.IntAttr(messages.AttrDrainOldest, now.Sub(r.Kept[0].Since).Milliseconds()))
	}
	return attrs
}

// peers are the addresses of those whose connections are kept, each once, at most peersInReport.
func (r *HandedOver) peers() string {
	var all []string
	seen := map[netip.Addr]bool{}
	for _, k := range r.Kept {
		if seen[k.Peer.Addr()] || !k.Peer.IsValid() {
			continue
		}
		seen[k.Peer.Addr()] = true
		if len(all) == peersInReport {
			all = append(all, "…")
			break
		}
		all = append(all, k.Peer.Addr().String())
	}
	return strings.Join(all, " ")
}

// Kept is a connection that stays.
type Kept struct {
	Peer  netip.AddrPort
	Since time.Time
	// Tunnelled says that it is a stream of an HBONE tunnel.
	Tunnelled bool
}

// MaxKept bounds the list of kept connections in a report.
const MaxKept = 64

// handOverPatience bounds what one flow may take to stop and one leg to be passed.
const handOverPatience = 15 * time.Second

// giving is a hand-over under way: one flow at a time.
type giving struct {
	take   func(*messages.LegOffered) error
	asker  *actor.PID
	report HandedOver
	left   []string // names of flows that are not asked yet
	now    *actor.PID
	timer  *kit.Timer
}

// legPassed is what became of an offered leg, givingOverdue that a flow does not answer.
type (
	legPassed struct {
		flow *actor.PID
		err  error
	}
	givingOverdue struct{ flow *actor.PID }
)

// askFlow makes the registry pass a HandOver on to a flow, with what it knows of it.
type askFlow struct{ flow *actor.PID }

func (p *pod) handOver(ctx actor.Context, m *HandOver) {
	if p.giving != nil || p.draining != nil && p.draining.isCut {
		ctx.Respond(&HandedOver{KeptCount: len(p.flows), Tunnels: len(p.sessions)})
		return
	}
	p.giving = &giving{take: m.Take, asker: ctx.Sender(), left: slices.Sorted(maps.Keys(p.flows))}
	p.giving.report.Tunnels = len(p.sessions)
	p.closeDoors(ctx)
	p.giveNext(ctx)
}

// closeDoors takes no more connections and questions.
func (p *pod) closeDoors(ctx actor.Context) {
	if p.left {
		return
	}
	p.left = true
	if locals := p.deps.Stores.LocalPods; locals != nil {
		ctx.Request(locals, &messages.PodLeaves{})
	}
	for _, l := range p.listeners {
		ctx.Send(l, &messages.Drain{})
	}
	for _, s := range sorted(p.sessions) {
		ctx.Send(s, &messages.Drain{})
	}
	if p.dns != nil {
		ctx.Request(p.dns, &messages.Drain{})
	}
}

// giveNext asks the next flow, or reports.
func (p *pod) giveNext(ctx actor.Context) {
	g := p.giving
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	g.now = nil
	for len(g.left) > 0 && g.now == nil {
		g.now = p.flows[g.left[0]]
		g.left = g.left[1:]
	}
	if g.now == nil {
		g.report.sortKept()
		if g.asker != nil {
			ctx.Send(g.asker, &g.report)
			g.asker = nil
		}
		return
	}
	g.timer = kit.After(ctx, handOverPatience, &givingOverdue{g.now})
	ctx.Request(p.deps.Connections, &askFlow{g.now})
}

// legOffered passes a leg on.
func (p *pod) legOffered(ctx actor.Context, m *messages.LegOffered) {
	from := ctx.Sender()
	if p.giving == nil || !p.isGiving(from) {
		ctx.Send(from, &messages.LegRefused{}) // too late
		return
	}
	take := p.giving.take
	kit.Go(ctx, func(context.Context) any { return &legPassed{flow: from, err: take(m)} })
}

func (p *pod) isGiving(f *actor.PID) bool {
	return p.giving != nil && p.giving.now != nil && f != nil && p.giving.now.Id == f.Id
}

func (p *pod) legPassed(ctx actor.Context, m *legPassed) {
	if m.err == nil {
		ctx.Send(m.flow, &messages.LegTaken{})
	} else {
		ctx.Send(m.flow, &messages.LegRefused{})
	}
	if p.giving == nil {
		return
	}
	if m.err == nil {
		p.giving.report.Moved++
	} else {
		p.giving.report.Refused++
		p.giving.report.Why = m.err
	}
	if p.isGiving(m.flow) {
		p.giveNext(ctx)
	}
}

func (p *pod) legKept(ctx actor.Context, m *messages.LegKept) {
	if !p.isGiving(ctx.Sender()) {
		return
	}
	g := p.giving
	g.report.KeptCount++
	g.report.Kept = append(g.report.Kept, Kept{Peer: m.Peer, Since: m.Since, Tunnelled: m.Tunnelled})
	p.giveNext(ctx)
}

func (p *pod) givingOverdue(ctx actor.Context, m *givingOverdue) {
	if p.isGiving(m.flow) {
		p.giving.report.KeptCount++
		p.giveNext(ctx)
	}
}

// adoptLeg spawns the flow of a connection that another process has set up.
func (p *pod) adoptLeg(ctx actor.Context, m *messages.AdoptLeg) {
	if p.isFull() || p.draining != nil || p.giving != nil {
		m.Undeliver()
		ctx.Respond(&messages.LegRefused{})
		return
	}
	spec := flow.Adopt(p.deps, m)
	if spec == nil {
		ctx.Respond(&messages.LegRefused{})
		return
	}
	f := kit.Spawn(ctx, p.deps.System.Props(*spec), flow.RoleTunnel)
	p.flows[f.Id] = f
	ctx.Respond(&messages.LegTaken{})
}

// askFlow passes a HandOver on. A flow that is not registered is not established, and stays.
func (c *connections) askFlow(ctx actor.Context, m *askFlow) {
	r := c.registry.open[m.flow.Id]
	if r == nil {
		ctx.RequestWithCustomSender(ctx.Sender(), &messages.LegKept{Since: time.Now()}, m.flow)
		return
	}
	ctx.RequestWithCustomSender(m.flow, &messages.HandOver{Registered: *r.RegisterConnection}, ctx.Sender())
}
