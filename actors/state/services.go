package state

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// services is the service store.
type services struct {
	keeper
	history *history
	table   *ServiceTable
	// workloads is who has the endpoints; after a restart they must be there too before anything is answered.
	workloads     func() *actor.PID
	servicesKnown bool
	endpointsOwed bool
	// endpointsComing says that a full delivery of them has begun.
	endpointsComing bool
	keepers         hostKeepers
}

// ServiceStore declares the service store: the only owner of services and their endpoints.
func ServiceStore(cfg Config) kit.Spec {
	keepers := hostKeepers{}
	return spec(RoleServices, cfg, func(cfg Config, h *history) actor.Actor {
		return &services{
			keeper:    newKeeper(RoleServices, cfg),
			history:   h,
			table:     NewServiceTable(cfg.Random),
			workloads: cfg.Workloads,
			keepers:   keepers,
		}
	})
}

// Receive takes updates and questions.
func (s *services) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.start(ctx)
	case *messages.UpdateServices:
		s.updateServices(ctx, m)
	case *messages.UpdateEndpoints:
		s.updateEndpoints(ctx, m)
	case *messages.FindUpstream:
		reply(&s.keeper, ctx, s.table, &m.Question, m, (*ServiceTable).FindUpstream)
	case *messages.FindDestination:
		reply(&s.keeper, ctx, s.table, &m.Question, m, (*ServiceTable).FindDestination)
	case *messages.FindAddress:
		reply(&s.keeper, ctx, s.table, &m.Question, m, (*ServiceTable).FindAddress)
	case *messages.FindHostname:
		reply(&s.keeper, ctx, s.table, &m.Question, m, (*ServiceTable).FindHostname)
	case *messages.FindHost:
		s.findHost(ctx, m)
	case *messages.IsGatewayOf:
		reply(&s.keeper, ctx, s.table, &m.Question, m, (*ServiceTable).IsGatewayOf)
	case *messages.FindInbound:
		reply(&s.keeper, ctx, s.table, &m.Question, m, (*ServiceTable).FindInbound)
	case *messages.DumpState:
		ctx.Respond(s.table.DumpState(m))
	case *actor.Terminated:
		delete(s.keepers, m.Who.Id)
	case *stillLost:
		s.stillLost(ctx)
	case *overdue:
		m.list.expire(ctx)
	default:
		kit.Unknown(ctx)
	}
}

func (s *services) start(ctx actor.Context) {
	s.keeper.started(ctx, s.history)
	s.table.version = s.history.version
	if s.restarted && s.workloads != nil {
		s.endpointsOwed = true
		s.tellLost(ctx, s.workloads)
	}
	s.hostsChanged(ctx)
}

func (s *services) updateServices(ctx actor.Context, u *messages.UpdateServices) {
	s.table.ApplyServices(u)
	s.servicesKnown = s.servicesKnown || s.delivered(u.Reset, u.More)
	s.complete(ctx)
	s.hostsChanged(ctx)
	s.history.applied(ctx, u.Delivery, s.table.Version())
}

func (s *services) updateEndpoints(ctx actor.Context, u *messages.UpdateEndpoints) {
	s.table.ApplyEndpoints(u)
	s.endpointsComing = s.endpointsComing || u.Reset
	if s.endpointsComing && !u.More {
		s.endpointsOwed, s.endpointsComing = false, false
	}
	s.complete(ctx)
	s.history.applied(ctx, u.Delivery, s.table.Version())
}

// stillLost tells the workload store again, too, that its endpoints are owed.
func (s *services) stillLost(ctx actor.Context) {
	if s.lost && s.endpointsOwed && !s.endpointsComing {
		s.tellLost(ctx, s.workloads)
	}
	s.keeper.stillLost(ctx)
}

// complete ends the loss when services and endpoints are there.
func (s *services) complete(ctx actor.Context) {
	if s.lost && s.servicesKnown && !s.endpointsOwed {
		s.found(ctx)
	}
}
