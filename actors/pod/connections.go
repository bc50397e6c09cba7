package pod

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// RoleConnections is the role of the registry.
const RoleConnections = "connections"

// connections is the pod's registry: what it serves right now, for the admin page and for the policies that come later
// (spec/dataplane.md §8).
//
// A policy change makes it ask again for every inbound connection that it knows. The answers come one by one; those
// that are denied now are told to close, with the policy that closed them.
type connections struct {
	system   *kit.System
	policies *actor.PID
	open     map[string]*registered
	// asked numbers the questions of a re-evaluation; asking are the connections whose policies were asked for.
	asked  uint64
	asking map[uint64]*registered
}

// registered is one connection and its flow.
type registered struct {
	*messages.RegisterConnection
	flow *actor.PID
}

func connectionsSpec(system *kit.System, policies *actor.PID) kit.Spec {
	return kit.Spec{
		Role: RoleConnections, Capacity: podCapacity, Run: kit.CallerRuns(),
		New: func() actor.Actor {
			return &connections{
				system: system, policies: policies, open: map[string]*registered{}, asking: map[uint64]*registered{},
			}
		},
	}
}

// Receive takes the registry's messages.
func (c *connections) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(c.policies, &messages.WatchPolicies{})
	case *messages.RegisterConnection:
		c.registerConnection(ctx, m)
	case *messages.UnregisterConnection:
		delete(c.open, ctx.Sender().Id)
	case *messages.PoliciesChanged:
		c.policiesChanged(ctx)
	case *messages.PoliciesFound:
		c.policiesFound(ctx, m)
	case *messages.DumpConnections:
		c.dumpConnections(ctx, m)
	case *messages.Drain:
		// Connections that live through a drain are not asked about again.
		ctx.Request(c.policies, &messages.UnwatchPolicies{})
	case *actor.Stopping:
		ctx.Request(c.policies, &messages.UnwatchPolicies{})
	default:
		kit.Unknown(ctx)
	}
}

func (c *connections) registerConnection(ctx actor.Context, m *messages.RegisterConnection) {
	c.open[ctx.Sender().Id] = &registered{RegisterConnection: m, flow: ctx.Sender()}
}

// policiesChanged asks which policies apply now, once for each local workload that has inbound connections.
func (c *connections) policiesChanged(ctx actor.Context) {
	clear(c.asking)
	for _, r := range c.open {
		if r.Direction != messages.Inbound {
			continue
		}
		c.asked++
		c.asking[c.asked] = r
		q := &messages.FindPolicies{Workload: r.Local}
		q.Number(c.asked, c.system.Nanos())
		ctx.Request(c.policies, q)
	}
}

func (c *connections) policiesFound(ctx actor.Context, m *messages.PoliciesFound) {
	r, ok := c.asking[m.ID]
	if !ok {
		return // a newer change asked again
	}
	delete(c.asking, m.ID)
	if _, open := c.open[r.flow.Id]; !open {
		return
	}
	verdict := messages.Evaluate(m.Policies, &r.Connection)
	if verdict.Allowed {
		return
	}
	ctx.Send(r.flow, &messages.CloseFlow{
		Failure: messages.Fail(messages.ReasonPolicyChanged, "connection closed due to policy change"),
		Policy:  verdict.Policy,
	})
}

func (c *connections) dumpConnections(ctx actor.Context, m *messages.DumpConnections) {
	answer := &messages.ConnectionsDumped{Answer: messages.Answer{ID: m.ID}}
	for _, r := range c.open {
		answer.Connections = append(answer.Connections, *r.RegisterConnection)
	}
	ctx.Respond(answer)
}
