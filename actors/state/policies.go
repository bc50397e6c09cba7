package state

import (
	"maps"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// maxWatchers bounds the subscribers to policy changes: a few for each pod of a node.
const maxWatchers = 4096

// watchers are who wants to hear of policy changes, by PID. They outlive the store's incarnations.
type watchers map[string]*actor.PID

// policies is the policy store.
type policies struct {
	keeper
	history  *history
	table    *PolicyTable
	watchers watchers
}

// PolicyStore declares the policy store: the only owner of policies.
func PolicyStore(cfg Config) kit.Spec {
	w := watchers{}
	return spec(RolePolicies, cfg, func(cfg Config, h *history) actor.Actor {
		return &policies{
			keeper: newKeeper(RolePolicies, cfg), history: h, table: NewPolicyTable(), watchers: w,
		}
	})
}

// Receive takes updates, questions and subscriptions.
func (s *policies) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.start(ctx)
	case *messages.UpdatePolicies:
		s.update(ctx, m)
	case *messages.FindPolicies:
		reply(&s.keeper, ctx, s.table, &m.Question, m, (*PolicyTable).FindPolicies)
	case *messages.DumpState:
		ctx.Respond(s.table.DumpState(m))
	case *messages.WatchPolicies:
		s.watch(ctx, m)
	case *messages.UnwatchPolicies:
		s.unwatch(ctx, ctx.Sender())
	case *actor.Terminated:
		delete(s.watchers, m.Who.String())
	case *stillLost:
		s.stillLost(ctx)
	case *overdue:
		m.list.expire(ctx)
	default:
		kit.Unknown(ctx)
	}
}

func (s *policies) start(ctx actor.Context) {
	s.started(ctx, s.history)
	s.table.version = s.history.version
}

func (s *policies) update(ctx actor.Context, u *messages.UpdatePolicies) {
	s.table.Apply(u)
	if s.delivered(u.Reset, u.More) {
		s.found(ctx)
	}
	if !s.lost && !u.More {
		for _, name := range slices.Sorted(maps.Keys(s.watchers)) {
			ctx.Send(s.watchers[name], &messages.PoliciesChanged{Version: s.table.Version()})
		}
	}
	s.history.applied(ctx, u.Delivery, s.table.Version())
}

// watch subscribes the sender until it says otherwise or ends, and tells it what it has missed.
func (s *policies) watch(ctx actor.Context, m *messages.WatchPolicies) {
	who := ctx.Sender()
	if who == nil {
		return
	}
	if !s.lost && m.Seen < s.table.Version() {
		ctx.Send(who, &messages.PoliciesChanged{Version: s.table.Version()})
	}
	if _, known := s.watchers[who.String()]; known {
		return
	}
	if len(s.watchers) >= maxWatchers {
		s.counters.WatchersRefused.Add(1)
		return
	}
	s.watchers[who.String()] = who
	ctx.Watch(who)
}

func (s *policies) unwatch(ctx actor.Context, who *actor.PID) {
	if who == nil {
		return
	}
	delete(s.watchers, who.String())
	ctx.Unwatch(who)
}
