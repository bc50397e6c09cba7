package pod

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// openAgain is after how long a listener, or the DNS proxy, that has not said that it is open is told again.
const openAgain = time.Second

// opening is the opening of the doors.
type opening struct {
	begun  bool
	orders kit.Orders
	// asker is to hear when all are open, by its last question; nil when nobody waits.
	asker *actor.PID
	asked messages.Question
}

// startAccepting opens the doors, unless that is under way or they are closed for good. Whoever asked hears when all are
// open.
func (p *pod) startAccepting(ctx actor.Context, m *messages.StartAccepting) {
	o := &p.opening
	o.asker, o.asked = ctx.Sender(), m.Question
	if !o.begun && p.draining == nil {
		o.begun = true
		p.serveLocally(ctx)
		for i, l := range p.listeners {
			p.doors[i].open.Store(true)
			p.orderOpen(ctx, l)
		}
		if p.dns != nil {
			p.orderOpen(ctx, p.dns)
		}
	}
	p.checkOpen(ctx)
}

// orderOpen tells one of those who serve a socket to do so, until it answers.
func (p *pod) orderOpen(ctx actor.Context, to *actor.PID) {
	p.opening.orders.Give(ctx, to, openAgain, func(q messages.Question) any { return &messages.StartAccepting{Question: q} })
}

func (p *pod) acceptingStarted(ctx actor.Context, m *messages.AcceptingStarted) {
	if p.opening.orders.Done(m) {
		p.checkOpen(ctx)
	}
}

// checkOpen tells whoever asked when all doors are open.
func (p *pod) checkOpen(ctx actor.Context) {
	o := &p.opening
	if o.asker == nil || o.orders.Open() > 0 {
		return
	}
	ctx.Send(o.asker, &messages.AcceptingStarted{Answer: p.deps.System.Answer(&o.asked, 0)})
	o.asker = nil
}
