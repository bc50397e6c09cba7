package bubble

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-mesh/troupe/actors/cni"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/zds"
)

// The times of the real agent: how long it waits for an answer, and after how long it asks again for what was refused.
const (
	agentPatience = 5 * time.Second
	agentAgain    = time.Second
)

// Agent is the CNI agent of a node in shared mode. It behaves as Istio's: at each connection it tells of all pods and then
// that these were all, one request at a time; later it tells of changes; it hangs up when it is not answered in time, and
// asks again for what was refused.
type Agent struct {
	w *World

	mu    sync.Mutex
	pods  map[string]uint64 // the network namespace of each
	last  uint64
	down  bool
	conn  *agentConn
	told  map[string]uint64 // what the proxy has confirmed on this connection
	moved chan struct{}
	conns chan *agentConn
	// handles counts the open handles of namespaces.
	handles atomic.Int64
}

func newAgent(w *World) *Agent {
	a := &Agent{
		w: w, pods: map[string]uint64{}, told: map[string]uint64{}, moved: make(chan struct{}, 1), conns: make(chan *agentConn, 16),
	}
	go a.run()
	return a
}

// Add says that a workload's pod is on the node, in a network namespace of its own; a pod that is there already comes again
// in another one.
func (a *Agent) Add(pod string) {
	a.change(func() {
		a.last++
		a.pods[pod] = a.last
	})
}

// Delete says that a pod is gone.
func (a *Agent) Delete(pod string) { a.change(func() { delete(a.pods, pod) }) }

// HangUp ends the connection; the proxy dials anew.
func (a *Agent) HangUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn != nil {
		_ = a.conn.Close()
	}
}

// SetDown makes the agent refuse connections, and hang up, or listen again.
func (a *Agent) SetDown(down bool) {
	a.mu.Lock()
	a.down = down
	a.mu.Unlock()
	if down {
		a.HangUp()
	}
}

// Serves reports whether the proxy has confirmed the agent's pods, and that there are no others.
func (a *Agent) Serves() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conn != nil && maps.Equal(a.pods, a.told)
}

// Handles are how many handles of network namespaces are open.
func (a *Agent) Handles() int64 { return a.handles.Load() }

func (a *Agent) change(how func()) {
	a.mu.Lock()
	how()
	a.mu.Unlock()
	select {
	case a.moved <- struct{}{}:
	default:
	}
}

func (a *Agent) dial(context.Context) (cni.Agent, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down || a.w.ctx.Err() != nil {
		return nil, errors.New("connection refused")
	}
	c := &agentConn{requests: make(chan zds.Request), answers: make(chan string, 1), greeted: make(chan struct{}), over: make(chan struct{})}
	select {
	case a.conns <- c:
		return c, nil
	default:
		return nil, errors.New("connection refused: the backlog is full")
	}
}

// run serves one connection after another.
func (a *Agent) run() {
	for {
		select {
		case c := <-a.conns:
			a.serve(c)
		case <-a.w.ctx.Done():
			return
		}
	}
}

func (a *Agent) serve(c *agentConn) {
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(a.w.ctx, func() { _ = c.Close() })
	defer stop()
	select {
	case <-c.greeted:
	case <-c.over:
		return
	}
	a.mu.Lock()
	clear(a.told)
	a.conn = c
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.conn = nil
	}()
	settled, alive := a.tell(c)
	if !alive || c.ask(&zds.SnapshotSent{}) != nil {
		return
	}
	for {
		var again <-chan time.Time
		if !settled {
			again = time.After(agentAgain)
		}
		select {
		case <-a.moved:
		case <-again:
		case <-c.over:
			return
		}
		if settled, alive = a.tell(c); !alive {
			return
		}
	}
}

// tell tells what the proxy has not confirmed. Settled says that it has all, alive that the connection lives.
func (a *Agent) tell(c *agentConn) (settled, alive bool) {
	settled = true
	for _, uid := range a.names() {
		a.mu.Lock()
		ns, is := a.pods[uid]
		told, was := a.told[uid]
		a.mu.Unlock()
		var err error
		switch {
		case is && (!was || told != ns):
			info := messages.WorkloadInfo{Name: uid, Namespace: "ns", ServiceAccount: uid}
			err = c.ask(&zds.Add{UID: uid, Info: &info, Namespace: a.handle(ns)})
		case !is && was:
			err = c.ask(&zds.Delete{UID: uid})
		default:
			continue
		}
		if errors.Is(err, errHungUp) {
			return false, false
		}
		if err != nil {
			settled = false
			continue
		}
		a.mu.Lock()
		if is {
			a.told[uid] = ns
		} else {
			delete(a.told, uid)
		}
		a.mu.Unlock()
	}
	return settled, true
}

// names are the pods that are, or were told of.
func (a *Agent) names() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := maps.Clone(a.pods)
	maps.Copy(all, a.told)
	return slices.Sorted(maps.Keys(all))
}

// agentConn is a connection to the agent: cni.Agent on the proxy's side.
type agentConn struct {
	requests chan zds.Request
	answers  chan string
	greeted  chan struct{}
	over     chan struct{}
	hello    sync.Once
	once     sync.Once
}

// errHungUp says that the connection is over.
var errHungUp = errors.New("the connection to the proxy is over")

// ask makes one request. An error is errHungUp or what the proxy said.
func (c *agentConn) ask(r zds.Request) error {
	late := time.NewTimer(agentPatience)
	defer late.Stop()
	select {
	case c.requests <- r:
	case <-c.over:
		zds.Discard(r)
		return errHungUp
	case <-late.C:
		zds.Discard(r)
		return errHungUp
	}
	select {
	case failure := <-c.answers:
		if failure != "" {
			return errors.New(failure)
		}
		return nil
	case <-c.over:
		return errHungUp
	case <-late.C:
		return errHungUp
	}
}

// Hello implements cni.Agent.
func (c *agentConn) Hello() error {
	c.hello.Do(func() { close(c.greeted) })
	return nil
}

// Read implements cni.Agent.
func (c *agentConn) Read() (zds.Request, error) {
	select {
	case r := <-c.requests:
		return r, nil
	case <-c.over:
		return nil, zds.ErrEnded
	}
}

// Answer implements cni.Agent.
func (c *agentConn) Answer(failure string) error {
	select {
	case c.answers <- failure:
		return nil
	case <-c.over:
		return io.ErrClosedPipe
	}
}

// Close implements cni.Agent.
func (c *agentConn) Close() error {
	c.once.Do(func() { close(c.over) })
	return nil
}

// space is a handle of a pod's network namespace, which is the host of its workload.
type space struct {
	agent  *Agent
	id     uint64
	closed atomic.Bool
}

func (a *Agent) handle(id uint64) *space {
	a.handles.Add(1)
	return &space{agent: a, id: id}
}

// ID implements messages.PodNamespace.
func (s *space) ID() messages.NamespaceID { return messages.NamespaceID{Inode: s.id} }

// Share implements messages.PodNamespace.
func (s *space) Share() messages.PodNamespace { return s.agent.handle(s.id) }

// Close implements messages.PodNamespace.
func (s *space) Close() error {
	if !s.closed.Swap(true) {
		s.agent.handles.Add(-1)
	}
	return nil
}
