package cni

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/zds"
)

// Role is the actor's role.
const Role = "cni"

const capacity = 1024

// memory is what outlives a crash of the actor.
type memory struct {
	ledger   *ledger
	opened   bool // the first state has arrived
	draining bool
	// told is what readiness was told last: true when it need not wait for us.
	told bool
}

// cni is the actor.
//
//	state, message:            next
//	idle, StartAccepting:      dialling
//	dialling, dialled:         greeting; or idle until redial
//	greeting, greeted:         reading; or idle until redial
//	reading, received:         starting (add), answering (others), broken; or dialling when the agent hung up
//	starting, PodStarted:      answering
//	answering, answered:       reading; or dialling
//	any, Drain:                over: the connection is closed, nothing is dialled any more
//
// A round of retries goes on beside that, one pod at a time, and never while a request is carried out.
type cni struct {
	config Config
	memory *memory
	agent  Agent
	dial   doubling
	greet  doubling
	// request is the add under way, retry the pod that is tried again; never both are being served.
	request, retry *candidate
	// queued is a request that came while a retry was under way.
	queued zds.Request
	due    []string // who is left of a round of retries
	round  *kit.Timer
	limit  *kit.Timer // of request or retry
	turn   uint64     // numbers what limit is of
	broken bool
	// step is what the connection waits for.
	step *step
	// redialAt is when the agent is dialled again; zero when no timer runs.
	redialAt time.Time
}

// step is a goroutine that works for the connection: one dials, says hello, reads or answers, never two at once. What it
// brings is taken once, and only while it is waited for.
type step struct {
	claim messages.Claim // to what it brought: the message may come twice
	over  atomic.Bool
	late  bool // it was over when the actor last looked, and had brought nothing
}

// What the actor's goroutines bring. They own what they carry, until it is taken.
type (
	dialled struct {
		step  *step
		agent Agent
		err   error
	}
	greeted struct {
		step *step
		err  error
	}
	received struct {
		step    *step
		request zds.Request
		err     error
	}
	answered struct {
		step *step
		err  error
		then func(actor.Context)
	}
)

// What the actor's timers bring.
type (
	redial    struct{}
	retryTime struct{}
	tellTime  struct{}
	overdue   struct{ turn uint64 }
)

// Undeliver closes a connection that nobody waits for any more.
func (d *dialled) Undeliver() {
	if d.agent != nil && d.step.claim.Take() {
		_ = d.agent.Close()
	}
}

// Undeliver closes what the request carries.
func (r *received) Undeliver() {
	if r.step.claim.Take() {
		zds.Discard(r.request)
	}
}

// Spec declares the actor. It handles StartAccepting and Drain.
func Spec(c Config) kit.Spec {
	m := &memory{ledger: newLedger()}
	return kit.Spec{
		Role: Role, Capacity: capacity,
		New: func() actor.Actor {
			return &cni{
				config: c, memory: m,
				dial:  doubling{first: firstDial, longest: longestDial},
				greet: doubling{first: firstAnnounce, longest: longestAnnounce},
			}
		},
	}
}

// Receive takes the actor's messages.
func (c *cni) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.started(ctx)
	case *messages.StartAccepting:
		c.startAccepting(ctx, m)
	case *dialled:
		c.dialled(ctx, m)
	case *greeted:
		c.greeted(ctx, m)
	case *received:
		c.received(ctx, m)
	case *messages.PodStarted:
		c.podStarted(ctx, m)
	case *answered:
		c.answered(ctx, m)
	case *redial:
		c.redialAt = time.Time{}
		c.connect(ctx)
	case *retryTime:
		c.retryTime(ctx)
	case *overdue:
		c.overdue(ctx, m)
	case *tellTime:
		c.tellTime(ctx)
	case *kit.Undelivered:
		c.undelivered(ctx, m)
	case *messages.Drain:
		c.drain(ctx)
	case *actor.Stopping, *actor.Restarting:
		c.letGo()
	default:
		kit.Unknown(ctx)
	}
}

func (c *cni) manager() *logs.Logger { return c.config.Log.Scope("ztunnel::inpod::workloadmanager") }
func (c *cni) pods() *logs.Logger    { return c.config.Log.Scope("ztunnel::inpod::statemanager") }

