package flow

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"golang.org/x/net/http2"

	"github.com/troupe-mesh/troupe/actors/flow/tracked"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/relay"
)

// Roles of a flow's actors.
const (
	RoleTunnel    = "tunnel"
	RoleAccept    = "accept"
	RoleClassify  = "classify"
	RoleAuthorize = "authorize"
)

// flowCapacity bounds the mailboxes of a flow's actors: more than a few messages never wait for one.
const flowCapacity = 64

// tunnel is the flow's own actor: it runs the stages, owns both legs and says how it ended.
//
//	state        message            next
//	a stage      StageDone          the next stage; after authorize, inbound when registered: connecting
//	a stage      StageFailed        over
//	a stage      StageOverdue       over (store_timeout)
//	connecting   TunnelAcquired     connecting, a goroutine opens the stream
//	connecting   Established        established, a goroutine relays
//	connecting   EstablishFailed    over
//	established  Finished           over
//	established  HandOver           established, its relay stops
//	established  RelayStopped       offered: both legs stand still
//	offered      LegTaken           over (another process carries it on)
//	offered      LegRefused         established, a goroutine relays
//	any          CloseFlow          cut; over when its goroutine has ended
//	any          Stopping           over (drained, or internal after a crash)
type tunnel struct {
	passage
	dispatcher *kit.FlowDispatcher
	at         messages.Stage
	stageSpan  [4]messages.SpanRef
	deadline   int64 // of the stage, in the system's nanoseconds
	timer      *kit.Timer

	series   *trace.Series
	counters relay.Counters
	leg      *leg
	granted  bool
	giveBack func() // the room in a pooled tunnel
	// authorized says that the third stage has handed over.
	authorized bool
	setUp      bool
	over       bool
	// dialMarked says that the dial or CONNECT has its span: the peer's spans have it as their parent.
	dialMarked bool
	closing    *messages.Failure
	tracked    tracked.Tunnels // of a double HBONE's inner tunnel
	// handing is the asker who is promised the legs; nil usually. adopted is what a flow of another process left.
	handing *handing
	adopted *messages.AdoptLeg
	// caller is the outbound flow that handed the connection over, nil for other entrances; far is the flow that it was
	// handed to.
	caller, far *actor.PID
	// dialled is when a connection was handed over.
	dialled time.Time
}

// Spec is how the pod spawns a flow for an entry. The flow owns what the entry carries from its first message on.
func Spec(d *Deps, e Entry) kit.Spec {
	dispatcher := kit.NewFlowDispatcher()
	// It is made here, for its Spec must not hold the entry as well; a flow is never restarted.
	t := &tunnel{passage: passage{Deps: d, setup: &setup{entry: e}}, dispatcher: dispatcher}
	return kit.Spec{
		Role:        RoleTunnel,
		Capacity:    flowCapacity,
		Run:         kit.OnFlow(dispatcher),
		Supervision: kit.Supervision{Directive: kit.Escalate},
		New:         func() actor.Actor { return t },
	}
}

// Receive takes the flow's messages.
func (t *tunnel) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		t.started(ctx)
	case *messages.StageDone:
		t.stageDone(ctx, m)
	case *messages.StageFailed:
		t.stageFailed(ctx, m)
	case *messages.StageOverdue:
		t.stageOverdue(ctx, m)
	case *messages.ConnectionRegistered:
		t.connectionRegistered(ctx)
	case *messages.TunnelAcquired:
		t.tunnelAcquired(ctx, m)
	case *messages.Established:
		t.established(ctx, m)
	case *messages.EstablishFailed:
		t.establishFailed(ctx, m)
	case *messages.Finished:
		t.finished(ctx, m)
	case *messages.HandOver:
		t.handOver(ctx, m)
	case *messages.RelayStopped:
		t.relayStopped(ctx, m)
	case *messages.LegTaken:
		t.legTaken(ctx)
	case *messages.LegRefused:
		t.legRefused(ctx)
	case *messages.LocallyConnected:
		t.locallyConnected(ctx, m)
	case *messages.LocallyEnded:
		t.finished(ctx, &m.Finished)
	case *actor.Terminated:
		t.otherEnded(ctx, m)
	case *otherGone:
		t.otherGone(ctx)
	case *messages.CloseFlow:
		t.closeFlow(ctx, m)
	case *messages.RevocationsChanged:
		t.judge(ctx)
	case *messages.RevocationsUnwatched:
		t.tracked.Unwatched(t.Telemetry, messages.Outbound, t.rec.Dst)
	case *tracked.Again:
		t.tracked.Retry(ctx)
	case *kit.Undelivered:
		if !t.tracked.Undelivered(ctx, m) {
			t.undelivered(ctx, m)
		}
	case *actor.Restarting, *actor.Stopping:
		t.stopping(ctx)
	default:
		kit.Unknown(ctx)
	}
}

