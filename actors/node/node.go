package node

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/admin"
	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
)

// RoleNode is the root's role, and its name.
const RoleNode = "node"

// Config is what a node is made of.
type Config struct {
	System *kit.System
	// State configures the stores: Node, Random, Resolver and Counters are given.
	State state.Config
	// Local is the state that is delivered; Source, where set, is asked for it at each delivery instead.
	Local  discovery.State
	Source func() discovery.State
	// Control is the control plane; nil for none.
	Control *discovery.Control
	// Prefetch has the certificates of this node's workloads made before they are needed, and forgotten with the last of
	// them: shared mode.
	Prefetch bool
	// Identity configures the certificates.
	Identity identity.Config
	// Revocations, where not nil, has the revocation lists.
	Revocations *identity.RevocationsConfig
	// Pod is the proxy of dedicated mode; its stores are filled in. PodUID names it; it is empty in shared mode.
	Pod    pod.Config
	PodUID string
	// Shared is what serves the node's pods; nil in dedicated mode.
	Shared *Shared
	// Admin configures the HTTP endpoints.
	Admin admin.Deps
	// ReadyTasks are the readiness tasks that are complete when the first state has arrived and the doors are open.
	ReadyTasks []string
}

// Node is a running node.
type Node struct {
	system *kit.System
	root   *actor.PID
	pod    *actor.PID // of dedicated mode
	pods   *actor.PID // of shared mode, as the next two
	self   *actor.PID
	cni    *actor.PID
	admin  *actor.PID
	stores flow.Stores
	// restarting says that the root crashed: what it stops comes back.
	restarting atomic.Bool
}

// Start spawns the node's actors. It takes over the pod's listeners.
func Start(c Config) (*Node, error) {
	address := c.System.Actors().Address()
	child := func(name string) *actor.PID { return actor.NewPID(address, RoleNode+"/"+name) }
	n := &Node{
		system: c.System, admin: child(admin.Role),
		stores: flow.Stores{
			Workloads: child(state.RoleWorkloads), Services: child(state.RoleServices), Policies: child(state.RolePolicies),
			DNSCache: child(state.RoleNames), Certificates: child(identity.RoleCertificates),
			Discovery: child(discovery.RoleDiscovery), LocalPods: child(pod.RoleLocals),
		},
	}
	if c.Revocations != nil {
		n.stores.Revocations = child(identity.RoleRevocations)
	}
	adminSpec, memory := admin.Spec(c.Admin), discovery.NewMemory()
	servers := n.servers(&c, child)
	var revocations kit.Spec
	if c.Revocations != nil {
		revocations = identity.RevocationsSpec(*c.Revocations)
	}
	root, err := c.System.SpawnRoot(kit.Spec{
		Role: RoleNode, Capacity: 1024, Supervision: restart,
		New: func() actor.Actor {
			return &node{
				config: c, node: n, servers: servers, adminSpec: adminSpec, revocations: revocations,
				discovery: n.stores.Discovery, memory: memory,
			}
		},
	}, RoleNode)
	if err != nil {
		return nil, fmt.Errorf("start the node: %w", err)
	}
	n.root = root
	return n, nil
}

// restart brings back what the whole node depends on, ever more slowly while it keeps failing, and never gives up.
var restart = kit.Supervision{
	Directive: kit.Restart, MaxRestarts: 1 << 30, Window: time.Minute,
	Backoff: kit.Backoff{Initial: time.Millisecond, Max: 5 * time.Second, Jitter: 0.2},
}

// orderAgain is after how long a child that does not answer is told again what the node waits for.
const orderAgain = time.Second

// drainAgain is after how long a server that has not drained is told again, drainSoon is that of one that crashed over it.
const (
	drainAgain = time.Second
	drainSoon  = 100 * time.Millisecond
)

// drainOverdue says that it is time to do so.
type drainOverdue struct{}

// Roots is how a system treats a node's root that fails, for kit.Config: like the root treats its children, for without
// it nothing is served until somebody restarts the process.
func Roots() kit.Supervision { return restart }

// Stores are the node's stores, for the admin page.
func (n *Node) Stores() flow.Stores { return n.stores }

// Pod is the proxy of dedicated mode, nil in shared mode.
func (n *Node) Pod() *actor.PID { return n.pod }

