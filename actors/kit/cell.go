package kit

import (
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// cell is everything the kit holds of one actor, in one allocation: its Props, its mailbox, and the shell around the
// actor itself. The library sees it as the mailbox and as the actor.
//
// Fields above the line are set before the actor starts; inbox and depth are shared; all others belong to whoever
// serves the cell, which is one goroutine at a time.
type cell struct {
	props    actor.Props
	sys      *System
	role     *role
	make     func() actor.Actor
	run      Dispatch
	capacity int32
	taken    atomic.Bool // the Props have spawned an actor with this cell
	brief    bool        // a child of SpawnBrief
	invoker  actor.MessageInvoker
	pid      atomic.Pointer[actor.PID] // whoever knows the name may post before it is here
	done     chan struct{}             // closed when a root has stopped, nil for others

	// ---
	inbox queue
	depth atomic.Int32

	actor           actor.Actor
	systems, users  fifo
	handled         uint32
	spawned         uint32 // numbers the names of children
	generation      uint32 // grows with each restart
	suspended       bool
	restarting      bool // until the actor starts anew
	stopping, ended bool
	belongings      *belongings // nil until the actor starts something
	failures        history     // belongs to the parent, who decides
	next            *cell       // in the queue of a FlowDispatcher
}

var (
	_ actor.Mailbox = (*cell)(nil)
	_ actor.Actor   = (*cell)(nil)
)

func (s *System) newCell(spec *Spec) *cell {
	spec.check()
	c := &cell{
		sys:      s,
		role:     s.roles.get(spec.Role),
		make:     spec.New,
		run:      spec.Run,
		capacity: int32(spec.Capacity),
	}
	actor.WithSupervisor(s.strategyOf(c.role, spec))(&c.props)
	return c
}

// offer makes the cell's Props spawn this cell, as often as they are used.
func (c *cell) offer() {
	c.configure()
	actor.WithSpawnFunc(c.spawn)(&c.props)
}

// configure makes the cell's Props make an actor of this cell.
func (c *cell) configure() {
	actor.WithProducer(c.produce)(&c.props)
	actor.WithMailbox(c.mailbox)(&c.props)
}

// spawn spawns the actor with this cell, or with a copy when this one is in use already.
func (c *cell) spawn(system *actor.ActorSystem, id string, _ *actor.Props, parent actor.SpawnerContext) (*actor.PID, error) {
	if !c.taken.CompareAndSwap(false, true) {
		c = c.copy()
	}
	return actor.DefaultSpawner(system, id, &c.props, parent)
}

func (c *cell) copy() *cell {
	d := &cell{props: c.props, sys: c.sys, role: c.role, make: c.make, run: c.run, capacity: c.capacity}
	d.taken.Store(true)
	d.offer()
	return d
}

// produce is what the library calls to make the actor: before it knows whether the name is free, and for restarts. The
// actor itself is made when it handles Started, so that New runs only for a name that was free, and its panic is the
// actor's.
func (c *cell) produce() actor.Actor {
	c.actor = nil
	return c
}

func (c *cell) mailbox() actor.Mailbox { return c }

// RegisterHandlers is called once the name is the actor's.
func (c *cell) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	c.pid.Store(invoker.(actor.Context).Self())
	c.invoker = invoker
	c.role.join(c)
}

// Start lets the actor run; until now its mailbox only took messages in.
func (c *cell) Start() { c.schedule() }

// UserMessageCount is how many user messages wait.
func (c *cell) UserMessageCount() int { return int(c.depth.Load()) }

func (c *cell) target() Target { return Target{Role: c.role.name, PID: c.pid.Load()} }

// targetOf is target with the sender of a message's envelope, which may be nil.
func (c *cell) targetOf(env *actor.MessageEnvelope) Target {
	t := c.target()
	if env != nil {
		t.Sender = env.Sender
	}
	return t
}

// cellOf is the cell of the actor that handles ctx's message.
func cellOf(ctx actor.Context) *cell {
	c, ok := ctx.Actor().(*cell)
	if !ok {
		panic("kit: the actor was not spawned through the kit")
	}
	return c
}

// SystemOf is the system of the actor that handles ctx's message.
func SystemOf(ctx actor.Context) *System { return cellOf(ctx).sys }
