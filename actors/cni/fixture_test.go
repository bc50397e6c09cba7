package cni

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/pods"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
	"github.com/troupe-mesh/troupe/transport/zds"
)

// spaces are the network namespaces of a test, and how many handles of them are open.
type spaces struct{ open atomic.Int64 }

// space is a handle.
type space struct {
	all    *spaces
	id     uint64
	closed atomic.Bool
}

func (s *spaces) handle(id uint64) *space {
	s.open.Add(1)
	return &space{all: s, id: id}
}

func (s *space) ID() messages.NamespaceID     { return messages.NamespaceID{Inode: s.id} }
func (s *space) Share() messages.PodNamespace { return s.all.handle(s.id) }

func (s *space) Close() error {
	if !s.closed.Swap(true) {
		s.all.open.Add(-1)
	}
	return nil
}

// fakeAgent is a CNI agent inside a bubble. Its connections are taken one after another.
type fakeAgent struct {
	mu    sync.Mutex
	down  bool
	dials []time.Time
	// deaf makes hellos fail.
	deaf  bool
	conns []*fakeConn
	next  chan *fakeConn
}

type fakeConn struct {
	agent    *fakeAgent
	requests chan zds.Request
	broken   chan error
	answers  chan string
	closed   chan struct{}
	once     sync.Once
	hellos   atomic.Int64
}

func (a *fakeAgent) dial(context.Context) (Agent, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dials = append(a.dials, time.Now())
	if a.down {
		return nil, errors.New("connection refused")
	}
	c := &fakeConn{
		agent: a, requests: make(chan zds.Request), broken: make(chan error, 1), answers: make(chan string, 1), closed: make(chan struct{}),
	}
	a.conns = append(a.conns, c)
	a.next <- c
	return c, nil
}

func (c *fakeConn) Hello() error {
	c.hellos.Add(1)
	c.agent.mu.Lock()
	defer c.agent.mu.Unlock()
	if c.agent.deaf {
		return io.ErrClosedPipe
	}
	return nil
}

func (c *fakeConn) Read() (zds.Request, error) {
	select {
	case r := <-c.requests:
		return r, nil
	case err := <-c.broken:
		return nil, err
	case <-c.closed:
		return nil, zds.ErrEnded
	}
}

func (c *fakeConn) Answer(failure string) error {
	select {
	case c.answers <- failure:
		return nil
	case <-c.closed:
		return io.ErrClosedPipe
	}
}

func (c *fakeConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// ask is one request of the agent, with its deadline.
func (c *fakeConn) ask(t *testing.T, r zds.Request) string {
	t.Helper()
	select {
	case c.requests <- r:
	case <-c.closed:
		zds.Discard(r)
		return "closed"
	case <-time.After(5 * time.Second):
		zds.Discard(r)
		return "nobody reads"
	}
	select {
	case answer := <-c.answers:
		return answer
	case <-c.closed:
		select {
		case answer := <-c.answers:
			return answer
		default:
			return "closed"
		}
	case <-time.After(5 * time.Second):
		return "no answer"
	}
}

// world is a node's pods and the agent, without anything else of the node.
type world struct {
	t      *testing.T
	system *kit.System
	agent  *fakeAgent
	spaces *spaces
	cni    *actor.PID
	pods   *actor.PID
	counts *pods.Counters
	own    *Counters
	log    *text
	logs   *logs.Logs
	traces *trace.Telemetry

	returns atomic.Bool // the root comes back, and all with it

	mu      sync.Mutex
	taken   map[string]bool // the names whose ports are taken
	slow    time.Duration   // of opening a pod
	open    map[string]int  // listeners, by name
	pending map[string]bool // readiness tasks
	broken  []error
}

// text is a log.
type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// root is the parent of the pods and of the agent's connection, and plays the admin actor.
type root struct {
	w     *world
	specs []kit.Spec
}

const RoleRoot = "root"

func (r *root) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Restarting:
		r.w.returns.Store(true)
	case *actor.Started:
		r.w.returns.Store(false)
		for _, s := range r.specs {
			if _, err := kit.SpawnNamed(ctx, r.w.system.Props(s), s.Role); err != nil {
				panic(err)
			}
		}
	case *messages.AwaitTask:
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		r.w.pending[m.Name] = true
	case *messages.TaskCompleted:
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		delete(r.w.pending, m.Name)
	default:
		kit.Unknown(ctx)
	}
}

// newWorld starts everything; the first state has arrived, unless early.
func newWorld(t *testing.T, faults kit.FaultHook, early bool) *world {
	t.Helper()
	filter, err := logs.ParseFilter("info")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, agent: &fakeAgent{next: make(chan *fakeConn, 1000)}, spaces: &spaces{}, counts: &pods.Counters{}, own: &Counters{}, log: &text{},
		taken: map[string]bool{}, open: map[string]int{}, pending: map[string]bool{},
	}
	w.logs = logs.New(w.log, logs.Plain, filter)
	if w.traces, err = trace.New(trace.Options{Logs: w.logs}); err != nil {
		t.Fatal(err)
	}
	half := func() float64 { return 0.5 }
	w.system = kit.NewSystem(kit.Config{Faults: faults, Chance: half})
	nobody := actor.NewPID(w.system.Actors().Address(), "nobody")
	w.cni, w.pods = actor.NewPID(w.system.Actors().Address(), RoleRoot+"/"+Role), actor.NewPID(w.system.Actors().Address(), RoleRoot+"/"+pods.RolePods)
	at := actor.NewPID(w.system.Actors().Address(), RoleRoot)
	specs := []kit.Spec{
		pods.Spec(pods.Config{
			System: w.system, Stores: flow.Stores{Policies: nobody}, Open: w.openPod, Log: w.logs,
			Added: func(trace.PodAdded) {}, Counters: w.counts, Returns: &w.returns,
		}),
		Spec(Config{
			System: w.system, Dial: w.agent.dial, At: "/the/agent", Pods: w.pods, Admin: at, Log: w.logs,
			Broken: func(err error) { w.mu.Lock(); defer w.mu.Unlock(); w.broken = append(w.broken, err) },
			Chance: half, Counters: w.own,
		}),
	}
	restart := kit.Supervision{
		Directive: kit.Restart, MaxRestarts: 1 << 30, Window: time.Minute,
		Backoff: kit.Backoff{Initial: time.Millisecond, Max: 5 * time.Second, Jitter: 0.2},
	}
	if _, err := w.system.SpawnRoot(kit.Spec{
		Role: RoleRoot, Capacity: 1024, Supervision: restart, New: func() actor.Actor { return &root{w: w, specs: specs} },
	}, RoleRoot); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	if !early {
		w.system.Send(w.cni, &messages.StartAccepting{})
	}
	synctest.Wait()
	return w
}

