package discovery

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
)

// RoleDiscovery is the actor's role.
const RoleDiscovery = "discovery"

// chunk bounds how many resources one message carries, so that a store never holds up its askers for long.
const chunk = 500

// State is what is delivered.
type State struct {
	Workloads []messages.WorkloadUpdate
	Services  []messages.ServiceUpdate
	Policies  []*messages.Authorization
}

// Config is what discovery needs.
type Config struct {
	// State is the local source's. Source, where set, is asked at each delivery instead, on the actor's goroutine.
	State  State
	Source func() State
	// Workloads, Services and Policies are the stores; Node hears when the first delivery is complete.
	Workloads, Services, Policies, Node *actor.PID
}

// discovery delivers the local state.
type discovery struct {
	config Config
	// awaited counts the stores that have not yet acknowledged the first delivery.
	awaited int
	// pending are the stores that are to be delivered their state again.
	pending map[string]bool
	told    bool
}

// again is after how long what a store did not take in is delivered again.
const again = 100 * time.Millisecond

// redeliver says that it is time to do so.
type redeliver struct{ role string }

// Spec declares the actor.
func Spec(c Config) kit.Spec {
	return kit.Spec{
		Role: RoleDiscovery, Capacity: 1024,
		New: func() actor.Actor { return &discovery{config: c, pending: map[string]bool{}} },
	}
}

// Receive takes the actor's messages.
func (d *discovery) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		d.started(ctx)
	case *messages.StoreLost:
		d.storeLost(ctx, m)
	case *messages.Applied:
		d.applied(ctx)
	case *kit.Undelivered:
		d.undelivered(ctx, m)
	case *redeliver:
		d.redeliver(ctx, m)
	default:
		kit.Unknown(ctx)
	}
}

func (d *discovery) started(ctx actor.Context) {
	d.awaited = d.deliverWorkloads(ctx) + d.deliverPolicies(ctx) + d.deliverServices(ctx)
}

// storeLost delivers one store its state again; the service store gets its endpoints from the workload store.
func (d *discovery) storeLost(ctx actor.Context, m *messages.StoreLost) { d.deliver(ctx, m.Role) }

func (d *discovery) deliver(ctx actor.Context, role string) {
	switch role {
	case state.RoleWorkloads:
		d.awaited += d.deliverWorkloads(ctx)
	case state.RolePolicies:
		d.awaited += d.deliverPolicies(ctx)
	case state.RoleServices:
		d.awaited += d.deliverServices(ctx)
	}
}

// undelivered delivers again, a little later, what a store has not taken in.
func (d *discovery) undelivered(ctx actor.Context, m *kit.Undelivered) {
	var role string
	switch m.Message.(type) {
	case *messages.UpdateWorkloads:
		role = state.RoleWorkloads
	case *messages.UpdatePolicies:
		role = state.RolePolicies
	case *messages.UpdateServices:
		role = state.RoleServices
	default:
		return
	}
	d.awaited-- // never applied; the delivery that follows counts anew
	if !d.pending[role] {
		d.pending[role] = true
		kit.After(ctx, again, &redeliver{role})
	}
}

func (d *discovery) redeliver(ctx actor.Context, m *redeliver) {
	delete(d.pending, m.role)
	d.deliver(ctx, m.role)
}

// applied counts the chunks that the stores have taken in; after the last the state is there.
func (d *discovery) applied(ctx actor.Context) {
	d.awaited--
	if d.awaited <= 0 && len(d.pending) == 0 && !d.told {
		d.told = true
		ctx.Send(d.config.Node, &messages.StateDelivered{})
	}
}

// state is what is to be delivered now.
func (d *discovery) state() State {
	if d.config.Source != nil {
		return d.config.Source()
	}
	return d.config.State
}

func (d *discovery) deliverWorkloads(ctx actor.Context) int {
	return deliver(d.state().Workloads, func(part []messages.WorkloadUpdate, first, more bool) {
		ctx.Request(d.config.Workloads, &messages.UpdateWorkloads{Set: part, Reset: first, More: more})
	})
}

func (d *discovery) deliverPolicies(ctx actor.Context) int {
	return deliver(d.state().Policies, func(part []*messages.Authorization, first, more bool) {
		ctx.Request(d.config.Policies, &messages.UpdatePolicies{Set: part, Reset: first, More: more})
	})
}

func (d *discovery) deliverServices(ctx actor.Context) int {
	return deliver(d.state().Services, func(part []messages.ServiceUpdate, first, more bool) {
		ctx.Request(d.config.Services, &messages.UpdateServices{Set: part, Reset: first, More: more})
	})
}

// deliver sends everything in chunks, at least one, and returns how many.
func deliver[T any](all []T, send func(part []T, first, more bool)) int {
	if len(all) == 0 {
		send(nil, true, false)
		return 1
	}
	n, sent := 0, 0
	for part := range slices.Chunk(all, chunk) {
		sent += len(part)
		send(part, n == 0, sent < len(all))
		n++
	}
	return n
}
