package flow

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow/failure"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/relay"
)

// connect begins the last stage: it gets a tunnel from the pool, or starts the goroutine that dials.
func (t *tunnel) connect(ctx actor.Context) {
	switch {
	case t.request == nil:
		headers, f := t.answerHeaders()
		if f != nil {
			t.end(ctx, f)
			return
		}
		t.start(ctx, t.inboundLeg(headers))
	case t.request.Protocol == messages.OutboundTCP:
		t.start(ctx, t.plainLeg())
	case t.request.LocalPod != "":
		t.connectLocally(ctx)
	default:
		pool := t.Pool
		if t.entry.Entrance == messages.EntranceSOCKS5 {
			pool = t.SOCKSPool
		}
		t.ask(ctx, pool, &messages.AcquireTunnel{
			Key: messages.TunnelKey{
				Source: t.rec.SrcIdentity, Expected: joinIdentities(t.request.ExpectedIdentities),
				SrcIP: t.entry.Peer.Addr(), Dial: t.request.Dial,
			},
			Expected: t.request.ExpectedIdentities, Certificate: t.certificate,
		})
	}
}

// start brings up the second leg on a goroutine.
func (t *tunnel) start(ctx actor.Context, bringUp func(*leg) any) {
	l := newLeg(t)
	t.leg = l
	kit.Do(ctx, func() any { return bringUp(l) }) // the end of the flow, a crash too, cuts it
}

func (t *tunnel) tunnelAcquired(ctx actor.Context, m *messages.TunnelAcquired) {
	if t.over || t.granted || m.ID != t.asked {
		m.Undeliver()
		return
	}
	now := time.Since(t.rec.Start)
	span := t.marks.Span(messages.SpanPoolAcquire, t.stage, t.began(t.stage), now)
	t.marks.Attr(span, messages.BoolAttr(messages.AttrPoolHit, m.Hit))
	if m.Queued > 0 {
		t.marks.Attr(span, messages.IntAttr(messages.AttrPoolQueue, int64(m.Queued)))
	}
	if !m.SetupTrace.IsZero() {
		t.marks.Link(span, m.SetupTrace, m.SetupSpan)
	}
	if m.Failure != nil {
		t.marks.Fail(t.stage, m.Failure.Reason)
		t.end(ctx, m.Failure)
		return
	}
	t.granted, t.giveBack = true, m.GiveBack
	t.rec.PoolHit = m.Hit
	client, ok := m.Tunnel.(*hbone.Client)
	if !ok {
		t.end(ctx, messages.Fail(messages.ReasonInternal, "the pool gave something that is not an HBONE tunnel"))
		return
	}
	headers, f := t.connectHeaders()
	switch {
	case f != nil:
		t.end(ctx, f)
	case t.request.Protocol == messages.OutboundDoubleHBONE:
		t.start(ctx, t.doubleLeg(client, headers))
	default:
		t.start(ctx, t.hboneLeg(client, headers))
	}
}

// began is when a span of this record began.
func (t *tunnel) began(s messages.SpanRef) time.Duration {
	if t.marks == nil || s == messages.NoSpan {
		return 0
	}
	return t.marks.Spans()[s].Start
}

// established ends the set-up: the goroutine that carries the bytes starts, the trace of the set-up can go out.
func (t *tunnel) established(ctx actor.Context, m *messages.Established) {
	if t.over || t.setUp {
		return
	}
	dial := t.markDial(m.DialStart, m.DialEnd, nil)
	if m.SourceLost {
		t.marks.Event(dial, messages.EventSourceLost, messages.StringAttr(messages.AttrSourceAddress, t.entry.Peer.Addr().String()))
	}
	t.rec.Keep = t.rec.Keep || m.KeepTrace
	if m.HasBaggage && t.request != nil && t.request.Protocol == messages.OutboundDoubleHBONE {
		t.rec.DerivedDestination = derivedFrom(m.Baggage, m.DstIdentity)
		t.rec.DstIdentity = m.DstIdentity
	}
	t.open()
	if t.leg != nil {
		kit.DoLong(ctx, t.leg.carry)
	}
	t.answerCaller(ctx)
	t.timer.Stop()
	t.timer = nil
	t.markFaults(ctx)
	t.setUp = true
	t.marks.EndOpen(messages.ReasonNone)
	t.Telemetry.SetupEnded(&t.rec)
	t.Telemetry.Follow(&t.rec, &t.counters)
	t.settle()
	if version, ok := t.judge(ctx); ok {
		t.tracked.Watch(ctx, t.Stores.Revocations, version)
	}
}

// settle forgets what only the set-up needed: an idle connection holds as little as it can.
func (t *tunnel) settle() {
	t.setup, t.rec.Verdict = nil, nil
}

// markDial records the client's CONNECT, or the dial; f is nil where it went well.
func (t *tunnel) markDial(start, end time.Time, f *messages.Failure) messages.SpanRef {
	if t.marks == nil || start.IsZero() || t.dialMarked {
		return messages.NoSpan
	}
	t.dialMarked = true
	name := messages.SpanDial
	if t.request != nil && t.request.Protocol != messages.OutboundTCP && t.request.LocalPod == "" {
		name = messages.SpanConnect
	}
	s := t.marks.Span(name, t.stage, start.Sub(t.rec.Start), end.Sub(t.rec.Start))
	if f == nil {
		return s
	}
	t.marks.Blame(s, f.Reason)
	if f.Reason == messages.ReasonPeerRefused { // the reasons of the other answers say what it was
		t.marks.Attr(s, messages.IntAttr(messages.AttrHTTPStatus, int64(f.Status)))
	}
	return s
}

func (t *tunnel) establishFailed(ctx actor.Context, m *messages.EstablishFailed) {
	if t.over {
		return
	}
	failure := m.Failure
	if t.closing != nil {
		failure = t.closing
	}
	t.markDial(m.DialStart, m.DialEnd, failure)
	t.rec.Keep = t.rec.Keep || m.KeepTrace
	t.marks.Fail(t.stage, failure.Reason)
	t.end(ctx, failure)
}

func (t *tunnel) finished(ctx actor.Context, m *messages.Finished) {
	if t.over {
		return
	}
	t.rec.ClosedBy, t.rec.CutBy = m.ClosedBy, m.CutBy
	failure := t.closing
	if failure == nil && m.Err != nil {
		failure = messages.AsFailure(m.Err, messages.ReasonRelayFailed)
	}
	if t.closing != nil {
		t.rec.ClosedBy = "proxy"
	}
	t.end(ctx, failure)
}

// refusal is the failure that a peer's answer other than 200 means.
func refusal(status int) *messages.Failure {
	reason := messages.ReasonPeerRefused
	if status == http.StatusUnauthorized {
		reason = messages.ReasonPolicyDeniedByPeer
	}
	text := "http status: " + strconv.Itoa(status)
	if name := http.StatusText(status); name != "" {
		text += " " + name
	}
	return &messages.Failure{Reason: reason, Text: text, Status: status}
}

// openFailure is why a CONNECT got no answer (spec/dataplane.md §11.6).
func openFailure(err error) *messages.Failure {
	var f *messages.Failure
	if errors.As(err, &f) {
		return f
	}
	if failure.IsTimeout(err) {
		return &messages.Failure{Reason: messages.ReasonTimedOut, Text: "h2 failed: the peer did not answer the CONNECT in time", Err: err}
	}
	return messages.FailWith(messages.ReasonH2Failed, "h2 failed: ", err)
}

// side names who hung up, as the flow's client and server.
func side(s relay.Side) string {
	return [...]string{"", "client", "server", "proxy"}[s]
}
