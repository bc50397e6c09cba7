package pods

import (
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// drain drains all proxies at once, each with the whole deadline (spec/ops.md §2.5), and waits for those that are leaving.
// A second drain may be less patient than the first.
func (p *pods) drain(ctx actor.Context, m *messages.Drain) {
	d := p.memory.drain
	if d == nil {
		d = &drain{waiting: map[string]struct{}{}, over: map[string]struct{}{}}
		p.memory.drain = d
	}
	d.mode, d.until = m.Mode, time.Now().Add(m.Deadline)
	if asker := ctx.Sender(); asker != nil && !slices.ContainsFunc(d.askers, asker.Equal) {
		d.askers = append(d.askers, asker)
	}
	p.drainAll(ctx)
}

// message is what a proxy is told: who hears of the drain late has less time.
func (d *drain) message() *messages.Drain {
	return &messages.Drain{Mode: d.mode, Deadline: max(time.Until(d.until), 0)}
}

// drainAll tells all that have not drained.
func (p *pods) drainAll(ctx actor.Context) {
	d := p.memory.drain
	m := d.message()
	for _, name := range slices.Sorted(maps.Keys(p.memory.proxies)) {
		one := p.memory.proxies[name]
		if _, over := d.over[one.pid.Id]; !over {
			d.waiting[one.pid.Id] = struct{}{}
			ctx.Request(one.pid, m)
		}
	}
	if len(d.waiting) > 0 {
		p.tellAgain(ctx)
	}
	p.checkDrained(ctx)
}

// drained is told by a proxy that nothing of it is left. One that is leaving is stopped then.
func (p *pods) drained(ctx actor.Context, m *messages.Drained) {
	from := ctx.Sender()
	if from == nil {
		return
	}
	if d := p.memory.drain; d != nil {
		if _, ok := d.waiting[from.Id]; ok {
			delete(d.waiting, from.Id)
			d.over[from.Id] = struct{}{}
			d.total.Ended += m.Ended
			d.total.Cut += m.Cut
			p.checkDrained(ctx)
		}
		return
	}
	for _, one := range p.memory.proxies {
		if one.leaving && one.pid.Id == from.Id {
			ctx.Stop(one.pid)
			return
		}
	}
}

func (p *pods) checkDrained(ctx actor.Context) {
	d := p.memory.drain
	if len(d.waiting) > 0 {
		return
	}
	for _, asker := range d.askers {
		total := d.total
		ctx.Request(asker, &total) // with us as sender: who asks may ask several
	}
	d.askers = nil
}

// drainAgain says that a drain may have got lost.
type drainAgain struct{}

// undelivered sees to a proxy that crashed over a drain; its restarts get slower while it does.
func (p *pods) undelivered(ctx actor.Context, m *kit.Undelivered) {
	if _, ok := m.Message.(*messages.Drain); ok {
		kit.After(ctx, soon, &drainAgain{})
	}
}

// tellAgain has those that have not ended told once more after a while.
func (p *pods) tellAgain(ctx actor.Context) {
	if p.again == nil {
		p.again = kit.After(ctx, leaveWithin, &drainAgain{})
	}
}

// drainAgain tells those that have not ended once more.
func (p *pods) drainAgain(ctx actor.Context) {
	if p.again != nil {
		p.again.Stop()
		p.again = nil
	}
	m := &messages.Drain{Mode: messages.DrainImmediate}
	d, again := p.memory.drain, false
	if d != nil {
		m = d.message()
	}
	for _, name := range slices.Sorted(maps.Keys(p.memory.proxies)) {
		one := p.memory.proxies[name]
		waited := false
		if d != nil {
			_, waited = d.waiting[one.pid.Id]
		}
		if one.leaving || waited {
			ctx.Request(one.pid, m)
			again = true
		}
	}
	if again {
		p.tellAgain(ctx)
	}
}
