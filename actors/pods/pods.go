package pods

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

var (
	errDraining  = errors.New("the proxy is shutting down")
	errReplaced  = errors.New("the pod was stopped, or came again, while it was being started")
	errCrashed   = errors.New("the proxy's supervisor crashed while the pod was being started")
	errTooMany   = fmt.Errorf("the node has %d pods already", MaxPods)
	errProxyOver = errors.New("the pod's proxy ended")
)

// restart brings a pod's proxy back, ever more slowly while it keeps failing, and never gives up.
var restart = kit.Supervision{
	Directive: kit.Restart, MaxRestarts: 1 << 30, Window: time.Minute,
	Backoff: kit.Backoff{Initial: 10 * time.Millisecond, Max: 5 * time.Second, Jitter: 0.2},
}

// leaveWithin is how long a proxy that was told to leave may take before it is told again, and soon is how long one that
// crashed over that is left alone.
const (
	leaveWithin = 5 * time.Second
	soon        = 100 * time.Millisecond
)

// pods is the actor.
//
//	a pod is  message        next
//	unknown   StartPod       pending: opening
//	pending   opened         up; or pending with the reason, until the next StartPod or StopPod
//	up        StartPod       up, where it is served in that namespace; else pending: opening, and the old proxy leaves
//	any       StopPod        unknown: its proxy leaves
//	any       Drain          the proxies drain; nothing is started any more
type pods struct {
	config Config
	memory *memory
	ending bool       // this life of the actor is
	again  *kit.Timer // when those that have not ended are told again
}

// opened is the end of opening a pod. It owns what was opened.
type opened struct {
	uid    string
	life   uint64
	start  time.Time
	opened *Opened
	err    error
	claim  *messages.Claim
}

// Undeliver closes what was opened for nobody.
func (o *opened) Undeliver() {
	if o.opened != nil && o.claim.Take() {
		o.opened.discard()
	}
}

// Spec declares the actor. It handles StartPod, StopPod, KeepPods, ListPods and Drain.
func Spec(c Config) kit.Spec {
	m := newMemory()
	return kit.Spec{
		Role: RolePods, Capacity: capacity, Supervision: restart,
		New: func() actor.Actor { return &pods{config: c, memory: m} },
	}
}

// Receive takes the actor's messages.
func (p *pods) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.started(ctx)
	case *messages.StartPod:
		p.startPod(ctx, m)
	case *opened:
		p.opened(ctx, m)
	case *messages.StopPod:
		p.stopPod(ctx, m.UID)
	case *messages.KeepPods:
		p.keepPods(ctx, m)
	case *messages.ListPods:
		p.listPods(ctx, m)
	case *messages.Drain:
		p.drain(ctx, m)
	case *messages.Drained:
		p.drained(ctx, m)
	case *kit.Undelivered:
		p.undelivered(ctx, m)
	case *actor.Terminated:
		p.terminated(ctx, m)
	case *drainAgain:
		p.drainAgain(ctx)
	case *actor.Restarting:
		p.ending = true
		p.memory.returns.Store(true)
	case *actor.Stopping:
		p.ending = true
		p.memory.returns.Store(p.config.Returns != nil && p.config.Returns.Load())
	case *actor.Stopped:
		p.stopped()
	default:
		kit.Unknown(ctx)
	}
	p.memory.count(p.config.Counters)
}

func (p *pods) log() *logs.Logger { return p.config.Log.Scope("ztunnel::inpod::statemanager") }

// started serves again what was served before a crash, in the order of the names.
func (p *pods) started(ctx actor.Context) {
	m := p.memory
	m.returns.Store(false)
	for _, name := range slices.Sorted(maps.Keys(m.proxies)) {
		if one := m.proxies[name]; one.leaving {
			p.over(one) // its actor went with the crash
		} else {
			p.spawn(ctx, one)
		}
	}
	for _, e := range m.pods {
		if e.proxy == nil && e.err == nil {
			e.err = errCrashed
		}
	}
	if m.drain != nil { // whoever was drained is back, and must be told again
		clear(m.drain.waiting)
		clear(m.drain.over)
		p.drainAll(ctx)
	}
}