// Pods is the actor that serves the pods of shared mode, nil in dedicated mode. It answers messages.ListPods.
func (n *Node) Pods() *actor.PID { return n.pods }

// Self is the proxy of shared mode's own listener; nil where there is none.
func (n *Node) Self() *actor.PID { return n.self }

// CNI is the actor that the CNI agent talks to in shared mode, nil in dedicated mode. A messages.Drain makes it hang up.
func (n *Node) CNI() *actor.PID { return n.cni }

// Complete says that readiness need not wait for a task any more. It may be called at once after Start.
func (n *Node) Complete(task string) { n.system.Send(n.root, &messages.TaskCompleted{Name: task}) }

// Admin is the actor that owns the HTTP endpoints and the readiness tasks.
func (n *Node) Admin() *actor.PID { return n.admin }

// Serve hands an HTTP endpoint to the admin actor. It may be called at once after Start: the root passes it on.
func (n *Node) Serve(m *admin.Serve) { n.system.Send(n.root, m) }

// Drain closes the doors, waits for the connections up to deadline and cuts the rest. It returns how many ended in time
// and how many were cut.
func (n *Node) Drain(ctx context.Context, mode messages.DrainMode, deadline time.Duration) (messages.Drained, error) {
	const slack = 5 * time.Second
	drained, err := kit.AskFor[*messages.Drained](ctx, n.system, n.root, &messages.Drain{Mode: mode, Deadline: deadline}, deadline+slack)
	if err != nil {
		return messages.Drained{}, fmt.Errorf("drain the node: %w", err)
	}
	return *drained, nil
}

// node is the root actor.
type node struct {
	config    Config
	node      *Node
	servers   []server
	adminSpec kit.Spec // the same for all lives of the admin actor: it has its endpoints and what is pending
	// revocations is the same for all lives of the root: it knows who has tunnels.
	revocations kit.Spec
	discovery   *actor.PID
	memory      *discovery.Memory // the state outlives the root too
	orders      kit.Orders
	// opened says that the doors were told to open, opening how many servers have not said that theirs are.
	opened  bool
	opening int
	// draining is the drain that closed them for good, redrain when it is told again.
	draining     *messages.Drain
	patientUntil time.Time
	redrain      *kit.Timer
	askers       []*actor.PID // who waits for the drain
	drainedBy    map[string]messages.Drained
}

// Receive takes the root's messages.
func (n *node) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		n.started(ctx)
	case *messages.StateDelivered:
		n.stateDelivered(ctx, m)
	case *messages.AcceptingStarted:
		n.acceptingStarted(ctx, m)
	case *messages.TaskCompleted:
		n.complete(ctx, m.Name)
	case *messages.TaskNoted:
		n.orders.Done(m)
	case *kit.TooLate:
		n.orders.Repeat(ctx, m)
	case *admin.Serve:
		ctx.Send(n.node.admin, m)
	case *messages.Drain:
		n.drain(ctx, m)
	case *messages.Drained:
		n.drained(ctx, m)
	case *drainOverdue:
		n.drainServers(ctx)
	case *kit.Undelivered:
		n.undelivered(ctx, m)
	case *actor.Restarting:
		n.node.restarting.Store(true)
	default:
		kit.Unknown(ctx)
	}
}

func (n *node) started(ctx actor.Context) {
	n.node.restarting.Store(false)
	c, stores := n.config, n.node.stores
	c.State.Discovery = func() *actor.PID { return n.discovery }
	c.State.Services = func() *actor.PID { return stores.Services }
	c.State.Workloads = func() *actor.PID { return stores.Workloads }
	if c.Prefetch {
		c.State.Certificates = func() *actor.PID { return stores.Certificates }
	}
	n.spawn(ctx, n.adminSpec, admin.Role)
	n.spawn(ctx, state.ServiceStore(c.State), state.RoleServices)
	n.spawn(ctx, state.WorkloadStore(c.State), state.RoleWorkloads)
	n.spawn(ctx, state.PolicyStore(c.State), state.RolePolicies)
	n.spawn(ctx, state.NameStore(c.State), state.RoleNames)
	n.spawn(ctx, identity.Spec(c.Identity), identity.RoleCertificates)
	n.spawn(ctx, pod.Locals(), pod.RoleLocals)
	if c.Revocations != nil {
		n.spawn(ctx, n.revocations, identity.RoleRevocations)
	}
	for _, s := range n.servers {
		n.spawn(ctx, s.spec, s.name)
	}
	n.spawn(ctx, discovery.Spec(discovery.Config{
		State: c.Local, Source: c.Source, Control: c.Control, Memory: n.memory,
		Workloads: stores.Workloads, Services: stores.Services, Policies: stores.Policies, Node: ctx.Self(),
	}), discovery.RoleDiscovery)
}

