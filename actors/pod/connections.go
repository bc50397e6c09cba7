package pod

import (
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// RoleConnections is the role of the registry.
const RoleConnections = "connections"

// registry is what the pod serves right now. It outlives the actor that owns it, for the flows outlive its crashes.
type registry struct {
	open map[string]*registered
	// asked numbers the questions of a re-evaluation; seen is the version of the last policy change heard of.
	asked, seen uint64
}

// registered is one connection and its flow.
type registered struct {
	*messages.RegisterConnection
	flow *actor.PID
}

// connections is the pod's registry: what it serves right now, for the admin page and for the policies that come later
// (spec/dataplane.md §8).
//
// A policy change makes it ask again for every inbound connection that policy was asked about. The answers come one by
// one; those that are denied now are told to close, with the policy that closed them. A registry that was restarted asks
// as well: it may have missed a change.
type connections struct {
	system   *kit.System
	policies *actor.PID
	// denyUnknown is Settings.DenyUnknownPolicies.
	denyUnknown bool
	log         Log
	registry    *registry
	// asking are the connections whose policies were asked for.
	asking    map[uint64]*registered
	timer     *kit.Timer // of askAgain
	renewal   *kit.Timer // of watchAgain
	restarted bool
	draining  bool
}

// patience is how long the registry waits for the policy store before it turns to it again. renewal is after how long it
// subscribes again when nothing went wrong: a change of which the news got lost is heard of by then.
const (
	patience = time.Second
	renewal  = 10 * time.Second
)

// askAgain says that the questions up to a number should have been answered, watchAgain that it is time to subscribe
// again.
type (
	askAgain   struct{ asked uint64 }
	watchAgain struct{}
)

func connectionsSpec(system *kit.System, policies *actor.PID, denyUnknown bool, log Log) kit.Spec {
	r := &registry{open: map[string]*registered{}}
	starts := 0
	return kit.Spec{
		Role: RoleConnections, Capacity: podCapacity, Run: kit.CallerRuns(),
		New: func() actor.Actor {
			starts++
			return &connections{
				system: system, policies: policies, denyUnknown: denyUnknown, log: log, registry: r,
				asking: map[uint64]*registered{}, restarted: starts > 1,
			}
		},
	}
}

// Receive takes the registry's messages.
func (c *connections) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.started(ctx)
	case *messages.RegisterConnection:
		c.registerConnection(ctx, m)
	case *messages.UnregisterConnection:
		delete(c.registry.open, ctx.Sender().Id)
	case *messages.PoliciesChanged:
		c.registry.seen = max(c.registry.seen, m.Version)
		c.policiesChanged(ctx)
	case *messages.PoliciesFound:
		c.policiesFound(ctx, m)
	case *askAgain:
		c.askAgain(ctx, m)
	case *watchAgain:
		c.watchAgain(ctx)
	case *kit.Undelivered:
		c.undelivered(ctx, m)
	case *messages.Refused:
		delete(c.asking, m.ID) // the store tells of a change when it has its state back
	case *messages.DumpConnections:
		c.dumpConnections(ctx, m)
	case *messages.Drain:
		c.stopWatching()
		// Connections that live through a drain are not asked about again.
		c.draining = true
		ctx.Request(c.policies, &messages.UnwatchPolicies{})
	case *actor.Stopping:
		ctx.Request(c.policies, &messages.UnwatchPolicies{})
	default:
		kit.Unknown(ctx)
	}
}

func (c *connections) started(ctx actor.Context) {
	c.watch(ctx)
	if !c.restarted {
		return
	}
	c.policiesChanged(ctx)
}

// connectionRegistered is the answer to all of them.
var connectionRegistered = new(messages.ConnectionRegistered)

func (c *connections) registerConnection(ctx actor.Context, m *messages.RegisterConnection) {
	flow := ctx.Sender()
	if !c.isAlive(flow) {
		return // it has given up meanwhile, and will not say again that it ended
	}
	c.registry.open[flow.Id] = &registered{RegisterConnection: m, flow: flow}
	ctx.Respond(connectionRegistered)
}

