package flow

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// accept learns who called, where to and for which local workload, and refuses loops (spec/dataplane.md §2.2, §4.5, §5).
type accept struct {
	p *passage
}

// Receive takes the stage's messages.
func (a *accept) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.started(ctx)
	case *socksNegotiated:
		a.socksNegotiated(ctx, m)
	case *messages.NameResolved:
		a.nameResolved(ctx, m)
	case *messages.LocalWorkloadFound:
		a.localWorkloadFound(ctx, m)
	case *messages.Refused:
		a.p.refusedByStore(ctx, messages.StageAccept, m)
	case *kit.Undelivered:
		a.p.undelivered(ctx, messages.StageAccept, m)
	default:
		kit.Unknown(ctx)
	}
}

func (a *accept) started(ctx actor.Context) {
	p := a.p
	switch p.entry.Entrance {
	case messages.EntranceOutbound, messages.EntrancePlaintext:
		dst, _ := socket.Accepted{Conn: p.entry.Conn, Peer: p.entry.Peer, Local: p.entry.Local}.OriginalDst()
		p.rec.OriginalDst, p.rec.Dst = dst, dst
		a.findLocal(ctx)
	case messages.EntranceSOCKS5:
		negotiate(ctx, p)
	case messages.EntranceHBONE:
		a.readConnect(ctx)
	case messages.EntranceLocal:
		p.host = p.entry.Call.Target
		p.rec.HBONEAddr = p.host
		a.findLocal(ctx)
	}
}

// readConnect checks what the peer asks for: 400 unless it is a CONNECT with a usable authority.
func (a *accept) readConnect(ctx actor.Context) {
	s := a.p.entry.Stream
	if s.Method != "CONNECT" {
		a.p.fail(ctx, messages.StageAccept, messages.Fail(messages.ReasonInvalidRequest, "expected method CONNECT, got "+s.Method))
		return
	}
	host, err := route.ParseAuthority(s.Authority)
	if err != nil {
		a.p.fail(ctx, messages.StageAccept, messages.Fail(messages.ReasonInvalidRequest, "no valid authority pseudo header: "+s.Authority))
		return
	}
	a.p.host = host
	a.p.rec.HBONEAddr = host
	a.findLocal(ctx)
}

func (a *accept) socksNegotiated(ctx actor.Context, m *socksNegotiated) {
	p := a.p
	if m.failure != nil {
		p.fail(ctx, messages.StageAccept, m.failure)
		return
	}
	p.socks = socksAnswer{m.request}
	if m.request.Host != "" {
		p.target = m.request.Target
		p.ask(ctx, p.Names, &messages.ResolveName{Hostname: m.request.Host})
		return
	}
	p.rec.OriginalDst, p.rec.Dst = m.request.Addr, m.request.Addr
	a.findLocal(ctx)
}

// nameResolved takes the first address of the client's family, as the reference does (spec/dataplane.md §6).
func (a *accept) nameResolved(ctx actor.Context, m *messages.NameResolved) {
	p := a.p
	p.answered(state.RoleNames, "ResolveName", &m.Answer)
	for _, addr := range m.Addrs {
		if addr.Is4() == p.entry.Peer.Addr().Is4() {
			dst := messages.HostPort{Addr: addr, Port: p.target.Port}.AddrPort()
			p.rec.OriginalDst, p.rec.Dst = dst, dst
			a.findLocal(ctx)
			return
		}
	}
	text := "failed to negotiate socks connection: no address of " + p.target.Host
	if m.Err != nil {
		text = "failed to negotiate socks connection: " + m.Err.Error()
	}
	p.fail(ctx, messages.StageAccept, messages.Fail(messages.ReasonNameResolution, text))
}

// findLocal applies the loop rule and asks for the pod's own workload.
func (a *accept) findLocal(ctx actor.Context) {
	p := a.p
	var loop *messages.Failure
	switch p.entry.Entrance {
	case messages.EntranceOutbound, messages.EntranceSOCKS5:
		loop = route.Loop(p.rec.OriginalDst, p.Settings.IllegalPorts)
	case messages.EntrancePlaintext:
		loop = route.LoopInbound(p.rec.OriginalDst.Port(), p.Settings.IllegalPorts)
	case messages.EntranceHBONE, messages.EntranceLocal: // the target port is not known yet: classify looks
	}
	if loop != nil {
		p.marks.Event(p.stage, messages.EventLoopRejected)
		p.fail(ctx, messages.StageAccept, loop)
		return
	}
	p.ask(ctx, p.Stores.Workloads, &messages.FindLocalWorkload{Info: p.Settings.Info, Wait: p.Settings.WorkloadWait})
}

func (a *accept) localWorkloadFound(ctx actor.Context, m *messages.LocalWorkloadFound) {
	p := a.p
	if m.ID != p.asked {
		return
	}
	p.answered(state.RoleWorkloads, "FindLocalWorkload", &m.Answer)
	p.waited(messages.SpanWorkloadWait, m.Held)
	if m.Workload == nil {
		p.fail(ctx, messages.StageAccept, messages.Fail(messages.ReasonWorkloadUnknown,
			"failed to fetch information about local workload: "+p.Settings.Info.String()))
		return
	}
	p.local, p.localVersion = m.Workload, m.Version
	p.handOver(ctx, messages.StageAccept)
}
