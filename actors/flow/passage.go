package flow

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/socks"
)

// slowWait is from which a wait inside a stage becomes a span instead of an event (TRACING §3), slowMailbox from which
// a wait in a mailbox is told at all.
const (
	slowWait    = 50 * time.Microsecond
	slowMailbox = time.Millisecond
)

// passage is what the actors of one flow share. They run one at a time on the flow's dispatcher.
type passage struct {
	*Deps
	// setup is nil once the flow is established.
	*setup
	rec messages.Record
	// marks is the record's recorder, nil when nothing is traced: marking nil does nothing.
	marks *messages.Recorder
	// root is the flow's first span, stage the current stage's.
	root, stage messages.SpanRef
	asked       uint64 // id of the last question
	registered  registration
}

// registration is how far the registry knows the connection.
type registration uint8

const (
	unregistered registration = iota
	told                      // it was told
	known                     // and has answered
)

// setup is what a flow knows only until it is established: an idle flow does without.
type setup struct {
	entry Entry

	// Learned by accept.
	local *messages.Workload
	// localVersion is the store's version that told of local.
	localVersion uint64
	socks        socksAnswer
	host         messages.HostPort // the CONNECT authority
	target       socks.Target      // what a SOCKS5 client asks for

	// Decided by classify.
	request   *messages.Request
	inbound   *messages.InboundRequest
	forwarded forwarding

	// Made sure by authorize.
	certificate *mtls.Certificate
}

// forwarding is what an HBONE peer tells in its headers (spec/dataplane.md §4.8).
type forwarding struct {
	host       string
	network    string
	hasNetwork bool
	baggage    *messages.DerivedWorkload
}

// ownIdentity is what we present: the trust domain is the workload's, the rest the pod's (spec/dataplane.md §2.3).
func (p *passage) ownIdentity() messages.Identity {
	info := p.Settings.Info
	return messages.Identity{TrustDomain: p.local.TrustDomain, Namespace: info.Namespace, ServiceAccount: info.ServiceAccount}
}

// ask numbers a question and sends it; the answer comes to the stage that asks.
func (p *passage) ask(ctx actor.Context, to *actor.PID, q question) {
	p.asked++
	q.Number(p.asked, p.System.Nanos())
	ctx.Request(to, q)
}

// question is any question to a store.
type question interface {
	Number(id uint64, sent int64)
}

// refusedByStore ends the flow whose store has lost its state and did not get it back in time: it fails closed.
func (p *passage) refusedByStore(ctx actor.Context, s messages.Stage, m *messages.Refused) {
	if m.ID == p.asked {
		p.fail(ctx, s, messages.Fail(messages.ReasonStoreTimeout, m.Text))
	}
}

// undelivered ends the flow whose question nobody took: the store is not there, and nothing is allowed without it.
func (p *passage) undelivered(ctx actor.Context, s messages.Stage, u *kit.Undelivered) {
	if q, ok := u.Message.(interface{ QuestionID() uint64 }); ok && q.QuestionID() == p.asked {
		p.fail(ctx, s, messages.Fail(messages.ReasonStoreTimeout, "nobody took the question of "+s.String()))
	}
}

// handOver tells the tunnel actor that the stage is done, and stops the stage.
func (p *passage) handOver(ctx actor.Context, s messages.Stage) {
	ctx.Send(ctx.Parent(), &messages.StageDone{Stage: s})
	ctx.Stop(ctx.Self())
}

// fail tells the tunnel actor that the stage ended the flow, and stops the stage.
func (p *passage) fail(ctx actor.Context, s messages.Stage, f *messages.Failure) {
	ctx.Send(ctx.Parent(), &messages.StageFailed{Stage: s, Failure: f})
	ctx.Stop(ctx.Self())
}

// answered marks a store's answer in the stage's span, with what it waited for.
func (p *passage) answered(store, question string, a *messages.Answer) {
	if p.marks == nil {
		return
	}
	attrs := []messages.Attr{
		messages.StringAttr(messages.AttrStore, store),
		messages.StringAttr(messages.AttrQuestion, question),
		messages.IntAttr(messages.AttrStoreVersion, int64(a.Version)),
	}
	if a.Asked > slowMailbox || a.Waited > slowMailbox {
		attrs = append(attrs, messages.IntAttr(messages.AttrMailboxWait, max(a.Asked, a.Waited).Microseconds()))
	}
	p.marks.Event(p.stage, messages.EventStoreAnswer, attrs...)
}

// waited marks a wait that ended now: a span when it was slow, which it returns, an event otherwise.
func (p *passage) waited(name messages.SpanName, held time.Duration) messages.SpanRef {
	switch {
	case p.marks == nil || held <= 0:
	case held > slowWait:
		now := time.Since(p.rec.Start)
		return p.marks.Span(name, p.stage, now-held, now)
	default:
		p.marks.Event(p.stage, messages.EventWait,
			messages.StringAttr(messages.AttrQuestion, name.String()), messages.IntAttr(messages.AttrWait, held.Microseconds()))
	}
	return messages.NoSpan
}
