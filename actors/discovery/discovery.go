package discovery

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
)

// RoleDiscovery is the actor's role.
const RoleDiscovery = "discovery"

// capacity bounds the mailbox: askers that demand resources are many at most.
const capacity = 4096

// roles are the stores in the order in which they are delivered everything.
var roles = []string{state.RoleWorkloads, state.RolePolicies, state.RoleServices}

// State is what is delivered.
type State struct {
	Workloads []messages.WorkloadUpdate
	Services  []messages.ServiceUpdate
	Policies  []*messages.Authorization
}

// Config is what discovery needs.
type Config struct {
	// State is the local source's. Source, where set, is asked at each delivery instead, on the actor's goroutine; then
	// there is no control plane.
	State  State
	Source func() State
	// Control is the control plane; nil for none.
	Control *Control
	// Memory is kept over the actor's lives; nil means that it begins anew with each Spec.
	Memory *Memory
	// Workloads, Services and Policies are the stores; Node hears when the first delivery is complete.
	Workloads, Services, Policies, Node *actor.PID
}

// discovery delivers the state.
type discovery struct {
	config   Config
	memory   *Memory
	delivery delivery
	control  *client // nil without a control plane
	// orders holds what the node has not answered; told says that it was told that the first state is there.
	orders kit.Orders
	told   bool
}

// Spec declares the actor.
func Spec(c Config) kit.Spec {
	memory := c.Memory
	if memory == nil {
		memory = NewMemory()
	}
	if c.Control != nil {
		c.Control = c.Control.normalized()
	}
	return kit.Spec{
		Role: RoleDiscovery, Capacity: capacity,
		New: func() actor.Actor {
			d := &discovery{config: c, memory: memory, delivery: delivery{open: map[uint64]string{}, pending: map[string]bool{}}}
			if c.Control != nil {
				d.control = newClient(c.Control)
			}
			return d
		},
	}
}

// Receive takes the actor's messages.
func (d *discovery) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		d.started(ctx)
	case *actor.Stopping, *actor.Restarting:
		d.ending(ctx)
	case *messages.StoreLost:
		d.storeLost(ctx, m)
	case *messages.Applied:
		d.applied(ctx, m)
	case *messages.DemandResource:
		d.demandResource(ctx, m)
	case *messages.StateNoted:
		d.orders.Done(m)
	case *kit.TooLate:
		d.orders.Repeat(ctx, m)
	case *kit.Undelivered:
		d.undelivered(ctx, m)
	case *redeliver:
		d.redeliver(ctx, m)
	case *overdue:
		d.overdue(ctx, m)
	case *opened:
		d.opened(ctx, m)
	case *received:
		d.received(ctx, m)
	case *sent:
		d.sent(ctx, m)
	case *reconnect:
		d.connect(ctx)
	case *silent:
		d.silent(ctx, m)
	case *demandDue:
		d.demandDue(ctx, m)
	default:
		kit.Unknown(ctx)
	}
}

// started delivers what there is, which after a crash is everything, and connects.
func (d *discovery) started(ctx actor.Context) {
	d.memory.base(d.config.State)
	for _, role := range roles {
		d.deliver(ctx, role)
	}
	if d.control != nil {
		d.connect(ctx)
	}
}

func (d *discovery) ending(ctx actor.Context) {
	if d.control != nil {
		d.control.close(ctx)
	}
}

// settled goes on when the stores have everything that they were told.
func (d *discovery) settled(ctx actor.Context) {
	if d.control != nil {
		d.finish(ctx)
		if !d.memory.synced(d.config.Control.OnDemand) {
			return
		}
	}
	if !d.told {
		d.told = true
		d.orders.Give(ctx, d.config.Node, tellAgain, func(q messages.Question) any { return &messages.StateDelivered{Question: q} })
	}
}

// state is what is to be delivered now.
func (d *discovery) state() State {
	if d.config.Source != nil {
		return d.config.Source()
	}
	return d.memory.state()
}