func (n *node) spawn(ctx actor.Context, spec kit.Spec, name string) {
	if _, err := kit.SpawnNamed(ctx, n.config.System.Props(spec), name); err != nil {
		panic(fmt.Errorf("spawn %s: %w", name, err)) // the name is ours: nobody else can have it
	}
}

// stateDelivered opens the doors, once.
func (n *node) stateDelivered(ctx actor.Context, m *messages.StateDelivered) {
	if ctx.Sender() != nil {
		ctx.Respond(&messages.StateNoted{Answer: n.config.System.Answer(&m.Question, 0)})
	}
	if n.opened || n.draining != nil {
		return
	}
	n.opened = true
	for _, s := range n.servers {
		if s.opens {
			n.opening++
			n.orders.Give(ctx, s.pid, orderAgain, func(q messages.Question) any { return &messages.StartAccepting{Question: q} })
		}
	}
}

// acceptingStarted is told by each server whose doors are open. Readiness waits for the last.
func (n *node) acceptingStarted(ctx actor.Context, m *messages.AcceptingStarted) {
	if !n.orders.Done(m) {
		return
	}
	if n.opening--; n.opening > 0 {
		return
	}
	for _, task := range n.config.ReadyTasks {
		n.complete(ctx, task)
	}
}

// complete says that readiness need not wait for a task any more.
func (n *node) complete(ctx actor.Context, task string) {
	n.orders.Give(ctx, n.node.admin, orderAgain, func(q messages.Question) any { return &messages.TaskCompleted{Question: q, Name: task} })
}

// drain drains whoever serves.
func (n *node) drain(ctx actor.Context, m *messages.Drain) {
	n.draining, n.patientUntil = m, time.Now().Add(m.Deadline)
	n.orders.Forget()
	if asker := ctx.Sender(); asker != nil {
		n.askers = append(n.askers, asker)
	}
	n.drainServers(ctx)
}

// drainServers tells those that have not drained, and is called again after a time: a message may have got lost.
func (n *node) drainServers(ctx actor.Context) {
	if n.redrain != nil {
		n.redrain.Stop()
	}
	n.redrain = nil
	m := &messages.Drain{Mode: n.draining.Mode, Deadline: max(time.Until(n.patientUntil), 0)} // who hears of it late has less time
	for _, s := range n.servers {
		if _, over := n.drainedBy[s.pid.Id]; !over {
			ctx.Request(s.pid, m)
			if n.redrain == nil {
				n.redrain = kit.After(ctx, drainAgain, &drainOverdue{})
			}
		}
	}
	n.checkDrained(ctx)
}

// undelivered leaves a server that crashed over a drain alone for a moment before it is told again.
func (n *node) undelivered(ctx actor.Context, m *kit.Undelivered) {
	if _, ok := m.Message.(*messages.Drain); ok && n.redrain != nil {
		n.redrain.Stop()
		n.redrain = kit.After(ctx, drainSoon, &drainOverdue{})
	}
}

// drained notes that a server has drained.
func (n *node) drained(ctx actor.Context, m *messages.Drained) {
	if n.drainedBy == nil {
		n.drainedBy = map[string]messages.Drained{}
	}
	if from := ctx.Sender(); from != nil {
		n.drainedBy[from.Id] = *m
	}
	n.checkDrained(ctx)
}

// checkDrained tells who asked when the last server has drained.
func (n *node) checkDrained(ctx actor.Context) {
	if len(n.drainedBy) < len(n.servers) {
		return
	}
	var total messages.Drained
	for _, d := range n.drainedBy {
		total.Ended += d.Ended
		total.Cut += d.Cut
	}
	for _, asker := range n.askers {
		answer := total
		ctx.Send(asker, &answer)
	}
	n.askers = nil
}
