package dedicated

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
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
	vip        = "10.10.0.1"
)

// The first words of every conversation, and their answer.
const (
	hello       = "hello world"
	helloTwice  = hello + hello
	helloBytes  = "11"
	answerBytes = "22"
)

// world is a cluster of two nodes, and what is declared to run in it. Pods are declared first, then started.
type world struct {
	t       *testing.T
	lab     *lab.Lab
	nodes   map[string]*lab.Node
	mesh    mesh.Config
	caDir   string
	members []*member
}

// member is a pod with its workload, and, once started, its application and, where it is captured, its proxy.
type member struct {
	*lab.Pod
	workload    mesh.Workload
	captured    bool
	redirection lab.Redirection
	env         map[string]string
	app         *agent.Agent
	proxy       *product.Proxy
}

// option changes a member before it starts.
type option func(*member)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, lab: lab.New(t), nodes: map[string]*lab.Node{}, caDir: t.TempDir()}
	for _, name := range []string{localNode, remoteNode} {
		w.nodes[name] = w.lab.Node(name)
	}
	return w
}

// pod declares a pod: captured in the in-pod form, unless the options say otherwise.
func (w *world) pod(name, node string, options ...option) *member {
	w.t.Helper()
	m := &member{Pod: w.nodes[node].Pod(name), captured: true, redirection: lab.InPod, env: map[string]string{}}
	m.workload = mesh.Workload{
		UID: "cluster1//v1/Pod/" + namespace + "/" + name, Name: name, Namespace: namespace, ServiceAccount: name,
		TrustDomain: "cluster.local", ClusterID: "Kubernetes", WorkloadName: name, WorkloadType: "deployment",
		CanonicalName: name, CanonicalRevision: "v1", Node: node, Protocol: mesh.HBONE, Services: map[string]mesh.Ports{},
		WorkloadIPs: []string{m.IPv4.String(), m.IPv6.String()},
	}
	for _, o := range options {
		o(m)
	}
	w.members = append(w.members, m)
	return m
}

// uncaptured is a pod outside the mesh.
func uncaptured(m *member) { m.captured, m.workload.Protocol = false, mesh.TCP }

// dedicatedForm is the redirection and the source address of the reference's dedicated tests.
func dedicatedForm(m *member) {
	m.redirection = lab.Dedicated
	m.env["ENABLE_ORIG_SRC"] = "false"
}

func inService(hostname string, ports mesh.Ports) option {
	return func(m *member) { m.workload.Services[namespace+"/"+hostname] = ports }
}

func withWaypoint(destination string) option {
	return func(m *member) { m.workload.Waypoint = &mesh.Gateway{Destination: destination, Port: hbonePort} }
}

func withEnv(name, value string) option { return func(m *member) { m.env[name] = value } }

// start starts the proxies, then the applications: when the test ends, these go first, and leave nothing to drain.
func (w *world) start() {
	w.t.Helper()
	for _, m := range w.members {
		w.mesh.Workloads = append(w.mesh.Workloads, m.workload)
	}
	for _, m := range w.members {
		if m.captured {
			m.Redirect(m.redirection)
			m.proxy = product.Launch(w.t, w.config(m))
		}
	}
	for _, m := range w.members {
		if m.captured {
			m.proxy.WaitReady()
		}
		m.app = agent.Start(w.t, m.NS, m.Name)
	}
}

func (w *world) config(m *member) product.Config {
	return product.Config{
		Name: m.Name, Namespace: m.NS, Node: m.workload.Node, Mesh: w.mesh, CADir: w.caDir, Env: m.env,
		Workload: fmt.Sprintf("%s/%s/%s", namespace, m.Name, m.workload.ServiceAccount),
	}
}

// identity is the member's SPIFFE id.
func (m *member) identity() string {
	return fmt.Sprintf("spiffe://%s/ns/%s/sa/%s", m.workload.TrustDomain, namespace, m.workload.ServiceAccount)
}

// at is the member's address with a port.
func (m *member) at(ip netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(ip, port) }

// family chooses between a pod's addresses.
type family string

const (
	ipv4 family = "IPv4"
	ipv6 family = "IPv6"
)

var families = []family{ipv4, ipv6}

func (f family) of(m *member) netip.Addr {
	if f == ipv6 {
		return m.IPv6
	}
	return m.IPv4
}
