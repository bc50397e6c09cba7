package flow

import (
	"fmt"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// tree is a decision tree of actors/flow/route.
type tree interface {
	Next() route.Step
	Learn(answer any) bool
}

// stamped is any message that says when it was sent.
type stamped interface{ StampSent(at int64) }

// classify carries a decision tree's questions to the stores and the answers back to it, until the way is decided.
type classify struct {
	p    *passage
	tree tree
	step route.Step
}

// Receive takes the stage's messages.
func (c *classify) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.started(ctx)
	case *messages.WorkloadsFound:
		c.learn(ctx, m, &m.Answer)
	case *messages.WorkloadFound:
		c.learn(ctx, m, &m.Answer)
	case *messages.UpstreamFound:
		c.learn(ctx, m, &m.Answer)
	case *messages.DestinationFound:
		c.learn(ctx, m, &m.Answer)
	case *messages.GatewayOfFound:
		c.learn(ctx, m, &m.Answer)
	case *messages.InboundFound:
		c.learn(ctx, m, &m.Answer)
	case *messages.ServiceFound:
		c.learn(ctx, m, &m.Answer)
	case *messages.NameResolved:
		c.learn(ctx, m, &m.Answer)
	case *messages.ResourceDemanded:
		c.resourceDemanded(ctx, m)
	case *messages.LocalPodFound:
		c.localPodFound(ctx, m)
	case *messages.Refused:
		c.p.fail(ctx, messages.StageClassify, messages.Fail(messages.ReasonStoreTimeout, m.Text))
	case *kit.Undelivered:
		c.undelivered(ctx, m)
	default:
		kit.Unknown(ctx)
	}
}

func (c *classify) started(ctx actor.Context) {
	if c.p.entry.Entrance.Direction() == messages.Outbound {
		c.tree = c.p.outboundTree()
	} else {
		c.tree = c.p.inboundTree()
	}
	c.next(ctx)
}

func (c *classify) learn(ctx actor.Context, answer any, a *messages.Answer) {
	store, question := c.step.Store, c.step.Ask
	if !c.tree.Learn(answer) {
		return // too late, or a duplicate: the awaited answer still comes
	}
	if c.p.marks != nil {
		c.p.answered(store.String(), questionName(question), a)
	}
	c.next(ctx)
}

// resourceDemanded marks how long the control plane took, and goes on.
func (c *classify) resourceDemanded(ctx actor.Context, m *messages.ResourceDemanded) {
	if m.ID == c.asks() {
		c.p.waited(messages.SpanWorkloadWait, m.Held)
	}
	c.learn(ctx, m, &m.Answer)
}

// asks is the id of the question that is open, 0 for none.
func (c *classify) asks() uint64 {
	if q, ok := c.step.Ask.(interface{ QuestionID() uint64 }); ok {
		return q.QuestionID()
	}
	return 0
}

// undelivered ends the flow whose question nobody took. Where that was only whether there is a shorter way, it takes the
// usual one.
func (c *classify) undelivered(ctx actor.Context, u *kit.Undelivered) {
	if _, local := u.Message.(*messages.FindLocalPod); local && c.step.Request != nil {
		c.decided(ctx)
		return
	}
	c.p.fail(ctx, messages.StageClassify, messages.Fail(messages.ReasonStoreTimeout, "nobody took the question of classify"))
}

func (c *classify) next(ctx actor.Context) {
	c.step = c.tree.Next()
	switch s := c.step; {
	case s.Ask != nil:
		if q, ok := s.Ask.(*messages.ResolveName); ok {
			c.p.countOnDemand(q.Hostname)
		}
		s.Ask.(stamped).StampSent(c.p.System.Nanos())
		ctx.Request(c.p.store(s.Store), s.Ask)
	case s.Deny != nil:
		c.p.fail(ctx, messages.StageClassify, s.Deny)
	case s.Request != nil:
		if c.p.mayStayLocal(s.Request) {
			c.p.ask(ctx, c.p.Stores.LocalPods, &messages.FindLocalPod{Info: s.Request.Destination.Info()})
			return
		}
		c.decided(ctx)
	default:
		c.p.inboundDecided(s.Inbound)
		c.p.handOver(ctx, messages.StageClassify)
	}
}

func (c *classify) decided(ctx actor.Context) {
	c.p.outboundDecided(c.step.Request, c.tree.(*route.Outbound))
	c.p.handOver(ctx, messages.StageClassify)
}

// countOnDemand counts the look-up of a workload that is known by host name only, whether or not the DNS cache has it
// (spec/dataplane.md §2.4).
func (p *passage) countOnDemand(hostname string) {
	r := messages.Record{
		Direction: messages.Outbound, Source: p.local, DerivedSource: &messages.DerivedWorkload{Identity: p.ownIdentity()},
	}
	p.Telemetry.Metrics().DNSOnDemand(&r, hostname)
}

func (p *passage) store(s route.Store) *actor.PID {
	switch s {
	case route.Workloads:
		return p.Stores.Workloads
	case route.Services:
		return p.Stores.Services
	case route.DNS:
		return p.Stores.DNSCache
	case route.Discovery:
		return p.Stores.Discovery
	case route.NoStore:
	}
	return nil
}

