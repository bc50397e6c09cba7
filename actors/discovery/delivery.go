package discovery

import (
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
)

// chunk bounds how many resources one message carries, so that a store never holds up its askers for long.
const chunk = 500

// again is after how long what a store did not take in is delivered again, patience how long the stores may acknowledge
// nothing before everything that they owe an answer for is. tellAgain is after how long the node is told again that the
// first state is there.
const (
	again     = 100 * time.Millisecond
	patience  = 5 * time.Second
	tellAgain = time.Second
)

// delivery is what is on its way to the stores.
type delivery struct {
	// open are the messages that no store has acknowledged, and whom they are for.
	open map[uint64]string
	// heard counts the acknowledgements; waiting says that somebody looks whether they come.
	heard   uint64
	waiting bool
	// pending are the stores that are to be delivered everything again.
	pending map[string]bool
}

// redeliver says that it is time to do so.
type redeliver struct{ role string }

// overdue says that the next acknowledgement after so many should have come.
type overdue struct{ heard uint64 }

// settled reports whether the stores have everything.
func (d *delivery) settled() bool { return len(d.open) == 0 && len(d.pending) == 0 }

// skipped reports whether a message to a store that was sent before the number is open.
func (d *delivery) skipped(role string, number uint64) bool {
	for n, to := range d.open {
		if n < number && to == role {
			return true
		}
	}
	return false
}

// number is what the next message to a store is told back by.
func (d *discovery) number(ctx actor.Context, role string) uint64 {
	d.memory.numbered++
	d.delivery.open[d.memory.numbered] = role
	if !d.delivery.waiting {
		d.delivery.waiting = true
		kit.After(ctx, patience, &overdue{d.delivery.heard})
	}
	return d.memory.numbered
}

// overdue delivers everything again to the stores that say nothing any more: a message to them may be lost, or what they
// said to it. A policy of which a store never heard would allow wrongly.
func (d *discovery) overdue(ctx actor.Context, m *overdue) {
	d.delivery.waiting = false
	switch {
	case len(d.delivery.open) == 0:
		return
	case d.delivery.heard == m.heard:
		silent := map[string]bool{}
		for _, role := range d.delivery.open {
			silent[role] = true
		}
		for _, role := range roles {
			if silent[role] {
				d.abandon(role)
				d.deliver(ctx, role)
			}
		}
		return
	}
	d.delivery.waiting = true
	kit.After(ctx, patience, &overdue{d.delivery.heard})
}

// abandon awaits nothing of a store any more.
func (d *discovery) abandon(role string) {
	maps.DeleteFunc(d.delivery.open, func(_ uint64, to string) bool { return to == role })
}

// storeLost delivers one store its state again; the service store gets its endpoints from the workload store.
func (d *discovery) storeLost(ctx actor.Context, m *messages.StoreLost) { d.deliver(ctx, m.Role) }

// deliver tells a store everything, and that there is nothing else.
func (d *discovery) deliver(ctx actor.Context, role string) {
	switch s := d.state(); role {
	case state.RoleWorkloads:
		d.sendWorkloads(ctx, s.Workloads, true)
	case state.RolePolicies:
		d.sendPolicies(ctx, s.Policies, true)
	case state.RoleServices:
		d.sendServices(ctx, s.Services, true)
	}
}

// deliverChanges tells the stores what changed: what came in the order workloads, policies, services, and then what has gone
// in the reverse, so that every state between is usable.
func (d *discovery) deliverChanges(ctx actor.Context, c *changes) {
	if len(c.Workloads) > 0 {
		d.sendWorkloads(ctx, c.Workloads, false)
	}
	if len(c.Policies) > 0 {
		d.sendPolicies(ctx, c.Policies, false)
	}
	if len(c.Services) > 0 {
		d.sendServices(ctx, c.Services, false)
	}
	eachPart(c.goneServices, func(part []messages.NamespacedHostname, _, more bool) {
		ctx.Request(d.config.Services, &messages.UpdateServices{Delivery: d.number(ctx, state.RoleServices), Remove: part, More: more})
	})
	eachPart(c.gonePolicies, func(part []string, _, more bool) {
		ctx.Request(d.config.Policies, &messages.UpdatePolicies{Delivery: d.number(ctx, state.RolePolicies), Remove: part, More: more})
	})
	eachPart(c.goneWorkloads, func(part []string, _, more bool) {
		ctx.Request(d.config.Workloads, &messages.UpdateWorkloads{Delivery: d.number(ctx, state.RoleWorkloads), Remove: part, More: more})
	})
}

