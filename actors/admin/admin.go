package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
)

// Role is the actor's role.
const Role = "admin"

const (
	mailboxCapacity = 1024
	// reopenAfter is how long the actor waits before it tries again to open listeners that it lost by a crash.
	reopenAfter = time.Second
)

// Deps is what the admin actor needs.
type Deps struct {
	Log *logs.Logs
	// Start is when the process began; the completion of tasks is logged with the time since.
	Start time.Time
	// Tasks are the tasks that readiness waits for from the beginning.
	Tasks []string
	// Warnings says what will go wrong with a node that is ready, for the readiness page. It is called for each request, on the
	// request's own goroutine, and must answer within a fraction of a second. Nil is for a node without warnings.
	Warnings func(context.Context) []string
}

// Serve hands an endpoint over; it belongs to the actor from then on. A nil Handler means the readiness page.
type Serve struct {
	Endpoint *Endpoint
	Handler  http.Handler
}

// Undeliver closes the endpoint's listeners.
func (s *Serve) Undeliver() { s.Endpoint.Close() }

// serverEnded says that a server is over; Err is why it could not open its listeners.
type serverEnded struct {
	server *server
	err    error
}

// reopen asks to try a server again.
type reopen struct{ server *server }

// admin owns the servers and the tasks. memory outlives a crash; the servers' goroutines don't.
type admin struct {
	memory  *memory
	running int
}

// memory is what the actor knows. Only the living actor uses it.
type memory struct {
	deps     Deps
	log      *logs.Logger
	tasks    *tasks
	servers  []*server
	draining bool
	waiting  []*actor.PID
	ended    int
}

// Spec declares the admin actor. It handles Serve, AwaitTask, TaskCompleted, FindPendingTasks and Drain.
func Spec(d Deps) kit.Spec {
	m := &memory{
		deps:  d,
		log:   d.Log.Scope("ztunnel::admin"),
		tasks: newTasks(d.Tasks, d.Start, d.Log.Scope("ztunnel::readiness")),
	}
	return kit.Spec{
		Role:     Role,
		New:      func() actor.Actor { return &admin{memory: m} },
		Capacity: mailboxCapacity,
	}
}

// Receive handles one message.
func (a *admin) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.started(ctx)
	case *Serve:
		a.serve(ctx, m)
	case *messages.AwaitTask:
		a.memory.tasks.await(m.Name)
	case *messages.TaskCompleted:
		a.taskCompleted(ctx, m)
	case *messages.FindPendingTasks:
		a.pending(ctx, m)
	case *messages.Drain:
		a.drain(ctx, m)
	case *serverEnded:
		a.serverEnded(ctx, m)
	case *reopen:
		a.reopen(ctx, m)
	default:
		kit.Unknown(ctx)
	}
}

// started serves again what was served before a crash.
func (a *admin) started(ctx actor.Context) {
	if a.memory.draining {
		a.drained(ctx)
		return
	}
	for _, s := range a.memory.servers {
		a.run(ctx, s)
	}
}

func (a *admin) serve(ctx actor.Context, m *Serve) {
	if a.memory.draining {
		m.Endpoint.Close()
		return
	}
	handler := m.Handler
	if handler == nil {
		handler = readinessHandler(kit.SystemOf(ctx), ctx.Self(), a.memory.deps.Warnings)
	}
	s := newServer(m.Endpoint, handler, a.memory.deps.Log)
	a.memory.servers = append(a.memory.servers, s)
	a.run(ctx, s)
}

// run serves on a goroutine that ends with the actor.
func (a *admin) run(ctx actor.Context, s *server) {
	a.running++
	kit.Go(ctx, func(life context.Context) any { return &serverEnded{s, s.run(life)} })
}

func (a *admin) reopen(ctx actor.Context, m *reopen) {
	if !a.memory.draining {
		a.run(ctx, m.server)
	}
}

func (a *admin) pending(ctx actor.Context, m *messages.FindPendingTasks) {
	ctx.Respond(&messages.PendingTasksFound{
		Answer: kit.SystemOf(ctx).Answer(&m.Question, 0),
		Tasks:  a.memory.tasks.names(),
	})
}

func (a *admin) taskCompleted(ctx actor.Context, m *messages.TaskCompleted) {
	a.memory.tasks.complete(m.Name)
	if ctx.Sender() != nil {
		ctx.Respond(&messages.TaskNoted{Answer: kit.SystemOf(ctx).Answer(&m.Question, 0)})
	}
}

// drain closes the listeners at once and gives running requests the deadline's time.
func (a *admin) drain(ctx actor.Context, m *messages.Drain) {
	if ctx.Sender() != nil {
		a.memory.waiting = append(a.memory.waiting, ctx.Sender())
	}
	if !a.memory.draining {
		a.memory.draining = true
		patience := m.Deadline
		if m.Mode == messages.DrainImmediate {
			patience = 0
		}
		for _, s := range a.memory.servers {
			s.drain <- patience
		}
	}
	if a.running == 0 {
		a.drained(ctx)
	}
}

func (a *admin) serverEnded(ctx actor.Context, m *serverEnded) {
	a.running--
	switch {
	case a.memory.draining:
		a.memory.ended++
	case m.err != nil:
		a.memory.log.Error("endpoint is down, trying again").Err(m.err).Send()
		kit.After(ctx, reopenAfter, &reopen{m.server})
		return
	}
	if a.memory.draining && a.running == 0 {
		a.drained(ctx)
	}
}

// drained tells everyone who waits that nothing is served any more.
func (a *admin) drained(ctx actor.Context) {
	for _, pid := range a.memory.waiting {
		ctx.Send(pid, &messages.Drained{Ended: a.memory.ended})
	}
	a.memory.waiting = nil
}
