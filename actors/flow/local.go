package flow

import (
	"net/netip"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
)

// mayStayLocal reports whether a connection may be handed to another pod of this process (LOCAL_FASTPATH). It must be one
// that would go through a tunnel to a pod on this node and that says the same to that pod's policies without: the tunnel's
// source address is certain, both are in one trust domain, no application tunnel is to be told of it, and no certificate
// could be revoked.
func (p *passage) mayStayLocal(r *messages.Request) bool {
	return p.Settings.LocalFastpath && p.Stores.LocalPods != nil && p.Stores.Revocations == nil &&
		p.entry.Entrance == messages.EntranceOutbound &&
		r.Type == messages.DirectLocal && r.Protocol == messages.OutboundHBONE &&
		r.Destination.ApplicationTunnel == nil && r.Destination.TrustDomain == p.local.TrustDomain &&
		slices.Contains(r.ExpectedIdentities, r.Destination.Identity()) &&
		dialsFrom(p.local, p.entry.Peer.Addr(), r.Dial.Addr())
}

// dialsFrom reports whether the kernel can only choose peer as the source of a dial to dst: it is the one address of that
// family that the workload has.
func dialsFrom(w *messages.Workload, peer, dst netip.Addr) bool {
	sole := 0
	for _, ip := range w.WorkloadIPs {
		if ip.Is4() == dst.Is4() {
			sole++
		}
	}
	return sole == 1 && peer.Is4() == dst.Is4() && w.HasIP(peer)
}

// localPodFound goes on by a tunnel where nobody in this process serves the destination.
func (c *classify) localPodFound(ctx actor.Context, m *messages.LocalPodFound) {
	if m.ID != c.p.asked || c.step.Request == nil {
		return
	}
	c.p.answered("local-pods", "FindLocalPod", &m.Answer)
	c.step.Request.LocalPod = m.Pod
	c.decided(ctx)
}

// forwarding is what a CONNECT's headers would say.
func (c *Call) forwarding(believeBaggage bool) forwarding {
	f := forwarding{host: c.ForwardedHost}
	if believeBaggage {
		f.baggage = derived(describe(c.Source))
	}
	return f
}

// connectLocally hands the client's connection to the destination's pod.
func (t *tunnel) connectLocally(ctx actor.Context) {
	conn := t.entry.Conn
	t.entry.Conn = nil
	host := ""
	if t.request.Service != nil {
		host = t.request.Service.Hostname
	}
	parent, state := t.Telemetry.Outgoing(&t.rec)
	t.dialled = time.Now()
	t.ask(ctx, actor.NewPID(ctx.Self().Address, t.request.LocalPod), &messages.ConnectLocally{
		Conn: conn, Peer: t.entry.Peer, Local: t.request.Dial, Target: t.request.Authority,
		Identity: t.rec.SrcIdentity, Source: t.local, ForwardedHost: host, Traceparent: parent, Tracestate: state,
		Counters: &t.counters, At: t.dialled, Claim: &messages.Claim{},
	})
}

// locallyConnected is the destination's answer.
func (t *tunnel) locallyConnected(ctx actor.Context, m *messages.LocallyConnected) {
	if t.over || t.setUp || m.ID != t.asked {
		return
	}
	if m.Failure != nil {
		t.establishFailed(ctx, &messages.EstablishFailed{
			DialStart: t.dialled, DialEnd: time.Now(), KeepTrace: m.KeepTrace, Failure: m.Failure,
		})
		return
	}
	if t.far = ctx.Sender(); t.far != nil {
		ctx.Watch(t.far)
	}
	t.established(ctx, &messages.Established{DialStart: t.dialled, DialEnd: time.Now(), KeepTrace: m.KeepTrace})
}

// called is the beginning of a flow that was handed a connection. It ends with the flow that did.
func (t *tunnel) called(ctx actor.Context) {
	c := t.entry.Call
	t.caller = c.Caller
	t.Telemetry.StartStream(&t.rec)
	t.Telemetry.Join(&t.rec, c.Traceparent, []string{c.Tracestate}, true)
	ctx.Watch(c.Caller)
}

// both counts for the two flows of one connection.
type both struct {
	own   relay.Adder
	other func(n int)
}

// Add implements relay.Adder.
func (b both) Add(n uint64) {
	b.own.Add(n)
	b.other(int(n))
}

func (t *tunnel) countForCaller(c messages.Tally) {
	t.counters.LiveReceived = both{t.counters.LiveReceived, c.AddReceived}
	t.counters.LiveSent = both{t.counters.LiveSent, c.AddSent}
}

// answerCaller says that the application was reached.
func (t *tunnel) answerCaller(ctx actor.Context) {
	if t.caller == nil {
		return
	}
	ctx.Request(t.caller, &messages.LocallyConnected{
		Answer: messages.Answer{ID: t.entry.Call.ID}, KeepTrace: t.Telemetry.WantsKeep(&t.rec),
	})
}

// tellCaller says how the flow ended. A caller hears the same as a peer at the far end of a tunnel: a status, or that the
// connection was cut.
func (t *tunnel) tellCaller(ctx actor.Context) {
	switch {
	case t.caller == nil:
	case !t.setUp:
		ctx.Request(t.caller, &messages.LocallyConnected{
			Answer: messages.Answer{ID: t.entry.Call.ID}, Failure: refusal(t.rec.Reason().Status()),
			KeepTrace: t.Telemetry.WantsKeep(&t.rec),
		})
	default:
		m := &messages.LocallyEnded{Finished: messages.Finished{ClosedBy: t.rec.ClosedBy, CutBy: t.rec.CutBy}}
		switch f := t.rec.Failure; {
		case f == nil:
		case f.Reason == messages.ReasonRelayFailed:
			m.Err = f
		default:
			m.ClosedBy, m.CutBy = side(relay.SideUpstream), side(relay.SideUpstream)
		}
		ctx.Request(t.caller, m)
	}
}

// otherGone follows what the other flow of the connection may have said before it ended.
type otherGone struct{}

func (t *tunnel) otherEnded(ctx actor.Context, m *actor.Terminated) {
	if !t.over && (m.Who.Equal(t.caller) || m.Who.Equal(t.far)) {
		ctx.Send(ctx.Self(), &otherGone{})
	}
}

// otherGone ends a flow whose other half has ended without a word: it was cut, or has crashed.
func (t *tunnel) otherGone(ctx actor.Context) {
	t.closeFlow(ctx, &messages.CloseFlow{
		Failure: messages.Fail(messages.ReasonRelayFailed, "receive: io error: the other half of the connection has ended"),
	})
}