func (p *pods) startPod(ctx actor.Context, m *messages.StartPod) {
	if !m.Claim.Take() {
		return // a copy: the pod is being started
	}
	if p.memory.drain != nil {
		_ = m.Namespace.Close()
		ctx.Respond(&messages.PodStarted{UID: m.UID, Namespace: m.Namespace.ID(), Err: errDraining})
		return
	}
	if e := p.memory.pods[m.UID]; e != nil {
		if e.proxy != nil && e.namespace.ID() == m.Namespace.ID() {
			_ = m.Namespace.Close()
			ctx.Respond(&messages.PodStarted{UID: m.UID, Namespace: e.namespace.ID()})
			return
		}
		if e.proxy == nil && e.err == nil && e.namespace.ID() == m.Namespace.ID() { // it is being opened already
			_ = m.Namespace.Close()
			e.asker = ctx.Sender()
			return
		}
		p.remove(ctx, e)
	}
	if len(p.memory.pods) >= MaxPods {
		_ = m.Namespace.Close()
		ctx.Respond(&messages.PodStarted{UID: m.UID, Namespace: m.Namespace.ID(), Err: errTooMany})
		return
	}
	p.memory.lives++
	e := &entry{uid: m.UID, info: m.Info, namespace: m.Namespace, life: p.memory.lives, asker: ctx.Sender()}
	p.memory.pods[m.UID] = e
	p.open(ctx, e)
}

// open opens the pod's listeners on a goroutine of its own.
func (p *pods) open(ctx actor.Context, e *entry) {
	open, ns, end := p.config.Open, e.namespace.Share(), opened{uid: e.uid, life: e.life, start: time.Now(), claim: new(messages.Claim)}
	uid, info := e.uid, e.info
	kit.Go(ctx, func(life context.Context) any {
		defer func() { _ = ns.Close() }()
		end.opened, end.err = open(life, uid, ns, info)
		return &end
	})
}

func (p *pods) opened(ctx actor.Context, m *opened) {
	e := p.memory.pods[m.uid]
	if e == nil || e.life != m.life || e.proxy != nil {
		m.Undeliver()
		return
	}
	switch {
	case m.err == nil && p.memory.drain != nil:
		m.Undeliver()
		e.err = errDraining
	case m.err == nil && !m.claim.Take():
		return
	case m.err != nil:
		e.err = m.err
	default:
		e.err = nil
		p.serve(ctx, e, m.opened)
	}
	p.config.Added(trace.PodAdded{UID: e.uid, Info: e.info, Start: m.start, End: time.Now(), Err: e.err})
	p.answer(ctx, e)
}

// answer tells whoever asked for the pod what came of it.
func (p *pods) answer(ctx actor.Context, e *entry) {
	if e.asker != nil {
		ctx.Send(e.asker, &messages.PodStarted{UID: e.uid, Namespace: e.namespace.ID(), Err: e.err})
		e.asker = nil
	}
}

// serve spawns the pod's proxy.
func (p *pods) serve(ctx actor.Context, e *entry, o *Opened) {
	o.Pod.Flow.System, o.Pod.Flow.Stores = p.config.System, p.config.Stores
	o.Pod.StartsOpen, o.Pod.Returns = true, &p.memory.returns
	e.proxy = &proxy{uid: e.uid, opened: o, spec: pod.Spec(o.Pod), name: p.name(e.uid)}
	p.memory.proxies[e.proxy.name] = e.proxy
	p.config.Counters.Started.Add(1)
	p.spawn(ctx, e.proxy)
}