func (c *connections) isAlive(flow *actor.PID) bool {
	_, alive := c.system.Actors().ProcessRegistry.Get(flow)
	return alive
}

// prune forgets the connections whose end was not told: the message over which the registry crashed may have been that.
func (c *connections) prune() {
	maps.DeleteFunc(c.registry.open, func(_ string, r *registered) bool { return !c.isAlive(r.flow) })
}

// policiesChanged asks which policies apply now to each inbound connection, in the order of their flows' names.
func (c *connections) policiesChanged(ctx actor.Context) {
	clear(c.asking)
	c.prune()
	for _, id := range slices.Sorted(maps.Keys(c.registry.open)) {
		if r := c.registry.open[id]; r.Direction == messages.Inbound && r.Local != nil {
			c.ask(ctx, r)
		}
	}
	c.awaitAnswers(ctx)
}

func (c *connections) ask(ctx actor.Context, r *registered) {
	c.registry.asked++
	c.asking[c.registry.asked] = r
	q := &messages.FindPolicies{Workload: r.Local}
	q.Number(c.registry.asked, c.system.Nanos())
	ctx.Request(c.policies, q)
}

// awaitAnswers lets what is not answered in time be asked again: a connection whose question got lost must not outlive
// the policy that allowed it.
func (c *connections) awaitAnswers(ctx actor.Context) {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if len(c.asking) > 0 {
		c.timer = kit.After(ctx, patience, &askAgain{c.registry.asked})
	}
}

func (c *connections) askAgain(ctx actor.Context, m *askAgain) {
	if m.asked != c.registry.asked {
		return // a newer change asked again
	}
	c.timer = nil
	for _, id := range slices.Sorted(maps.Keys(c.asking)) {
		r := c.asking[id]
		delete(c.asking, id)
		if c.registry.open[r.flow.Id] == r {
			c.ask(ctx, r)
		}
	}
	c.awaitAnswers(ctx)
}

// watch subscribes, or renews the subscription.
func (c *connections) watch(ctx actor.Context) {
	ctx.Request(c.policies, &messages.WatchPolicies{Seen: c.registry.seen})
	c.watchLater(ctx, renewal)
}

func (c *connections) watchLater(ctx actor.Context, d time.Duration) {
	c.stopWatching()
	c.renewal = kit.After(ctx, d, &watchAgain{})
}

func (c *connections) stopWatching() {
	if c.renewal != nil {
		c.renewal.Stop()
		c.renewal = nil
	}
}

// undelivered subscribes again soon when the store crashed over it. Questions are asked again by their own clock.
func (c *connections) undelivered(ctx actor.Context, m *kit.Undelivered) {
	if _, ok := m.Message.(*messages.WatchPolicies); ok && !c.draining {
		c.watchLater(ctx, patience)
	}
}

func (c *connections) watchAgain(ctx actor.Context) {
	if !c.draining {
		c.watch(ctx)
	}
}

func (c *connections) policiesFound(ctx actor.Context, m *messages.PoliciesFound) {
	r, ok := c.asking[m.ID]
	if !ok {
		return // a newer change asked again
	}
	delete(c.asking, m.ID)
	if len(c.asking) == 0 {
		c.awaitAnswers(ctx)
	}
	if c.registry.open[r.flow.Id] != r {
		return
	}
	verdict := messages.Evaluate(m.Policies, r.Connection)
	if verdict.Allowed && (!c.denyUnknown || len(m.Unknown) == 0) {
		return
	}
	c.log.PolicyClosed(r.Connection, r.Local.UID)
	ctx.Send(r.flow, &messages.CloseFlow{
		Failure: messages.Fail(messages.ReasonPolicyChanged, "connection closed due to policy change"),
		Policy:  verdict.Policy,
	})
}

func (c *connections) dumpConnections(ctx actor.Context, m *messages.DumpConnections) {
	c.prune()
	answer := &messages.ConnectionsDumped{Answer: messages.Answer{ID: m.ID}}
	for _, r := range c.registry.open {
		answer.Connections = append(answer.Connections, *r.RegisterConnection)
	}
	ctx.Respond(answer)
}
