package bubble

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/troupe-mesh/troupe/actors/admin"
	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/node"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/pool"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/memnet"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/resolver"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// The ports of a node.
const (
	portHBONE     = 15008
	portPlaintext = 15006
	portOutbound  = 15001
	portSOCKS     = 15080
)

// Node is a node that serves one workload of the world, or in shared mode several.
type Node struct {
	*node.Node
	Host *memnet.Host
	// Agent is the CNI agent that it serves pods for, nil in dedicated mode.
	Agent *Agent
	// System are its actors, Events what went wrong with them, Wire what its tunnels refused.
	System *kit.System
	Events *Events
	Wire   *hbone.Stats

	w         *World
	name      string
	logs      *logs.Logs
	log       *text
	telemetry *trace.Telemetry
	spans     *tracetest.InMemoryExporter
	stopped   bool
}

// Start starts a node for a workload, and waits until its doors are open.
func (w *World) Start(name string) *Node { return w.StartWith(name, Options{}) }

// StartWith is Start with options.
func (w *World) StartWith(name string, o Options) *Node {
	w.tb.Helper()
	return w.start(name, o, nil)
}

// start starts a node: in shared mode where there is an agent.
func (w *World) start(name string, o Options, agent *Agent) *Node {
	w.tb.Helper()
	n := &Node{w: w, name: name, Host: w.Host(name), Agent: agent, Events: &Events{}, Wire: &hbone.Stats{}, log: &text{}}
	n.startTelemetry(o)
	n.System = kit.NewSystem(kit.Config{
		Log:    func(e kit.Event) { n.Events.add(e); n.telemetry.ActorEvent(e) },
		Faults: o.Faults, Scheduler: o.Scheduler, Chance: o.jitter(), Roots: node.Roots(),
	})
	mesh := w.mesh
	if o.Mesh != nil {
		mesh = *o.Mesh
	}
	signer := o.Signer
	if signer == nil {
		signer = identity.Local(w.authority)
	}
	var revocations *identity.RevocationsConfig
	if o.Lists != nil {
		revocations = o.Lists.config()
		revocations.Log = n.logs.Scope("ztunnel::tls::crl")
	}
	local, control := mesh.State(), (*discovery.Control)(nil)
	if o.Plane != nil {
		local, control = discovery.State{}, o.Plane.Control()
		control.Log, control.Applied = n.logs.Scope("ztunnel::xds::client"), n.telemetry.StateApplied
	}
	var err error
	config := node.Config{
		System:      n.System,
		State:       state.Config{Resolver: o.resolver(), Random: source(o, drawsEndpoints)},
		Local:       local,
		Control:     control,
		Source:      o.Source,
		Identity:    identity.Config{Signer: signer, Random: chance(o, drawsRenewals), Observe: n.telemetry.CertificateSigned},
		Revocations: revocations,
		Admin:       admin.Deps{Log: n.logs, Start: time.Now(), Tasks: o.ReadyTasks},
		ReadyTasks:  o.ReadyTasks,
	}
	if agent != nil {
		config.Shared = n.shared(o)
	} else {
		config.Pod, config.PodUID = n.podConfig(o, n.name, n.Host), name
	}
	n.Node, err = node.Start(config)
	if err != nil {
		w.tb.Fatal(err)
	}
	if !o.Bare {
		capture(n.Host)
	}
	w.nodes = append(w.nodes, n)
	w.Settle()
	return n
}

func (o *Options) jitter() func() float64 {
	if o.Chance != nil {
		return o.Chance
	}
	return chance(*o, drawsRestarts)
}

func (o *Options) resolver() state.Resolver {
	if o.Resolver != nil {
		return o.Resolver
	}
	return resolver.New(resolver.Config{})
}

func (n *Node) startTelemetry(o Options) {
	n.w.tb.Helper()
	filter, err := logs.ParseFilter("info")
	if err != nil {
		n.w.tb.Fatal(err)
	}
	n.logs = logs.New(n.log, logs.Plain, filter)
	options := trace.Options{Logs: n.logs}
	if o.Seed != 0 {
		options.Seed = &[2]uint64{o.Seed, drawsIDs}
	}
	if !o.Untraced {
		n.spans = tracetest.NewInMemoryExporter()
		options.Provider, err = trace.NewProvider(trace.ProviderOptions{
			Direct: []trace.Exporter{n.spans, n.w.traces}, Ratio: 1, Resource: map[string]string{"k8s.node.name": n.name},
		})
		if err != nil {
			n.w.tb.Fatal(err)
		}
	}
	if n.telemetry, err = trace.New(options); err != nil {
		n.w.tb.Fatal(err)
	}
}