func (t *tunnel) started(ctx actor.Context) {
	if t.adopted != nil {
		t.adopt(ctx)
		return
	}
	t.rec.Direction = t.entry.Entrance.Direction()
	t.rec.Src = t.entry.Peer
	t.rec.Start = t.entry.At
	if t.entry.Stream != nil || t.entry.Call != nil {
		t.rec.Dst = t.entry.Local
	}
	switch {
	case t.entry.Call != nil:
		t.called(ctx)
	case t.entry.Stream == nil:
		t.Telemetry.Start(&t.rec)
	default:
		t.Telemetry.StartStream(&t.rec)
		traceparent, _ := t.entry.Stream.Get("traceparent")
		t.Telemetry.Join(&t.rec, traceparent, t.entry.Stream.All("tracestate"), !t.entry.Identity.IsZero())
	}
	if t.Telemetry.Tracing() {
		t.marks = &t.rec.Recorder
	}
	t.root = t.marks.BeginAt(rootSpan(t.entry.Entrance), messages.NoSpan, 0)
	for i := range t.stageSpan {
		t.stageSpan[i] = messages.NoSpan
	}
	t.describeTLS()
	t.begin(ctx, messages.StageAccept)
}

func rootSpan(e messages.Entrance) messages.SpanName {
	switch e {
	case messages.EntranceHBONE:
		return messages.SpanConnect
	case messages.EntrancePlaintext, messages.EntranceLocal:
		return messages.SpanInbound
	case messages.EntranceOutbound, messages.EntranceSOCKS5:
	}
	return messages.SpanOutbound
}

func (t *tunnel) describeTLS() {
	if t.marks == nil || t.entry.TLSVersion == "" {
		return
	}
	t.marks.Attr(t.root, messages.StringAttr(messages.AttrTLSVersion, t.entry.TLSVersion))
	t.marks.Attr(t.root, messages.StringAttr(messages.AttrTLSCipher, t.entry.TLSCipher))
	t.marks.Attr(t.root, messages.StringAttr(messages.AttrTLSCurve, t.entry.TLSCurve))
}

// begin starts a stage: its span, its deadline and, but for the tunnel's own, its actor.
func (t *tunnel) begin(ctx actor.Context, s messages.Stage) {
	t.at = s
	t.stage = t.marks.Begin(s.Span(), t.root)
	t.stageSpan[s] = t.stage
	t.arm(ctx, s)
	switch s {
	case messages.StageAccept:
		t.spawn(ctx, RoleAccept, &accept{p: &t.passage})
	case messages.StageClassify:
		t.spawn(ctx, RoleClassify, &classify{p: &t.passage})
	case messages.StageAuthorize:
		t.spawn(ctx, RoleAuthorize, &authorize{p: &t.passage})
	case messages.StageTunnel:
		t.connect(ctx)
	}
}

func (t *tunnel) spawn(ctx actor.Context, role string, a actor.Actor) {
	kit.SpawnBrief(ctx, kit.Spec{
		Role: role, Capacity: flowCapacity, Run: kit.OnFlow(t.dispatcher), New: func() actor.Actor { return a },
	}, role)
}