func (p *pods) spawn(ctx actor.Context, one *proxy) {
	pid, err := kit.SpawnNamed(ctx, p.config.System.Props(one.spec), one.name)
	if err != nil {
		panic(err) // the name is ours: nobody else can have it
	}
	one.pid = pid
}

// name is pod/<uid>, with a number where an earlier proxy of the uid is still leaving. What could be taken for the name
// of another actor is escaped.
func (p *pods) name(uid string) string {
	base := pod.RolePod + "/" + url.PathEscape(uid)
	name := base
	for n := 2; p.memory.proxies[name] != nil; n++ {
		name = base + "~" + strconv.Itoa(n)
	}
	return name
}

func (p *pods) stopPod(ctx actor.Context, uid string) {
	if e := p.memory.pods[uid]; e != nil {
		p.remove(ctx, e)
	}
}

// keepPods stops all others. One that is being opened came later than the message.
func (p *pods) keepPods(ctx actor.Context, m *messages.KeepPods) {
	for _, uid := range slices.Sorted(maps.Keys(p.memory.pods)) {
		e := p.memory.pods[uid]
		if _, kept := slices.BinarySearch(m.UIDs, uid); !kept && (e.proxy != nil || e.err != nil) {
			p.remove(ctx, e)
		}
	}
}

// remove forgets a pod; its proxy leaves.
func (p *pods) remove(ctx actor.Context, e *entry) {
	delete(p.memory.pods, e.uid)
	switch {
	case e.proxy != nil:
		p.leave(ctx, e.proxy)
	case e.err == nil:
		e.err = errReplaced
		p.answer(ctx, e)
	}
	_ = e.namespace.Close()
}

// leave closes a proxy's listeners at once, so that a successor finds the ports free, and has its connections cut.
func (p *pods) leave(ctx actor.Context, one *proxy) {
	one.leaving = true
	one.opened.close()
	ctx.Request(one.pid, &messages.Drain{Mode: messages.DrainImmediate})
	p.tellAgain(ctx)
}

// terminated is told of proxies that have ended.
func (p *pods) terminated(ctx actor.Context, m *actor.Terminated) {
	if p.ending {
		return // stopped sees to them, or they come back
	}
	for _, one := range p.memory.proxies {
		if one.pid == nil || one.pid.Id != m.Who.Id {
			continue
		}
		if e := p.memory.pods[one.uid]; e != nil && e.proxy == one {
			p.log().Error("the proxy ended").Str(messages.FieldUID, one.uid).Send()
			e.proxy, e.err = nil, errProxyOver
		}
		p.over(one)
		if p.memory.drain != nil {
			delete(p.memory.drain.waiting, one.pid.Id)
			delete(p.memory.drain.over, one.pid.Id)
			p.checkDrained(ctx)
		}
		return
	}
}

// over lets go of what a proxy had.
func (p *pods) over(one *proxy) {
	delete(p.memory.proxies, one.name)
	one.opened.discard()
	p.config.Counters.Stopped.Add(1)
}

// stopped lets go of everything, unless it comes back. The proxies have ended by now.
func (p *pods) stopped() {
	if p.memory.returns.Load() {
		return
	}
	for _, one := range p.memory.proxies {
		p.over(one)
	}
	for uid, e := range p.memory.pods {
		_ = e.namespace.Close()
		delete(p.memory.pods, uid)
	}
}

func (p *pods) listPods(ctx actor.Context, m *messages.ListPods) {
	answer := &messages.PodsListed{Answer: messages.Answer{ID: m.ID}}
	for _, uid := range slices.Sorted(maps.Keys(p.memory.pods)) {
		e := p.memory.pods[uid]
		s := messages.PodStatus{UID: uid, Info: e.info, Namespace: e.namespace.ID(), Err: e.err}
		if e.proxy != nil {
			s.State, s.Proxy = messages.PodUp, e.proxy.pid.Id
		}
		answer.Pods = append(answer.Pods, s)
	}
	ctx.Respond(answer)
}