// started goes on after a crash: the agent is dialled again, and tells everything anew.
func (c *cni) started(ctx actor.Context) {
	if c.memory.draining {
		return
	}
	c.tellTime(ctx)
	if c.memory.opened {
		c.setReady(ctx, false)
		c.connect(ctx)
		c.scheduleRetry(ctx)
	}
}

// startAccepting begins: the first state has arrived.
func (c *cni) startAccepting(ctx actor.Context, m *messages.StartAccepting) {
	if ctx.Sender() != nil {
		ctx.Respond(&messages.AcceptingStarted{Answer: kit.SystemOf(ctx).Answer(&m.Question, 0)})
	}
	if c.memory.opened || c.memory.draining {
		return
	}
	c.memory.opened = true
	c.connect(ctx)
}

func (c *cni) received(ctx actor.Context, m *received) {
	if !c.take(m.step) {
		m.Undeliver()
		return
	}
	switch {
	case errors.Is(m.err, zds.ErrEnded):
		c.manager().Info(m.err.Error()).Send()
		c.reconnect(ctx)
	case m.err != nil:
		c.manager().Error("failed to read message").Err(m.err).Send()
		c.refuse(ctx, "failure to read message : "+m.err.Error(), c.reconnect)
	case c.retry != nil:
		c.queued = m.request // one pod at a time
	default:
		c.handle(ctx, m.request)
	}
}

// handle carries a request out.
func (c *cni) handle(ctx actor.Context, request zds.Request) {
	l := c.memory.ledger
	switch r := request.(type) {
	case *zds.Add:
		c.add(ctx, r)
	case *zds.Keep:
		c.keep(ctx, r)
	case *zds.Delete:
		if l.remove(r.UID) {
			c.pods().Info("pod delete request, shutting down proxy").Str(messages.FieldUID, r.UID).Send()
			ctx.Send(c.config.Pods, &messages.StopPod{UID: r.UID})
		}
		c.settle(ctx, nil)
	case *zds.SnapshotSent:
		left, err := l.sent()
		for _, uid := range left {
			c.pods().Info("pod is not in the snapshot, shutting down proxy").Str(messages.FieldUID, uid).Send()
			ctx.Send(c.config.Pods, &messages.StopPod{UID: uid})
		}
		if err == nil {
			c.pods().Info("pod received snapshot sent").Send()
		}
		c.settle(ctx, err)
	}
}

// keep keeps a pod. One that is not served here may be an earlier process's, which has left it to us.
func (c *cni) keep(ctx actor.Context, r *zds.Keep) {
	l := c.memory.ledger
	if err := l.keep(r.UID); err != nil || l.has(r.UID) {
		c.settle(ctx, err)
		return
	}
	if c.config.Inherited != nil {
		if info, ns, ok := c.config.Inherited(r.UID); ok {
			c.pods().Info("pod of the predecessor kept, starting proxy").Str(messages.FieldUID, r.UID).
				Str(messages.FieldName, info.Name).Str(messages.FieldNamespace, info.Namespace).Send()
			one := candidate{uid: r.UID, info: info, namespace: ns}
			c.request = &one
			c.serve(ctx, one)
			return
		}
	}
	c.pods().Warn("asked to keep a pod that is not served; its traffic is not captured until the agent adds it").
		Str(messages.FieldUID, r.UID).Send()
	c.settle(ctx, nil)
}

func (c *cni) add(ctx actor.Context, r *zds.Add) {
	switch {
	case r.Info == nil:
		zds.Discard(r)
		c.settle(ctx, errNoInfo)
		return
	case r.Namespace == nil:
		c.refuse(ctx, "failure to start proxy : "+errors.Join(errNothingToServe, r.Err).Error(), c.read)
		return
	}
	c.pods().Info("pod received, starting proxy").Str(messages.FieldUID, r.UID).
		Str(messages.FieldName, r.Info.Name).Str(messages.FieldNamespace, r.Info.Namespace).Send()
	one := candidate{uid: r.UID, info: *r.Info, namespace: r.Namespace}
	if !c.memory.ledger.add(one) {
		c.settle(ctx, nil)
		return
	}
	c.request = &one
	c.serve(ctx, one)
}

