package istiod

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/node"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/grpcdial"
	"github.com/troupe-mesh/troupe/transport/wire/security"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// proxy is the part of a proxy that a control plane drives: discovery and the stores, over real gRPC.
type proxy struct {
	t         *testing.T
	system    *kit.System
	faults    *fault.Faults
	counters  *discovery.Counters
	workloads *actor.PID
	services  *actor.PID
	policies  *actor.PID
	discovery *actor.PID
	// synced is closed when the doors would open.
	synced chan struct{}
	log    *output
	logs   *logs.Logs
}

// output is a log that tests read.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

type change func(*grpcdial.Config, *discovery.Control)

// drive starts a proxy under a server.
func drive(t *testing.T, s *Server, changes ...change) *proxy {
	t.Helper()
	return driveWith(t, append([]change{func(c *grpcdial.Config, _ *discovery.Control) {
		c.Address, c.Roots.PEM = s.URL(), s.Roots()
	}}, changes...)...)
}

func driveWith(t *testing.T, changes ...change) *proxy {
	t.Helper()
	dial := grpcdial.Config{ClusterID: "Kubernetes"}
	me, err := xds.Node(xds.NodeConfig{PodName: "ztunnel-x", PodNamespace: "istio-system", InstanceIP: "10.0.0.1", Metadata: map[string]string{"NODE_NAME": "here"}})
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, faults: fault.New(), counters: &discovery.Counters{}, synced: make(chan struct{}), log: &output{}}
	filter, err := logs.DefaultFilter(nil)
	if err != nil {
		t.Fatal(err)
	}
	p.logs = logs.New(p.log, logs.Plain, filter)
	control := &discovery.Control{Node: me, Counters: p.counters, Log: p.logs.Scope("ztunnel::xds::client")}
	for _, c := range changes {
		c(&dial, control)
	}
	control.Opener = xds.NewClient(dial)
	p.system = kit.NewSystem(kit.Config{Faults: p.faults, Roots: node.Roots()})
	t.Cleanup(p.stop)
	spawn := func(spec kit.Spec) *actor.PID {
		pid, err := p.system.SpawnRoot(spec, spec.Role)
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	child := func(role string) func() *actor.PID {
		return func() *actor.PID { return actor.NewPID(p.system.Actors().Address(), role) }
	}
	config := state.Config{
		Node: "here", Discovery: child(discovery.RoleDiscovery), Services: child(state.RoleServices), Workloads: child(state.RoleWorkloads),
	}
	p.services = spawn(state.ServiceStore(config))
	p.workloads = spawn(state.WorkloadStore(config))
	p.policies = spawn(state.PolicyStore(config))
	listener := spawn(kit.Spec{Role: "node", Capacity: 10, New: func() actor.Actor { return (*doors)(p) }})
	p.discovery = spawn(discovery.Spec(discovery.Config{
		Control: control, Workloads: p.workloads, Services: p.services, Policies: p.policies, Node: listener,
	}))
	return p
}

// doors hears that the state is there.
type doors proxy

func (d *doors) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*messages.StateDelivered); ok {
		close(d.synced)
		ctx.Respond(&messages.StateNoted{Answer: kit.SystemOf(ctx).Answer(&m.Question, 0)})
	}
}

func (p *proxy) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.system.Shutdown(ctx); err != nil {
		p.t.Error(err)
	}
	if err := p.logs.Close(ctx); err != nil {
		p.t.Error(err)
	}
	if p.t.Failed() {
		p.t.Logf("the proxy's log:\n%s", p.log)
	}
}

// eventually waits for a condition.
func (p *proxy) eventually(what string, is func() bool) {
	p.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			p.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func (p *proxy) awaitSync() {
	p.t.Helper()
	select {
	case <-p.synced:
	case <-time.After(patience):
		p.t.Fatalf("not in sync within %s", patience)
	}
}

func (p *proxy) isSynced() bool {
	select {
	case <-p.synced:
		return true
	default:
		return false
	}
}

func ask[A any](p *proxy, who *actor.PID, q any) A {
	p.t.Helper()
	a, err := kit.AskFor[A](p.t.Context(), p.system, who, q, patience)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// workload is what the store has under a uid, or nil.
func (p *proxy) workload(uid string) *messages.Workload {
	p.t.Helper()
	return ask[*messages.WorkloadFound](p, p.workloads, &messages.FindWorkload{UID: uid}).Workload
}

func (p *proxy) service(namespace, hostname string) *messages.Service {
	p.t.Helper()
	name := messages.NamespacedHostname{Namespace: namespace, Hostname: hostname}
	return ask[*messages.ServiceFound](p, p.services, &messages.FindHostname{Name: name}).Service
}

// denies are the policies that apply to a workload.
func (p *proxy) denies(w *messages.Workload) []string {
	p.t.Helper()
	var keys []string
	for _, a := range ask[*messages.PoliciesFound](p, p.policies, &messages.FindPolicies{Workload: w}).Policies {
		keys = append(keys, a.Key)
	}
	return keys
}

// logged is what the proxy has said so far.
func (p *proxy) logged() string {
	p.t.Helper()
	if err := p.logs.Flush(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	return p.log.String()
}

func (p *proxy) connected() bool { return p.counters.Connected.Load() == 1 }

func (p *proxy) ended(e xds.Ending) uint64 { return p.counters.Terminations[e].Load() }

// pod is a workload as istiod describes pods.
func pod(name string, ip string) *workload.Workload {
	return &workload.Workload{
		Uid: uid(name), Name: name, Namespace: "ns", ServiceAccount: "sa", Node: "there",
		Addresses: [][]byte{netip.MustParseAddr(ip).AsSlice()}, TunnelProtocol: workload.TunnelProtocol_HBONE,
		WorkloadType: workload.WorkloadType_POD, WorkloadName: name, CanonicalName: name, ClusterId: "Kubernetes",
		Services: map[string]*workload.PortList{"ns/app.ns.svc.cluster.local": {Ports: []*workload.Port{{ServicePort: 80, TargetPort: 8080}}}},
	}
}

func uid(name string) string { return "Kubernetes//Pod/ns/" + name }

func app() *workload.Service {
	return &workload.Service{
		Name: "app", Namespace: "ns", Hostname: "app.ns.svc.cluster.local", Canonical: true,
		Addresses: []*workload.NetworkAddress{{Address: []byte{10, 96, 0, 1}}},
		Ports:     []*workload.Port{{ServicePort: 80, TargetPort: 8080}},
	}
}

func denial(name string) *security.Authorization {
	return &security.Authorization{
		Name: name, Namespace: "ns", Scope: security.Scope_NAMESPACE, Action: security.Action_DENY,
		Rules: []*security.Rule{{}},
	}
}

func pods(n int) []*workload.Workload {
	all := make([]*workload.Workload, n)
	for i := range all {
		all[i] = pod(fmt.Sprint("pod-", i), netip.AddrFrom4([4]byte{10, byte(1 + i>>16), byte(i >> 8), byte(i)}).String())
	}
	return all
}
