package bubble

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/memnet"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// closing bounds what Close waits for, in virtual time.
const closing = time.Minute

// World is a mesh with its nodes and applications.
type World struct {
	tb        testing.TB
	mesh      Mesh
	net       *memnet.Network
	authority *mtls.Authority
	hosts     map[string]*memnet.Host
	nodes     []*Node
	apps      []*App
	peers     []*Peer
	issued    map[messages.Identity]*mtls.Certificate
	traces    *traces
	ctx       context.Context
	cancel    context.CancelFunc
}

// New makes a world whose workloads each have a host and no node yet. It must be called inside a bubble.
func New(tb testing.TB, m Mesh) *World {
	tb.Helper()
	return NewOn(tb, m, memnet.Options{Link: memnet.Link{Latency: time.Millisecond}})
}

// NewOn is New on a network of one's own.
func NewOn(tb testing.TB, m Mesh, o memnet.Options) *World {
	tb.Helper()
	authority, err := mtls.NewAuthority(mtls.AuthorityOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	w := &World{
		tb: tb, mesh: m, authority: authority, hosts: map[string]*memnet.Host{}, issued: map[messages.Identity]*mtls.Certificate{},
		net: memnet.New(o), traces: newTraces(),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	for _, wl := range m.Workloads {
		var addrs []netip.Addr
		for ip := range strings.FieldsSeq(wl.IPs) {
			addrs = append(addrs, netip.MustParseAddr(ip))
		}
		if len(addrs) > 0 {
			w.hosts[wl.Name] = w.net.AddHost(addrs...)
		}
	}
	return w
}

// Net is the network between the hosts, for partitions and resets.
func (w *World) Net() *memnet.Network { return w.net }

// Host is the host of a workload.
func (w *World) Host(name string) *memnet.Host {
	h := w.hosts[name]
	if h == nil {
		w.tb.Helper()
		w.tb.Fatalf("no workload %q has a host", name)
	}
	return h
}

// AddHost adds a host that the mesh does not know.
func (w *World) AddHost(name, ip string) *memnet.Host {
	h := w.net.AddHost(netip.MustParseAddr(ip))
	w.hosts[name] = h
	return h
}

// Settle waits until nothing happens any more without time passing.
func (w *World) Settle() { synctest.Wait() }

// Pass lets virtual time pass and everything settle.
func (w *World) Pass(d time.Duration) {
	<-time.After(d)
	w.Settle()
}

// Close stops applications and nodes.
func (w *World) Close() {
	w.tb.Helper()
	w.cancel()
	for _, p := range w.peers {
		p.Close()
	}
	for _, a := range w.apps {
		a.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	for _, n := range w.nodes {
		n.stop(ctx)
	}
}

// Options change a node from what it is in a mesh without surprises.
type Options struct {
	// Pod changes the pod's configuration.
	Pod func(*pod.Config)
	// Mesh is what this node is told instead of the world's mesh.
	Mesh *Mesh
	// Faults sees every message.
	Faults kit.FaultHook
	// Signer makes the certificates instead of the world's authority.
	Signer identity.Signer
	// Open opens the doors before the first state has arrived.
	Open bool
	// Untraced turns tracing off.
	Untraced bool
	// Scheduler decides when each message is delivered.
	Scheduler kit.Scheduler
	// Seed, unless zero, is where all chance of the node's comes from, but for that of crypto.
	Seed uint64
	// Chance, where set, draws the jitter of restarts instead of the seed.
	Chance func() float64
	// Source, where set, is asked for the state at each delivery to a store, instead of the mesh.
	Source func() discovery.State
	// Plane is a control plane that the node has a stream to, instead of the mesh.
	Plane *Plane
	// Lists are the revocation lists that the node heeds; nil for none.
	Lists *Lists
	// Bare leaves the host's traffic as it is: nothing is redirected to the node.
	Bare bool
	// Resolver resolves host names instead of one that has no name server.
	Resolver state.Resolver
	// ReadyTasks are what readiness waits for until the first state has arrived.
	ReadyTasks []string
}

// Context ends when the world is closed.
func (w *World) Context() context.Context { return w.ctx }