// serve has a pod served. What comes of it, podStarted or overdue hears.
func (c *cni) serve(ctx actor.Context, one candidate) {
	c.turn++
	c.limit = kit.After(ctx, startWithin, &overdue{c.turn})
	ctx.Request(c.config.Pods, &messages.StartPod{UID: one.uid, Info: one.info, Namespace: one.namespace.Share(), Claim: new(messages.Claim)})
}

func (c *cni) podStarted(ctx actor.Context, m *messages.PodStarted) {
	if one := c.underway(); one != nil && one.uid == m.UID && one.namespace.ID() == m.Namespace {
		c.ended(ctx, m.Err)
	}
}

func (c *cni) underway() *candidate {
	if c.request != nil {
		return c.request
	}
	return c.retry
}

var errOverdue = errors.New("the proxy did not start in time")

func (c *cni) overdue(ctx actor.Context, m *overdue) {
	if m.turn == c.turn && c.underway() != nil {
		c.ended(ctx, errOverdue)
	}
}

// undelivered goes on when the pods actor crashed over a message, or its mailbox was full.
func (c *cni) undelivered(ctx actor.Context, m *kit.Undelivered) {
	if start, ok := m.Message.(*messages.StartPod); ok {
		if one := c.underway(); one != nil && one.uid == start.UID {
			c.ended(ctx, errors.New("the proxy could not be started: its supervisor is restarting"))
		}
	}
}

// ended goes on after a pod was served, or was not.
func (c *cni) ended(ctx actor.Context, err error) {
	c.limit.Stop()
	one := *c.underway()
	l := c.memory.ledger
	l.started(one, err)
	c.config.Counters.Failed.Store(int64(len(l.failed)))
	if err != nil {
		c.pods().Error("failed to start proxy").Str(messages.FieldUID, one.uid).
			Str(messages.FieldName, one.info.Name).Str(messages.FieldNamespace, one.info.Namespace).Err(err).Send()
	}
	if c.request == nil {
		c.retry = nil
		c.nextRetry(ctx)
		return
	}
	c.request = nil
	if err != nil {
		c.scheduleRetry(ctx)
		c.refuse(ctx, "failure to start proxy : "+err.Error(), c.read)
		return
	}
	c.settle(ctx, nil)
}

// setReady tells readiness whether it has to wait for us.
func (c *cni) setReady(ctx actor.Context, ready bool) {
	c.memory.told = ready
	c.tell(ctx)
}

func (c *cni) tell(ctx actor.Context) {
	if c.memory.told {
		ctx.Send(c.config.Admin, &messages.TaskCompleted{Name: Task})
	} else {
		ctx.Send(c.config.Admin, &messages.AwaitTask{Name: Task})
	}
}

// tellTime says again what may have got lost: whether we are ready, and which pods there are.
func (c *cni) tellTime(ctx actor.Context) {
	if c.memory.draining {
		return
	}
	c.tell(ctx)
	c.watch(ctx)
	if l := c.memory.ledger; l.snapshot && c.underway() == nil {
		ctx.Send(c.config.Pods, &messages.KeepPods{UIDs: l.known()})
	}
	kit.After(ctx, tellEvery, &tellTime{})
}

// drain hangs up: the successor, or nobody, hears of pods from now on. Readiness is not told: its endpoint goes as well.
func (c *cni) drain(ctx actor.Context) {
	c.memory.draining = true
	c.letGo()
	if asker := ctx.Sender(); asker != nil {
		ctx.Request(asker, &messages.Drained{}) // with us as sender: the node asks several
	}
}

// letGo ends what the actor holds. The pods that could not be served stay in memory.
func (c *cni) letGo() {
	c.letAgentGo()
	if one := c.underway(); one != nil {
		_ = one.namespace.Close()
		c.request, c.retry = nil, nil
	}
	if c.memory.draining {
		for uid := range c.memory.ledger.failed {
			c.memory.ledger.forget(uid)
		}
	}
}