// arm sets the stage's deadline. One timer serves all stages of a flow: when it fires it looks whether the stage that
// it finds is overdue, and otherwise waits for that one's deadline.
func (t *tunnel) arm(ctx actor.Context, s messages.Stage) {
	d := t.Settings.StageDeadline
	switch s {
	case messages.StageAccept:
		d += t.Settings.WorkloadWait
		if t.entry.Entrance == messages.EntranceSOCKS5 {
			d += t.Settings.NegotiationDeadline
		}
	case messages.StageTunnel:
		d += t.Settings.ConnectDeadline
	case messages.StageClassify, messages.StageAuthorize:
	}
	t.deadline = t.System.Nanos() + int64(d)
	if t.timer == nil {
		t.timer = kit.After(ctx, d, &messages.StageOverdue{})
	}
}

func (t *tunnel) stageDone(ctx actor.Context, m *messages.StageDone) {
	if t.over || m.Stage != t.at {
		return // a duplicate, or a stage that was overtaken by the end
	}
	t.marks.End(t.stage)
	switch m.Stage {
	case messages.StageAccept:
		t.begin(ctx, messages.StageClassify)
	case messages.StageClassify:
		if t.request == nil || t.request.Protocol != messages.OutboundDoubleHBONE {
			t.open() // the far end of a double HBONE says itself who it is
		}
		t.begin(ctx, messages.StageAuthorize)
	case messages.StageAuthorize:
		t.authorized = true
		t.proceed(ctx)
	case messages.StageTunnel:
	}
}

// connectionRegistered comes while authorize is at work, before it has its answer.
func (t *tunnel) connectionRegistered(ctx actor.Context) {
	if t.over || t.registered == known {
		return
	}
	t.registered = known
	t.proceed(ctx)
}

// proceed begins the last stage of a connection that may be established. An inbound one must be registered by then, for a
// policy that comes later must find it.
func (t *tunnel) proceed(ctx actor.Context) {
	if t.authorized && (t.registered == known || t.request != nil) && t.at == messages.StageAuthorize {
		t.begin(ctx, messages.StageTunnel)
	}
}

// open builds the connection's statistics: from here on it counts as opened (spec/dataplane.md §11.3).
func (t *tunnel) open() {
	if t.series != nil {
		return
	}
	t.series = t.Telemetry.Opened(&t.rec)
	t.counters.LiveReceived, t.counters.LiveSent = t.series.Received(), t.series.Sent()
	if t.setup != nil && t.entry.Call != nil {
		t.countForCaller(t.entry.Call.Counters)
	}
}

func (t *tunnel) stageFailed(ctx actor.Context, m *messages.StageFailed) {
	if t.over || m.Stage != t.at {
		return
	}
	t.marks.Fail(t.stage, m.Failure.Reason)
	t.end(ctx, m.Failure)
}

func (t *tunnel) stageOverdue(ctx actor.Context, m *messages.StageOverdue) {
	if t.over || t.setUp {
		return
	}
	if left := t.deadline - t.System.Nanos(); left > 0 {
		t.timer = kit.After(ctx, time.Duration(left), m)
		return
	}
	t.end(ctx, messages.Fail(messages.ReasonStoreTimeout, t.at.String()+" was not answered in time"))
}

// undelivered ends the flow when the pool is not there, or the registry: a connection that is not registered would
// outlive the policy that allows it.
func (t *tunnel) undelivered(ctx actor.Context, m *kit.Undelivered) {
	if t.over {
		return
	}
	switch m.Message.(type) {
	case *messages.ConnectLocally:
		t.end(ctx, messages.Fail(messages.ReasonOverCapacity, "the destination's pod did not take the connection"))
	case *messages.AcquireTunnel:
		t.end(ctx, messages.Fail(messages.ReasonStoreTimeout, "the pool did not take the question"))
	case *messages.RegisterConnection:
		t.registered = unregistered
		t.closeFlow(ctx, &messages.CloseFlow{Failure: messages.Fail(messages.ReasonOverCapacity, "connection tracking failed")})
	}
}