func (p *passage) outboundTree() *route.Outbound {
	return &route.Outbound{
		OurNetwork: p.Settings.Network, LocalNode: p.Settings.LocalNode, Source: p.local,
		Src: p.entry.Peer, Dst: p.rec.OriginalDst, InboundPort: p.Settings.InboundPort,
		OnDemand: p.Settings.OnDemand,
	}
}

// outboundDecided notes the way in the record: what log, metrics and trace say of it.
func (p *passage) outboundDecided(r *messages.Request, t *route.Outbound) {
	p.request = r
	p.rec.Type, p.rec.Dst, p.rec.HBONEAddr = r.Type, r.Dial, r.Authority
	p.rec.Source, p.rec.Destination, p.rec.Service = p.local, r.Destination, r.Service
	switch r.Protocol {
	case messages.OutboundTCP:
		p.rec.Mode = messages.ModePlaintext
		if r.Type == messages.Passthrough {
			p.rec.Mode = messages.ModePassthrough
		}
	case messages.OutboundHBONE, messages.OutboundDoubleHBONE:
		p.rec.Mode = messages.ModeHBONE
		if r.Protocol == messages.OutboundDoubleHBONE {
			p.rec.Mode = messages.ModeDoubleHBONE
		}
		p.rec.MutualTLS = true
		p.rec.SrcIdentity = p.ownIdentity()
		p.rec.DerivedSource = p.ownSource()
		if r.Destination != nil {
			p.rec.DstIdentity = r.Destination.Identity()
		}
		if r.LocalPod != "" {
			p.rec.Mode, p.rec.MutualTLS = messages.ModeLocal, false
		}
	}
	if p.marks != nil {
		p.marks.Event(p.stage, messages.EventRoute, routeAttrs(r, t)...)
	}
}

func routeAttrs(r *messages.Request, t *route.Outbound) []messages.Attr {
	attrs := []messages.Attr{
		messages.StringAttr(messages.AttrRequestType, r.Type.String()),
		messages.StringAttr(messages.AttrServerAddress, r.Dial.String()),
	}
	if r.Service != nil {
		attrs = append(attrs, messages.StringAttr(messages.AttrDestService, r.Service.Hostname))
	}
	if t.Considered > 0 {
		attrs = append(attrs, messages.IntAttr(messages.AttrCandidates, int64(t.Considered)),
			messages.IntAttr(messages.AttrFiltered, int64(t.Considered-t.Eligible)))
	}
	return attrs
}

func (p *passage) inboundTree() *route.Inbound {
	t := &route.Inbound{
		OurNetwork: p.Settings.Network, Local: p.local, Src: p.entry.Peer, Identity: p.entry.Identity, Dst: p.entry.Local,
		Authority: p.host, IllegalPorts: p.Settings.IllegalPorts, LocalhostTunnel: p.Settings.LocalhostAppTunnel,
		EnforceWaypoint: p.Settings.EnforceWaypoint, OnDemand: p.Settings.OnDemand,
	}
	if p.entry.Entrance == messages.EntrancePlaintext {
		t.Dst = p.rec.OriginalDst
		return t
	}
	if p.entry.Call != nil {
		p.forwarded = p.entry.Call.forwarding(p.Settings.ResponseBaggage)
	} else {
		p.forwarded = readForwarding(p.entry.Stream, p.Settings.ResponseBaggage)
	}
	t.ForwardedHost, t.ForwardedNetwork, t.Forwarded = p.forwarded.host, p.forwarded.network, p.forwarded.hasNetwork
	return t
}

// nobody is what is derived of a peer that tells nothing and proves nothing. It is frozen.
var nobody = &messages.DerivedWorkload{}

// ownSource is what is derived of our own side: its identity. All flows of the pod share it.
func (p *passage) ownSource() *messages.DerivedWorkload {
	if own := p.Own.Load(); own != nil && own.Identity == p.rec.SrcIdentity {
		return own
	}
	own := &messages.DerivedWorkload{Identity: p.rec.SrcIdentity}
	p.Own.Store(own)
	return own
}

// inboundDecided notes the way in the record.
func (p *passage) inboundDecided(r *messages.InboundRequest) {
	p.inbound = r
	p.rec.Source, p.rec.Destination, p.rec.Service = r.Source, p.local, r.Service
	p.rec.Mode = messages.ModePlaintext
	p.rec.DerivedSource = nobody
	if p.entry.Entrance != messages.EntrancePlaintext {
		p.rec.Mode, p.rec.MutualTLS = messages.ModeHBONE, true
		if p.entry.Entrance == messages.EntranceLocal {
			p.rec.Mode, p.rec.MutualTLS = messages.ModeLocal, false
		}
		p.rec.SrcIdentity, p.rec.DstIdentity = p.entry.Identity, p.local.Identity()
		if p.forwarded.baggage == nil {
			p.forwarded.baggage = &messages.DerivedWorkload{}
		}
		p.forwarded.baggage.Identity = p.entry.Identity
		p.rec.DerivedSource = p.forwarded.baggage
	}
}

// questionName is the question's type, as traces name it.
func questionName(q any) string {
	name := fmt.Sprintf("%T", q)
	return name[strings.LastIndexByte(name, '.')+1:]
}