func (d *discovery) sendWorkloads(ctx actor.Context, all []messages.WorkloadUpdate, reset bool) {
	atLeastOnePart(all, func(part []messages.WorkloadUpdate, first, more bool) {
		ctx.Request(d.config.Workloads, &messages.UpdateWorkloads{Delivery: d.number(ctx, state.RoleWorkloads), Set: part, Reset: reset && first, More: more})
	})
}

func (d *discovery) sendPolicies(ctx actor.Context, all []*messages.Authorization, reset bool) {
	atLeastOnePart(all, func(part []*messages.Authorization, first, more bool) {
		ctx.Request(d.config.Policies, &messages.UpdatePolicies{Delivery: d.number(ctx, state.RolePolicies), Set: part, Reset: reset && first, More: more})
	})
}

func (d *discovery) sendServices(ctx actor.Context, all []messages.ServiceUpdate, reset bool) {
	atLeastOnePart(all, func(part []messages.ServiceUpdate, first, more bool) {
		ctx.Request(d.config.Services, &messages.UpdateServices{Delivery: d.number(ctx, state.RoleServices), Set: part, Reset: reset && first, More: more})
	})
}

// undelivered delivers again, a little later, what a store has not taken in.
func (d *discovery) undelivered(ctx actor.Context, m *kit.Undelivered) {
	var role string
	var number uint64
	switch u := m.Message.(type) {
	case *messages.UpdateWorkloads:
		role, number = state.RoleWorkloads, u.Delivery
	case *messages.UpdatePolicies:
		role, number = state.RolePolicies, u.Delivery
	case *messages.UpdateServices:
		role, number = state.RoleServices, u.Delivery
	default:
		return
	}
	delete(d.delivery.open, number)
	d.deliverSoon(ctx, role)
}

// deliverSoon delivers a store everything again, a little later.
func (d *discovery) deliverSoon(ctx actor.Context, role string) {
	if !d.delivery.pending[role] {
		d.delivery.pending[role] = true
		kit.After(ctx, again, &redeliver{role})
	}
}

func (d *discovery) redeliver(ctx actor.Context, m *redeliver) {
	delete(d.delivery.pending, m.role)
	d.deliver(ctx, m.role)
}

// applied notes what a store has taken in. A store does so in the order of the messages: what it was told before and has not
// acknowledged is lost.
func (d *discovery) applied(ctx actor.Context, m *messages.Applied) {
	role, ok := d.delivery.open[m.Delivery]
	if !ok {
		return // told to an earlier life
	}
	delete(d.delivery.open, m.Delivery)
	d.delivery.heard++
	if d.delivery.skipped(role, m.Delivery) {
		d.abandon(role)
		d.deliverSoon(ctx, role)
	}
	if d.delivery.settled() {
		d.settled(ctx)
	}
}

// eachPart visits all in chunks; nothing is no chunk.
func eachPart[T any](all []T, send func(part []T, first, more bool)) {
	sent := 0
	for part := range slices.Chunk(all, chunk) {
		first := sent == 0
		sent += len(part)
		send(part, first, sent < len(all))
	}
}

// atLeastOnePart is eachPart in which nothing is one empty chunk.
func atLeastOnePart[T any](all []T, send func(part []T, first, more bool)) {
	if len(all) == 0 {
		send(nil, true, false)
		return
	}
	eachPart(all, send)
}
