package cniagent

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// The limits of the agent.
const (
	patience  = 5 * time.Second
	maxAnswer = 1024
	// slack is how long Await waits for what the proxy does in its own time.
	slack = 20 * time.Second
)

// ErrNoProxy says that no proxy is connected.
var ErrNoProxy = errors.New("no ztunnel connection")

// Pod is a pod as the agent knows it. NetNS is a descriptor of its network namespace, which stays the caller's; nil is a pod
// whose namespace the agent can't find, which it asks to keep.
type Pod struct {
	UID, Name, Namespace, ServiceAccount string
	NetNS                                *os.File
}

// Agent is a running agent.
type Agent struct {
	tb       testing.TB
	path     string
	listener *net.UnixListener
	loops    sync.WaitGroup

	mu      sync.Mutex
	pods    []Pod
	proxies []*proxy // the newest last
	hellos  int
	nacks   []string // answers to the snapshot, which the agent only logs
	closed  bool
}

// Path makes a name for an agent's socket that is short enough for one.
func Path(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "cni") //nolint:usetesting // the path of a test's own directory is too long for a socket
	if err != nil {
		tb.Fatalf("a place for the agent's socket: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "ztunnel.sock")
}

// Start starts an agent that listens at path and knows pods. It ends with the test, or by Stop.
func Start(tb testing.TB, path string, pods ...Pod) *Agent {
	tb.Helper()
	_ = os.Remove(path) // what an earlier agent left
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		tb.Fatalf("the agent's socket: %v", err)
	}
	a := &Agent{tb: tb, path: path, listener: l, pods: pods}
	a.loops.Go(a.accept)
	tb.Cleanup(a.Stop)
	return a
}

// Stop ends the agent, as a crash would: the proxies see their connections end.
func (a *Agent) Stop() {
	a.mu.Lock()
	a.closed = true
	_ = a.listener.Close()
	for _, p := range a.proxies {
		_ = p.conn.Close()
	}
	a.mu.Unlock()
	a.loops.Wait()
}

// Known are the pods that the agent knows: a restarted one starts with them.
func (a *Agent) Known() []Pod {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.pods)
}

// Add makes a pod known and has the newest proxy serve it. It returns the proxy's refusal.
func (a *Agent) Add(p Pod) error {
	a.mu.Lock()
	a.pods = slices.DeleteFunc(a.pods, func(q Pod) bool { return q.UID == p.UID })
	a.pods = append(a.pods, p)
	var newest *proxy
	if n := len(a.proxies); n > 0 {
		newest = a.proxies[n-1]
	}
	a.mu.Unlock()
	if newest == nil {
		return ErrNoProxy
	}
	return newest.ask(packet{body: add(p), file: p.NetNS})
}

// Delete forgets a pod and has all proxies end it.
func (a *Agent) Delete(uid string) error {
	a.mu.Lock()
	a.pods = slices.DeleteFunc(a.pods, func(q Pod) bool { return q.UID == uid })
	proxies := slices.Clone(a.proxies)
	a.mu.Unlock()
	var errs []error
	for _, p := range proxies {
		errs = append(errs, p.ask(packet{body: del(uid)}))
	}
	return errors.Join(errs...)
}

// Send sends a packet of the test's own to the newest proxy and returns its answer.
func (a *Agent) Send(body []byte, files ...*os.File) error {
	a.mu.Lock()
	var newest *proxy
	if n := len(a.proxies); n > 0 {
		newest = a.proxies[n-1]
	}
	a.mu.Unlock()
	if newest == nil {
		return ErrNoProxy
	}
	return newest.ask(packet{body: body, files: files})
}

// AwaitSnapshots waits until n proxies in all have been told of everything, since the agent began.
func (a *Agent) AwaitSnapshots(n int) {
	a.tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(slack); ; <-tick.C {
		a.mu.Lock()
		got := a.hellos
		a.mu.Unlock()
		if got >= n {
			return
		}
		if time.Now().After(deadline) {
			a.tb.Fatalf("%d proxies have taken the snapshot within %v, want %d", got, slack, n)
		}
	}
}

// Refusals are the errors that proxies gave to requests of the snapshot.
func (a *Agent) Refusals() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.nacks)
}

func (a *Agent) accept() {
	for {
		conn, err := a.listener.AcceptUnix()
		if err != nil {
			return
		}
		p := newProxy(a, conn)
		a.mu.Lock()
		if a.closed {
			a.mu.Unlock()
			_ = conn.Close()
			return
		}
		a.proxies = append(a.proxies, p)
		a.mu.Unlock()
		a.loops.Go(func() {
			err := p.serve()
			a.mu.Lock()
			defer a.mu.Unlock()
			a.proxies = slices.DeleteFunc(a.proxies, func(q *proxy) bool { return q == p })
			if err != nil && !a.closed {
				a.tb.Logf("the agent's connection ended: %v", err)
			}
		})
	}
}

// complain fails the test for what no agent would bear.
func (a *Agent) complain(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.tb.Errorf("the CNI agent: "+format, args...)
	}
}

// RefusedError is an answer with an error text.
type RefusedError struct{ Text string }

func (e *RefusedError) Error() string { return fmt.Sprintf("got ack error: %s", e.Text) }
