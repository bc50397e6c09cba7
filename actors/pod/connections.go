package pod

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

// RoleConnections is the role of the registry.
const RoleConnections = "connections"

// registry is what the pod serves right now. It outlives the actor that owns it, for the flows outlive its crashes.
type registry struct {
	// open are the connections by the names of their flows, roll the inbound ones in order.
	open map[string]*registered
	roll roll
	// asked numbers the questions of reviews; seen is the version of the last policy change heard of.
	asked, seen uint64
	// local is the pod's workload as it was heard of last, nil before; localVersion is the store's that told of it.
	local        *messages.Workload
	localVersion uint64
	// unreviewed says that connections wait for local to be judged.
	unreviewed bool
}

// registered is one connection and its flow.
type registered struct {
	*messages.RegisterConnection
	flow *actor.PID
	// judged is the latest review that came to it; before and after are its neighbours in the roll. They belong to the
	// registry's actor.
	judged        uint64
	before, after *registered
}

// connections is the pod's registry: what it serves right now, for the admin page and for the policies that come later
// (spec/dataplane.md §8).
//
// A policy change, or one of the pod's workload that may alter which policies apply, makes it review all inbound
// connections; those that are denied now are told to close, with the policy that closed them. A registry that was restarted
// does so as well: it may have missed a change.
type connections struct {
	system    *kit.System
	telemetry *trace.Telemetry
	// The stores.
	workloads, policies *actor.PID

	settings  flow.Settings
	log       Log
	registry  *registry
	review    review
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

// watchAgain says that it is time to subscribe again.
type watchAgain struct{}

func connectionsSpec(d *flow.Deps, log Log) kit.Spec {
	r := &registry{open: map[string]*registered{}}
	starts := 0
	return kit.Spec{
		Role: RoleConnections, Capacity: podCapacity, Run: kit.CallerRuns(),
		New: func() actor.Actor {
			starts++
			return &connections{
				system: d.System, telemetry: d.Telemetry, workloads: d.Stores.Workloads, policies: d.Stores.Policies, settings: d.Settings, log: log,
				registry: r, restarted: starts > 1,
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
	case *askFlow:
		c.askFlow(ctx, m)
	case *messages.UnregisterConnection:
		c.forget(c.registry.open[ctx.Sender().Id])
	case *messages.PoliciesChanged:
		c.registry.seen = max(c.registry.seen, m.Version)
		c.reviewAll(ctx)
	case *messages.LocalWorkloadChanged:
		c.adopt(ctx, m.Workload, m.Version)
	case *messages.PoliciesFound:
		c.policiesFound(ctx, m)
	case *judged:
		c.judged(ctx, m)
	case *askAgain:
		c.askAgain(ctx, m)
	case *watchAgain:
		c.watchAgain(ctx)
	case *kit.Undelivered:
		c.undelivered(ctx, m)
	case *messages.Refused:
		c.refused(m)
	case *messages.DumpConnections:
		c.dumpConnections(ctx, m)
	case *messages.Drain:
		c.drain(ctx)
	case *actor.Stopping:
		c.unwatch(ctx)
	default:
		kit.Unknown(ctx)
	}
}

func (c *connections) started(ctx actor.Context) {
	c.watch(ctx)
	if !c.restarted {
		return
	}
	c.prune()
	c.reviewAll(ctx)
}

// connectionRegistered is the answer to all inbound ones.
var connectionRegistered = new(messages.ConnectionRegistered)

func (c *connections) registerConnection(ctx actor.Context, m *messages.RegisterConnection) {
	flow := ctx.Sender()
	if !c.isAlive(flow) {
		return // it has given up meanwhile, and will not say again that it ended
	}
	c.forget(c.registry.open[flow.Id]) // it may have said so twice
	r := &registered{RegisterConnection: m, flow: flow}
	c.registry.open[flow.Id] = r
	if m.Direction == messages.Inbound {
		c.registry.roll.enter(r)
		ctx.Respond(connectionRegistered) // an outbound flow does not wait: no policy is about it
	}
	switch {
	case m.Local == nil:
		return
	case m.Adopted && c.registry.local == nil:
		c.registry.unreviewed = true
		return
	case m.Adopted: // the other process's workload is no news: its versions are others
		c.reviewOne(ctx, r)
		return
	}
	c.adopt(ctx, m.Local, m.LocalVersion)
	if !m.Local.PolicedLike(c.registry.local) { // the flow was told of a workload that has changed since
		c.reviewOne(ctx, r)
	}
}

// adopt takes what is newer news of the pod's workload, and reviews the connections if it may alter what they may.
func (c *connections) adopt(ctx actor.Context, w *messages.Workload, version uint64) {
	old := c.registry.local
	if old != nil && version <= c.registry.localVersion {
		return
	}
	c.registry.local, c.registry.localVersion = w, version
	if old != nil && !old.PolicedLike(w) || c.registry.unreviewed {
		c.registry.unreviewed = false
		c.reviewAll(ctx)
	}
}

func (c *connections) isAlive(flow *actor.PID) bool {
	_, alive := c.system.Actors().ProcessRegistry.Get(flow)
	return alive
}

// forget takes a connection out; nil and one that is out already change nothing.
func (c *connections) forget(r *registered) {
	if r != nil && c.registry.open[r.flow.Id] == r {
		delete(c.registry.open, r.flow.Id)
		if r.Direction == messages.Inbound {
			c.registry.roll.leave(r)
		}
	}
}

// prune forgets the connections whose end was not told: the message over which the registry crashed may have been that.
func (c *connections) prune() {
	for _, r := range c.registry.open {
		if !c.isAlive(r.flow) {
			c.forget(r)
		}
	}
}

// watch subscribes, or renews the subscription.
func (c *connections) watch(ctx actor.Context) {
	ctx.Request(c.workloads, &messages.WatchLocalWorkload{Info: c.settings.Info, Seen: c.registry.localVersion})
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

// undelivered subscribes again soon when a store crashed over it. Questions are asked again by their own clock.
func (c *connections) undelivered(ctx actor.Context, m *kit.Undelivered) {
	switch m.Message.(type) {
	case *messages.WatchPolicies, *messages.WatchLocalWorkload:
		if !c.draining {
			c.watchLater(ctx, patience)
		}
	}
}

// drain stops reviewing: connections that live through a drain are not asked about again.
func (c *connections) drain(ctx actor.Context) {
	c.stopWatching()
	c.draining = true
	c.unwatch(ctx)
}

func (c *connections) unwatch(ctx actor.Context) {
	ctx.Request(c.policies, &messages.UnwatchPolicies{})
	ctx.Request(c.workloads, &messages.UnwatchLocalWorkload{})
}

func (c *connections) watchAgain(ctx actor.Context) {
	if !c.draining {
		c.watch(ctx)
	}
}

func (c *connections) dumpConnections(ctx actor.Context, m *messages.DumpConnections) {
	c.prune()
	answer := &messages.ConnectionsDumped{Answer: messages.Answer{ID: m.ID}}
	for _, r := range c.registry.open {
		answer.Connections = append(answer.Connections, *r.RegisterConnection)
	}
	ctx.Respond(answer)
}