func (n *Node) podConfig(o Options, name string, host *memnet.Host) pod.Config {
	n.w.tb.Helper()
	c, err := n.makePod(o, name, host, socket.ListenOptions{})
	if err != nil {
		n.w.tb.Fatal(err)
	}
	return c
}

// makePod makes what serves a workload, with its listeners bound on the workload's host.
func (n *Node) makePod(o Options, name string, host *memnet.Host, how socket.ListenOptions) (pod.Config, error) {
	settings := flow.DefaultSettings()
	settings.Info = messages.WorkloadInfo{Name: name, Namespace: "ns", ServiceAccount: name}
	settings.IllegalPorts = append(settings.IllegalPorts, portSOCKS)
	client, server := hbone.ClientDefaults(), hbone.ServerDefaults()
	client.Stats, server.Stats = n.Wire, n.Wire
	c := pod.Config{
		Flow:     flow.Deps{Telemetry: n.telemetry, Network: host, Settings: settings, TLS: mtls.Options{}, HBONE: client},
		ServerH2: server, Pool: pool.DefaultSettings(), Log: podLog{n.logs}, StartsOpen: o.Open,
	}
	if o.Lists != nil {
		c.Flow.TLS.Revocations = o.Lists.lists
	}
	for _, l := range []struct {
		entrance messages.Entrance
		addr     string
	}{
		{messages.EntranceHBONE, fmt.Sprintf("[::]:%d", portHBONE)},
		{messages.EntrancePlaintext, fmt.Sprintf("[::]:%d", portPlaintext)},
		{messages.EntranceOutbound, fmt.Sprintf("[::]:%d", portOutbound)},
		{messages.EntranceSOCKS5, fmt.Sprintf("127.0.0.1:%d", portSOCKS)},
	} {
		bound, err := host.Listen(context.Background(), netip.MustParseAddrPort(l.addr), how)
		if err != nil {
			for _, b := range c.Listeners {
				_ = b.Listener.Close()
			}
			return pod.Config{}, err
		}
		c.Listeners = append(c.Listeners, pod.Bound{Entrance: l.entrance, Listener: bound})
	}
	if o.Pod != nil {
		o.Pod(&c)
	}
	return c, nil
}

// stop ends the node; a second time it does nothing.
func (n *Node) stop(ctx context.Context) {
	n.w.tb.Helper()
	if n.stopped {
		return
	}
	n.stopped = true
	if err := n.System.Shutdown(ctx); err != nil {
		n.w.tb.Errorf("node %s: %v", n.name, err)
	}
	if err := n.telemetry.Shutdown(ctx); err != nil {
		n.w.tb.Errorf("node %s: %v", n.name, err)
	}
	if err := n.logs.Close(ctx); err != nil {
		n.w.tb.Errorf("node %s: %v", n.name, err)
	}
}

// Stop ends the node as the end of its process would, without a drain.
func (n *Node) Stop() {
	n.w.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	n.stop(ctx)
}

// UpdatePolicies changes the node's policies as a push of the control plane does, and waits until that is done.
func (n *Node) UpdatePolicies(u messages.UpdatePolicies) {
	n.w.tb.Helper()
	n.tell(n.Stores().Policies, &u)
}

// UpdateWorkloads is UpdatePolicies for workloads.
func (n *Node) UpdateWorkloads(set ...Workload) {
	n.w.tb.Helper()
	u := &messages.UpdateWorkloads{}
	for _, w := range set {
		u.Set = append(u.Set, w.build())
	}
	n.tell(n.Stores().Workloads, u)
}

func (n *Node) tell(store *actor.PID, update any) {
	n.w.tb.Helper()
	if _, err := kit.AskFor[*messages.Applied](context.Background(), n.System, store, update, closing); err != nil {
		n.w.tb.Fatal(err)
	}
	n.w.Settle()
}

// Name is the name of the workload that the node serves.
func (n *Node) Name() string { return n.name }