// end stops everything and counts what is left.
func (w *world) end() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.system.Shutdown(ctx); err != nil {
		w.t.Error(err)
	}
	if err := w.traces.Shutdown(ctx); err != nil {
		w.t.Error(err)
	}
	if err := w.logs.Close(ctx); err != nil {
		w.t.Error(err)
	}
	for _, c := range w.agent.conns {
		select {
		case <-c.closed:
		default:
			w.t.Error("a connection to the agent is left")
		}
	}
	if n := w.spaces.open.Load(); n != 0 {
		w.t.Errorf("%d handles of namespaces are left", n)
	}
	for name, n := range w.open {
		if n != 0 {
			w.t.Errorf("%d listeners of %s are left", n, name)
		}
	}
}

// openPod opens a pod's one listener.
func (w *world) openPod(ctx context.Context, _ string, ns messages.PodNamespace, info messages.WorkloadInfo) (*pods.Opened, error) {
	w.mu.Lock()
	slow, taken := w.slow, w.taken[info.Name]
	w.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if taken {
		return nil, errors.New("failed to bind to address [::]:15008: Address already in use (os error 98)")
	}
	w.mu.Lock()
	w.open[info.Name]++
	w.mu.Unlock()
	held := ns.Share()
	l := &fakeListener{w: w, name: info.Name, closed: make(chan struct{})}
	return &pods.Opened{
		Pod:   pod.Config{Flow: flow.Deps{Telemetry: w.traces}, Listeners: []pod.Bound{{Entrance: messages.EntranceHBONE, Listener: l}}, Log: mute{}},
		Close: func() { _ = held.Close() },
	}, nil
}

type fakeListener struct {
	w      *world
	name   string
	once   sync.Once
	closed chan struct{}
}

func (l *fakeListener) Accept() (socket.Accepted, error) {
	<-l.closed
	return socket.Accepted{}, net.ErrClosed
}

func (l *fakeListener) Close() error {
	l.once.Do(func() {
		l.w.mu.Lock()
		defer l.w.mu.Unlock()
		l.w.open[l.name]--
		close(l.closed)
	})
	return nil
}

func (l *fakeListener) Addr() netip.AddrPort { return netip.AddrPort{} }
func (l *fakeListener) Transparent() bool    { return true }

// mute is a pod's log.
type mute struct{}

func (mute) ListenerEstablished(messages.Entrance, socket.Listener)       {}
func (mute) ShutdownComplete(messages.Entrance)                           {}
func (mute) AcceptFailed(messages.Entrance, error)                        {}
func (mute) DrainExpired(int)                                             {}
func (mute) PolicyClosed(*messages.Connection, string, *messages.Verdict) {}

// add is a pod in a namespace.
func (w *world) add(uid string, ns uint64) *zds.Add {
	return &zds.Add{
		UID: uid, Info: &messages.WorkloadInfo{Name: uid, Namespace: "ns", ServiceAccount: "sa"}, Namespace: w.spaces.handle(ns),
	}
}

// connected is the agent's next connection.
func (w *world) connected() *fakeConn {
	w.t.Helper()
	select {
	case c := <-w.agent.next:
		return c
	case <-time.After(time.Hour):
		w.t.Fatal("nobody dials the agent")
		return nil
	}
}

func (w *world) take(name string, taken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken[name] = taken
}

func (w *world) ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.pending[Task]
}

// listed are the pods as the admin page shows them: "uid" for one that is up, "uid: reason" for others.
func (w *world) listed() []string {
	w.t.Helper()
	got, err := kit.AskFor[*messages.PodsListed](context.Background(), w.system, w.pods, &messages.ListPods{}, time.Second)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, p := range got.Pods {
		switch {
		case p.Err != nil:
			all = append(all, p.UID+": "+p.Err.Error())
		case p.State == messages.PodPending:
			all = append(all, p.UID+": pending")
		default:
			all = append(all, p.UID)
		}
	}
	return all
}

func (w *world) expect(want ...string) {
	w.t.Helper()
	synctest.Wait()
	if got := w.listed(); !slices.Equal(got, want) {
		w.t.Errorf("the pods are %q, want %q", got, want)
	}
}

// expectAnswer asks and compares.
func (w *world) expectAnswer(c *fakeConn, r zds.Request, want string) {
	w.t.Helper()
	if got := c.ask(w.t, r); got != want {
		w.t.Errorf("%T was answered %q, want %q", r, got, want)
	}
	synctest.Wait()
}

// pass lets time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
