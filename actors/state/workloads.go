package state

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

const (
	// maxWaiting bounds the questions for local workloads that have not arrived.
	maxWaiting = 1024
	// longestWait bounds how long one may be held.
	longestWait = time.Minute
	// endpointChunk bounds the workloads of one UpdateEndpoints.
	endpointChunk = 1024
)

// workloads is the workload store.
type workloads struct {
	keeper
	history  *history
	table    *WorkloadTable
	services func() *actor.PID
	// certificates is nil where nobody's certificate is fetched in advance.
	certificates func() *actor.PID
	// owesAll says that the service store must get every workload when they are all there.
	owesAll bool
	// passing are the uids that it must still get of a full delivery that goes on; nil when none does.
	passing []string
	passage passage
	waiting waitlist
	locals  localWatchers
}

// WorkloadStore declares the workload store: the only owner of workloads.
func WorkloadStore(cfg Config) kit.Spec {
	l := localWatchers{}
	return spec(RoleWorkloads, cfg, func(cfg Config, h *history) actor.Actor {
		return &workloads{
			keeper:   newKeeper(RoleWorkloads, cfg),
			history:  h,
			table:    NewWorkloadTable(cfg.Node),
			services: cfg.Services,
			passage:  passage{open: map[uint64]struct{}{}},

			certificates: cfg.Certificates,
			waiting:      waitlist{limit: maxWaiting},
			locals:       l,
		}
	})
}

// Receive takes updates and questions.
func (s *workloads) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.start(ctx)
	case *messages.UpdateWorkloads:
		s.update(ctx, m)
	case *messages.FindAddress:
		reply(&s.keeper, ctx, s.table, &m.Question, m, (*WorkloadTable).FindAddress)
	case *messages.FindHostname:
		reply(&s.keeper, ctx, s.table, &m.Question, m, (*WorkloadTable).FindHostname)
	case *messages.FindWorkload:
		reply(&s.keeper, ctx, s.table, &m.Question, m, (*WorkloadTable).FindWorkload)
	case *messages.FindLocalWorkload:
		s.findLocal(ctx, m)
	case *messages.DumpState:
		ctx.Respond(s.table.DumpState(m))
	case *messages.WatchLocalWorkload:
		s.watchLocal(ctx, m)
	case *messages.UnwatchLocalWorkload:
		s.unwatchLocal(ctx, ctx.Sender())
	case *actor.Terminated:
		delete(s.locals, m.Who.String())
	case *messages.StoreLost:
		s.servicesLost(ctx)
	case *messages.Applied:
		s.passed(ctx, m)
	case *unheard:
		s.unheard(ctx, m)
	case *passAnew:
		s.passAnew(ctx)
	case *kit.Undelivered:
		s.undelivered(m)
	case *passNext:
		s.passNext(ctx)
	case *stillLost:
		s.stillLost(ctx)
	case *overdue:
		m.list.expire(ctx)
	default:
		kit.Unknown(ctx)
	}
}

func (s *workloads) start(ctx actor.Context) {
	s.keeper.started(ctx, s.history)
	s.table.version = s.history.version
	s.owesAll = s.restarted
}

func (s *workloads) update(ctx actor.Context, u *messages.UpdateWorkloads) {
	reset := s.table.Apply(u)
	found := s.delivered(u.Reset, u.More)
	if !s.owesAll {
		s.passOn(ctx, u, reset)
	}
	s.passCertificates(ctx)
	if found {
		s.found(ctx)
	}
	if s.owesAll && !s.lost {
		s.passOnAll(ctx)
	}
	if len(u.Set) > 0 {
		s.waiting.release(ctx)
	}
	s.tellLocals(ctx)
	s.history.applied(ctx, u.Delivery, s.table.Version())
}

// passOn tells the service store what changed, removals first.
func (s *workloads) passOn(ctx actor.Context, u *messages.UpdateWorkloads, reset []string) {
	if s.services == nil {
		return
	}
	remove := u.Remove
	if len(reset) > 0 {
		remove = append(append([]string(nil), reset...), u.Remove...)
	}
	set := u.Set
	for {
		e := &messages.UpdateEndpoints{Remove: remove[:min(len(remove), endpointChunk)]}
		remove = remove[len(e.Remove):]
		if len(remove) == 0 {
			e.Set = set[:min(len(set), endpointChunk)]
			set = set[len(e.Set):]
		}
		e.More = u.More || len(remove) > 0 || len(set) > 0 || s.passing != nil
		s.passEndpoints(ctx, e)
		if len(remove) == 0 && len(set) == 0 {
			return
		}
	}
}

// passNext is what the store sends itself in the course of a full delivery to the service store, so that its askers get
// their turn between the chunks.
type passNext struct{}

// AlwaysAdmitted says that there is at most one for each full delivery.
func (*passNext) AlwaysAdmitted() {}

// passOnAll tells the service store every workload, and that there are no others, chunk by chunk. Changes that come
// meanwhile are passed on as always.
func (s *workloads) passOnAll(ctx actor.Context) {
	s.owesAll = false
	if s.services == nil {
		return
	}
	begun := s.passing != nil
	s.passing = s.table.uids()
	s.pass(ctx, true)
	if !begun && s.passing != nil {
		ctx.Send(ctx.Self(), &passNext{})
	}
}

func (s *workloads) passNext(ctx actor.Context) {
	if s.passing == nil {
		return // begun by an earlier incarnation
	}
	s.pass(ctx, false)
	if s.passing != nil {
		ctx.Send(ctx.Self(), &passNext{})
	}
}

// pass sends one chunk of a full delivery; workloads that were removed since are not in it.
func (s *workloads) pass(ctx actor.Context, first bool) {
	part := s.passing[:min(len(s.passing), endpointChunk)]
	s.passing = s.passing[len(part):]
	e := &messages.UpdateEndpoints{Reset: first, More: len(s.passing) > 0, Set: s.table.some(part)}
	if !e.More {
		s.passing = nil
	}
	s.passEndpoints(ctx, e)
}

func (s *workloads) servicesLost(ctx actor.Context) {
	s.owesAll = true
	if !s.lost {
		s.passOnAll(ctx)
	}
}

// findLocal answers when the pod's workload is there, or when the asker's patience is over.
func (s *workloads) findLocal(ctx actor.Context, q *messages.FindLocalWorkload) {
	system := kit.SystemOf(ctx)
	asked := system.Nanos()
	local := func(w *messages.Workload) *messages.LocalWorkloadFound {
		return &messages.LocalWorkloadFound{Answer: answer(&q.Question, s.table.Version()), Workload: w}
	}
	if w := s.table.Local(q.Info); w != nil || q.Wait <= 0 {
		ctx.Respond(local(w))
		return
	}
	held := func(w *messages.Workload) any {
		a := local(w)
		a.Held = time.Duration(system.Nanos() - asked)
		return a
	}
	arrived := func() any {
		if w := s.table.Local(q.Info); w != nil {
			return held(w)
		}
		return nil
	}
	if !s.waiting.add(ctx, min(q.Wait, longestWait), arrived, func() any { return held(nil) }) {
		s.counters.NotWaited.Add(1)
		ctx.Respond(local(nil))
	}
}
