package inpod

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/cniagent"
	"github.com/troupe-mesh/troupe/e2e/lab"
	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// The names that the scenarios share.
const (
	localNode  = "node"
	remoteNode = "remote-node"
	namespace  = "default"
	serverPort = 8080
	hbonePort  = 15008
)

// The first words of every conversation, and their answer.
const (
	hello      = "hello world"
	helloTwice = hello + hello
)

// world is a cluster whose nodes have a proxy and a CNI agent each.
type world struct {
	t       *testing.T
	lab     *lab.Lab
	nodes   map[string]*node
	mesh    mesh.Config
	caDir   string
	members []*member
}

// node is a machine with its proxy.
type node struct {
	*lab.Node
	pod   *lab.Pod // the proxy's
	agent *cniagent.Agent
	proxy *product.Proxy
	uds   string
	env   map[string]string
}

// member is a pod with its workload and its application.
type member struct {
	*lab.Pod
	w        *world
	node     *node
	workload mesh.Workload
	captured bool
	rules    lab.Redirection
	app      *agent.Agent
}

// option changes a member before it starts.
type option func(*member)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, lab: lab.New(t), nodes: map[string]*node{}, caDir: t.TempDir()}
	for _, name := range []string{localNode, remoteNode} {
		n := &node{Node: w.lab.Node(name), uds: cniagent.Path(t), env: map[string]string{}}
		n.pod = n.Node.Pod("ztunnel")
		w.nodes[name] = n
		w.mesh.Workloads = append(w.mesh.Workloads, workload("ztunnel-"+name, name, n.pod))
	}
	return w
}

func workload(name, node string, pod *lab.Pod) mesh.Workload {
	return mesh.Workload{
		UID: "cluster1//v1/Pod/" + namespace + "/" + name, Name: name, Namespace: namespace, ServiceAccount: name,
		TrustDomain: "cluster.local", ClusterID: "Kubernetes", WorkloadName: name, WorkloadType: "deployment",
		CanonicalName: name, CanonicalRevision: "v1", Node: node, Protocol: mesh.HBONE, Services: map[string]mesh.Ports{},
		WorkloadIPs: []string{pod.IPv4.String(), pod.IPv6.String()},
	}
}

// pod declares a pod of the mesh.
func (w *world) pod(name, node string, options ...option) *member {
	w.t.Helper()
	n := w.nodes[node]
	m := &member{Pod: n.Node.Pod(name), w: w, node: n, captured: true, rules: lab.InPod}
	m.workload = workload(name, node, m.Pod)
	for _, o := range options {
		o(m)
	}
	w.members = append(w.members, m)
	return m
}

// uncaptured is a pod outside the mesh.
func uncaptured(m *member) { m.captured, m.workload.Protocol = false, mesh.TCP }

// ruled has the redirection of a pod changed.
func ruled(change func(*lab.Redirection)) option { return func(m *member) { change(&m.rules) } }

func inService(hostname string, ports mesh.Ports) option {
	return func(m *member) { m.workload.Services[namespace+"/"+hostname] = ports }
}

func withWaypoint(destination string) option {
	return func(m *member) { m.workload.Waypoint = &mesh.Gateway{Destination: destination, Port: hbonePort} }
}

func inTrustDomain(domain string) option {
	return func(m *member) { m.workload.TrustDomain = domain }
}

// start starts agents, proxies and applications, and waits until the proxies serve all pods.
func (w *world) start() {
	w.t.Helper()
	w.startRefusing()
	for _, n := range w.nodes {
		n.proxy.WaitReady()
	}
}

// startRefusing starts them, where the proxies refuse some pods.
func (w *world) startRefusing(names ...string) {
	w.t.Helper()
	for _, m := range w.members {
		w.mesh.Workloads = append(w.mesh.Workloads, m.workload)
	}
	for _, m := range w.members {
		if m.captured {
			m.Redirect(m.rules)
		}
	}
	for _, n := range w.nodes {
		var pods []cniagent.Pod
		for _, m := range w.members {
			if m.captured && m.node == n {
				pods = append(pods, m.cni())
			}
		}
		n.agent = cniagent.Start(w.t, n.uds, pods...)
		w.launch(n)
	}
	for _, m := range w.members {
		if m.app == nil {
			m.app = agent.Start(w.t, m.NS, m.Name)
		}
	}
	refused := 0
	for _, n := range w.nodes {
		n.agent.AwaitSnapshots(1)
		refused += len(n.agent.Refusals())
	}
	if refused != len(names) {
		w.t.Fatalf("the proxies refused %d pods, want %q", refused, names)
	}
}

// launch starts a node's proxy.
func (w *world) launch(n *node) *product.Proxy {
	w.t.Helper()
	n.proxy = w.launchIn(n, n.pod)
	return n.proxy
}

// launchIn starts a proxy of a node in a pod of its own.
func (w *world) launchIn(n *node, pod *lab.Pod) *product.Proxy {
	w.t.Helper()
	env := map[string]string{
		"PROXY_MODE": "shared", "INPOD_UDS": n.uds, "PACKET_MARK": "",
		"POD_NAME": "ztunnel-" + n.Name, "POD_NAMESPACE": namespace, "SERVICE_ACCOUNT": "ztunnel-" + n.Name,
	}
	for name, value := range n.env {
		env[name] = value
	}
	return product.Launch(w.t, product.Config{
		Name: pod.Name + "-" + n.Name, Namespace: pod.NS, Node: n.Name, Mesh: w.mesh, CADir: w.caDir, Env: env,
	})
}

// cni is the pod as the CNI agent knows it.
func (m *member) cni() cniagent.Pod {
	return cniagent.Pod{
		UID: "uid-" + m.Name, Name: m.Name, Namespace: namespace, ServiceAccount: m.workload.ServiceAccount, NetNS: m.NS.File(),
	}
}

// identity is the member's SPIFFE id.
func (m *member) identity() string {
	return "spiffe://" + m.workload.TrustDomain + "/ns/" + namespace + "/sa/" + m.workload.ServiceAccount
}

// at is the member's address with a port.
func (m *member) at(f family, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(f.of(m.Pod), port)
}

// family chooses between a pod's addresses.
type family string

const (
	ipv4 family = "IPv4"
	ipv6 family = "IPv6"
)

var families = []family{ipv4, ipv6}

func (f family) of(p *lab.Pod) netip.Addr {
	if f == ipv6 {
		return p.IPv6
	}
	return p.IPv4
}

// talk is one whole conversation between a client and a server in mode Double, and returns the client's address.
func talk(client *member, target netip.AddrPort) netip.AddrPort {
	client.w.t.Helper()
	c := client.app.Dial(target)
	c.Write(hello)
	c.Expect(helloTwice)
	c.CloseWrite()
	c.ExpectEnd(agent.EndEOF)
	return c.Local
}
