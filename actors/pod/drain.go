package pod

import (
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// drain is a drain under way. Ended are the flows that have ended since it began, cut those of them that had to be.
type drain struct {
	askers     []*actor.PID
	ended, cut int
	isCut      bool
	// sessionsCut says that the tunnels were told, too, after what is in them.
	sessionsCut bool
	done        bool
	dns         bool // its DNS proxy has not drained
	timer       *kit.Timer
	marks       messages.Recorder // of the drain's own trace
}

// flowsWithin is how long the tunnels are left open for the peers to hear why what is in them was cut.
const flowsWithin = time.Second

// drainExpired says that a graceful drain took too long, flowsOverdue that flows took too long to end.
type (
	drainExpired struct{}
	flowsOverdue struct{}
)

// errDrained is why a connection is cut, or not taken any more.
var errDrained = messages.Fail(messages.ReasonDrained, "connection closed due to connection drain")

// drain closes the doors and waits for what is inside (spec/dataplane.md §10.2). An immediate drain ends the patience of
// a graceful one. Who asks again makes up for what got lost on the way to those who close them.
func (p *pod) drain(ctx actor.Context, m *messages.Drain) {
	first := p.draining == nil
	if first {
		p.draining = &drain{}
		p.deps.Telemetry.StartRecorder(&p.draining.marks)
		p.draining.marks.BeginAt(messages.SpanDrain, messages.NoSpan, 0)
	}
	asker := ctx.Sender()
	if asker != nil && !slices.ContainsFunc(p.draining.askers, asker.Equal) {
		p.draining.askers = append(p.draining.askers, asker)
	}
	if first {
		p.opening.orders.Forget()
		if locals := p.deps.Stores.LocalPods; locals != nil {
			ctx.Request(locals, &messages.PodLeaves{})
		}
	}
	for _, l := range p.listeners {
		ctx.Send(l, m)
	}
	ctx.Send(p.deps.Connections, m)
	if first || p.draining.dns {
		p.drainDNS(ctx, m)
	}
	switch {
	case m.Mode == messages.DrainImmediate:
		p.cut(ctx)
	case first:
		for _, s := range sorted(p.sessions) {
			ctx.Send(s, m)
		}
		p.draining.timer = kit.After(ctx, m.Deadline, &drainExpired{})
	}
	p.checkDrained(ctx)
}

// drainExpired ends the patience.
func (p *pod) drainExpired(ctx actor.Context) {
	if n := len(p.flows) + len(p.sessions); n > 0 {
		p.config.Log.DrainExpired(n)
	}
	p.cut(ctx)
	p.checkDrained(ctx)
}

// cut ends every flow that is left, and then the sessions: the other way round it were chance whether a peer hears that its
// streams were reset or that its tunnel was lost.
func (p *pod) cut(ctx actor.Context) {
	if p.draining.isCut {
		return
	}
	p.draining.isCut, p.draining.cut = true, len(p.flows)
	for _, f := range sorted(p.flows) {
		ctx.Send(f, &messages.CloseFlow{Failure: errDrained})
	}
	if p.draining.dns {
		p.drainDNS(ctx, &messages.Drain{Mode: messages.DrainImmediate})
	}
	if len(p.flows) > 0 {
		kit.After(ctx, flowsWithin, &flowsOverdue{})
	}
	p.cutSessions(ctx, false)
}

// cutSessions ends the sessions when no flow is left, or overdue.
func (p *pod) cutSessions(ctx actor.Context, overdue bool) {
	d := p.draining
	if d == nil || !d.isCut || d.sessionsCut || len(p.flows) > 0 && !overdue {
		return
	}
	d.sessionsCut = true
	for _, s := range sorted(p.sessions) {
		ctx.Send(s, &messages.Drain{Mode: messages.DrainImmediate})
	}
}

// isCut reports whether nothing is taken any more.
func (p *pod) isCut() bool { return p.draining != nil && p.draining.isCut }

// checkDrained tells who asked when nothing is left, and lets the tunnels go.
func (p *pod) checkDrained(ctx actor.Context) {
	d := p.draining
	if d == nil || d.dns || len(p.flows)+len(p.sessions) > 0 {
		return
	}
	if !d.done {
		d.done = true
		if d.timer != nil {
			d.timer.Stop()
		}
		ctx.Send(p.deps.Pool, &messages.Drain{})
		ctx.Send(p.deps.SOCKSPool, &messages.Drain{})
		for _, door := range p.doors {
			p.config.Log.ShutdownComplete(door.Entrance)
		}
		attrs := []messages.Attr{
			messages.IntAttr(messages.AttrDrainEnded, int64(d.ended-d.cut)), messages.IntAttr(messages.AttrDrainCut, int64(d.cut)),
		}
		if p.giving != nil {
			attrs = append(attrs, p.giving.report.Attributes(time.Now())...)
		}
		p.deps.Telemetry.RootTrace(&d.marks, nil, attrs...)
	}
	for _, asker := range d.askers {
		ctx.Request(asker, &messages.Drained{Ended: d.ended - d.cut, Cut: d.cut}) // with the pod as sender: who asks may ask several
	}
	d.askers = nil
}

// sorted are actors in the order of their names, so that a map does not decide who hears first.
func sorted(actors map[string]*actor.PID) []*actor.PID {
	all := make([]*actor.PID, 0, len(actors))
	for _, name := range slices.Sorted(maps.Keys(actors)) {
		all = append(all, actors[name])
	}
	return all
}