func (t *tunnel) closeFlow(ctx actor.Context, m *messages.CloseFlow) {
	if t.over || t.closing != nil {
		return
	}
	if m.Verdict != nil {
		t.rec.Verdict = m.Verdict
	}
	if t.leg == nil {
		t.end(ctx, m.Failure)
		return
	}
	t.closing = m.Failure
	if t.handing != nil && t.handing.offered {
		return // the legs may be somebody else's by now: legTaken and legRefused end it
	}
	t.cut(ctx)
}

func (t *tunnel) stopping(ctx actor.Context) {
	if t.over {
		return
	}
	failure := t.closing
	if failure == nil {
		failure = messages.Fail(messages.ReasonDrained, "connection closed due to connection drain")
		if !t.Ending.Load() {
			failure = messages.Fail(messages.ReasonInternal, "connection closed: an actor of the flow crashed")
		}
	}
	t.end(ctx, failure)
}

// end writes the flow's one closing line and lets go of everything. failure is nil for a connection that went well.
func (t *tunnel) end(ctx actor.Context, failure *messages.Failure) {
	t.over = true
	defer ctx.Stop(ctx.Self())
	if t.timer != nil {
		t.timer.Stop()
	}
	t.rec.Failure = failure
	if t.at > messages.StageClassify {
		t.open() // a double HBONE that failed is opened and closed at once (spec/dataplane.md §2.10)
	}
	t.refuse(ctx)
	t.tellCaller(ctx)
	t.markFaults(ctx)
	if !t.setUp {
		if t.leg != nil {
			t.markDial(t.leg.began, time.Now(), failure)
		}
		t.marks.EndOpen(t.rec.Reason())
		t.Telemetry.SetupEnded(&t.rec)
	}
	if t.series == nil {
		t.Telemetry.EarlyDenied(&t.rec)
	} else {
		t.Telemetry.Closed(&t.rec, t.series, &t.counters)
	}
	t.tracked.End(ctx)
	if t.registered != unregistered {
		ctx.Request(t.Connections, &messages.UnregisterConnection{})
	}
	t.release()
}

// cut aborts both legs on a goroutine, since it may have to wait for room in the tunnel.
func (t *tunnel) cut(ctx actor.Context) {
	l := t.leg
	kit.Do(ctx, func() any {
		l.cut()
		return nil
	})
}

// refuse closes what the flow holds and answers an HBONE peer that has no answer yet. Writing may block, so it is left
// to a goroutine.
func (t *tunnel) refuse(ctx actor.Context) {
	if t.leg != nil && !t.leg.hasEnded() {
		t.cut(ctx)
	}
	switch {
	case t.setUp:
	case t.entry.Stream != nil:
		t.refuseStream(ctx)
	case t.leg != nil || t.entry.Conn == nil:
	case t.socks.request == nil:
		_ = t.entry.Conn.Close()
	default:
		conn, socks, failure := t.entry.Conn, t.socks, t.rec.Failure
		kit.Do(ctx, func() any {
			socks.failed(failure)
			_ = conn.Close()
			return nil
		})
	}
}

// refuseStream answers a CONNECT with the reason's status, and tells a peer of ours to keep its spans where we keep ours.
// A policy that changed, or a certificate that was revoked, while the application was dialled resets the stream without
// an answer (spec/dataplane.md §4.5).
func (t *tunnel) refuseStream(ctx actor.Context) {
	stream, reason, dialled := t.entry.Stream, t.rec.Reason(), t.leg != nil
	var headers []hbone.Header
	if t.Telemetry.WantsKeep(&t.rec) {
		headers = []hbone.Header{{Name: trace.KeepHeader, Value: trace.KeepValue}}
	}
	kit.Do(ctx, func() any {
		if dialled && (reason == messages.ReasonPolicyChanged || reason == messages.ReasonCertificateRevoked) {
			stream.Reset(http2.ErrCodeCancel)
		} else {
			stream.RefuseWith(reason.Status(), headers)
		}
		return nil
	})
}

// release gives the room in a pooled tunnel back.
func (t *tunnel) release() {
	if t.giveBack != nil {
		t.giveBack()
		t.giveBack = nil
	}
}
