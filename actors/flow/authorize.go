package flow

import (
	"net/netip"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// authorize makes sure that the flow may go on: outbound that our own certificate is ready, inbound that the policies
// allow it (spec/dataplane.md §7, §8).
type authorize struct {
	p *passage
}

// Receive takes the stage's messages.
func (a *authorize) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.started(ctx)
	case *messages.CertificateFetched:
		a.certificateFetched(ctx, m)
	case *messages.PoliciesFound:
		a.policiesFound(ctx, m)
	case *messages.Refused:
		a.p.refusedByStore(ctx, messages.StageAuthorize, m)
	case *kit.Undelivered:
		a.p.undelivered(ctx, messages.StageAuthorize, m)
	default:
		kit.Unknown(ctx)
	}
}

func (a *authorize) started(ctx actor.Context) {
	p := a.p
	p.register(ctx)
	switch {
	case p.request != nil && p.request.Protocol == messages.OutboundTCP:
		p.handOver(ctx, messages.StageAuthorize)
	case p.request != nil:
		p.ask(ctx, p.Stores.Certificates, &messages.FetchCertificate{Identity: p.ownIdentity()})
	case p.entry.Call != nil: // nobody has seen our certificate in a handshake: it must be there all the same
		p.ask(ctx, p.Stores.Certificates, &messages.FetchCertificate{Identity: p.ownIdentity()})
	default:
		a.askPolicy(ctx)
	}
}

// askPolicy decides about an inbound connection.
func (a *authorize) askPolicy(ctx actor.Context) {
	p := a.p
	f, decided := p.waypointRule()
	switch {
	case f != nil:
		p.fail(ctx, messages.StageAuthorize, f)
	case decided:
		p.handOver(ctx, messages.StageAuthorize)
	default:
		p.ask(ctx, p.Stores.Policies, &messages.FindPolicies{Workload: p.local})
	}
}

func (a *authorize) certificateFetched(ctx actor.Context, m *messages.CertificateFetched) {
	p := a.p
	if m.ID != p.asked {
		return
	}
	p.answered("certificates", "FetchCertificate", &m.Answer)
	p.marks.Link(p.waited(messages.SpanIdentityWait, m.Held), m.SigningTrace, m.SigningSpan)
	certificate, ok := m.Certificate.(*mtls.Certificate)
	if m.Err != nil || !ok {
		text := "identity error: no certificate for " + m.Identity.String()
		if m.Err != nil {
			text = "identity error: " + m.Err.Error()
		}
		p.fail(ctx, messages.StageAuthorize, &messages.Failure{Reason: messages.ReasonIdentityUnavailable, Text: text, Err: m.Err})
		return
	}
	if p.request == nil {
		a.askPolicy(ctx)
		return
	}
	p.certificate = certificate
	p.handOver(ctx, messages.StageAuthorize)
}

func (a *authorize) policiesFound(ctx actor.Context, m *messages.PoliciesFound) {
	p := a.p
	if m.ID != p.asked {
		return
	}
	p.answered(state.RolePolicies, "FindPolicies", &m.Answer)
	for _, key := range m.Unknown {
		p.marks.Event(p.stage, messages.EventUnknownPolicyListed, messages.StringAttr(messages.AttrRuleName, key))
	}
	p.Telemetry.UnknownPolicies(&p.rec, m.Unknown)
	if len(m.Unknown) > 0 && p.Settings.DenyUnknownPolicies {
		p.fail(ctx, messages.StageAuthorize, messages.Fail(messages.ReasonPolicyDenied,
			"connection closed due to policy rejection: policy "+m.Unknown[0]+" is not known"))
		return
	}
	c := p.connection()
	verdict := messages.Evaluate(m.Policies, &c)
	p.rec.Verdict = &verdict
	p.Telemetry.PolicyDecisions(&p.rec, p.stage, &verdict)
	if !verdict.Allowed {
		p.fail(ctx, messages.StageAuthorize, messages.Fail(messages.ReasonPolicyDenied,
			"connection closed due to policy rejection: "+verdict.Text))
		return
	}
	p.handOver(ctx, messages.StageAuthorize)
}

// waypointRule is ENFORCE_WAYPOINT: what comes from the workload's own waypoint needs no policy, what bypasses it is
// refused. It decides nothing when the option is off or the workload has no waypoint.
func (p *passage) waypointRule() (*messages.Failure, bool) {
	if !p.Settings.EnforceWaypoint || p.local.Waypoint == nil {
		return nil, false
	}
	if p.inbound.FromWaypoint {
		return nil, true
	}
	return messages.Fail(messages.ReasonWaypointBypassed,
		"connection closed due to policy rejection: it bypassed the waypoint "+p.local.Waypoint.Destination.String()), true
}

// connection is what policy is asked about.
func (p *passage) connection() messages.Connection {
	return messages.Connection{
		SrcIdentity: p.entry.Identity, SrcIP: p.entry.Peer.Addr(), SrcPort: p.entry.Peer.Port(),
		DstNetwork: p.Settings.Network, Dst: p.inbound.Target,
	}
}

// register enters the connection in the pod's registry, before policy is asked.
func (p *passage) register(ctx actor.Context) {
	entry := &messages.RegisterConnection{
		Direction: p.rec.Direction, Src: p.entry.Peer, TraceID: p.rec.TraceID, Protocol: "TCP",
	}
	if p.request != nil {
		entry.OriginalDst, entry.ActualDst, entry.Protocol = p.rec.OriginalDst, p.request.Dial, p.request.Protocol.String()
	} else {
		c := p.connection()
		entry.Connection, entry.Local, entry.LocalVersion = &c, p.local, p.localVersion
		if p.Settings.EnforceWaypoint && p.inbound.FromWaypoint {
			entry.Waypoint = p.local.Waypoint
		}
		entry.ActualDst, entry.OriginalHost = p.inbound.Target, p.forwarded.host
		if !p.entry.Identity.IsZero() {
			entry.Protocol = "HBONE"
		}
	}
	if p.rec.Mode == messages.ModeLocal {
		entry.Protocol = "LOCAL"
	}
	p.registered = told
	ctx.RequestWithCustomSender(p.Connections, entry, ctx.Parent())
}

// dialSource is the address that the application is to see: the client's, where the listener can preserve it, the
// target is not on loopback and the pod does not call itself (spec/dataplane.md §4.9).
func (p *passage) dialSource() netip.Addr {
	if !p.entry.PreserveSource || p.inbound.Loopback {
		return netip.Addr{}
	}
	return p.entry.Peer.Addr()
}
