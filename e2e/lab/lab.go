// Package lab builds the cluster that the end-to-end tests run in out of real network namespaces: a network of
// nodes on one bridge, and pods behind the nodes, each with an IPv4 and an IPv6 address, as spec/ops.md §11.1 lays
// out. Nothing needs a shell tool: links, addresses, routes and rules go by netlink, redirection by nf_tables.
//
//	root     br0 172.172.0.1/16, fd00:172::1/64
//	node k   eth0 172.172.0.k, fd00:172::k; one veth per pod with 10.0.k.1 and fd00:10:0:k::1
//	pod i    eth0 10.0.k.i, fd00:10:0:k::i, default route by the node
//
// Everything belongs to one test: it is made by [New], and gone when the test ends. The package doesn't know what
// runs in the pods.
package lab

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/sandbox"
)

// The bounds that the address plan sets.
const (
	maxNodes = 16
	maxPods  = 250
)

// Lab is one cluster's network.
type Lab struct {
	tb      testing.TB
	root    *Namespace
	nodes   []*Node
	nextPod byte
}

// Node is a machine of the cluster: a router in front of its pods.
type Node struct {
	Name string
	lab  *Lab
	id   byte
	ns   *Namespace
}

// Pod is a network namespace behind a node.
type Pod struct {
	Name string
	Node *Node
	IPv4 netip.Addr
	IPv6 netip.Addr
	NS   *Namespace
}

// New makes an empty cluster for tb. It skips or fails tb where there is nothing to build it from.
func New(tb testing.TB) *Lab {
	tb.Helper()
	sandbox.Require(tb)
	l := &Lab{tb: tb, nextPod: 2}
	l.root = l.namespace("root")
	l.must(l.root.bringUpRoot())
	return l
}

// Node adds a node.
func (l *Lab) Node(name string) *Node {
	l.tb.Helper()
	if len(l.nodes) == maxNodes {
		l.tb.Fatalf("a lab has at most %d nodes", maxNodes)
	}
	n := &Node{Name: name, lab: l, id: byte(len(l.nodes) + 2), ns: l.namespace(name)}
	l.must(l.connectNode(n))
	l.nodes = append(l.nodes, n)
	return n
}

// Pod adds a pod behind the node.
func (n *Node) Pod(name string) *Pod {
	n.lab.tb.Helper()
	id := n.lab.nextPod
	if id > maxPods {
		n.lab.tb.Fatalf("a lab has at most %d pods", maxPods)
	}
	n.lab.nextPod++
	p := &Pod{
		Name: name, Node: n, NS: n.lab.namespace(n.Name + "/" + name),
		IPv4: netip.AddrFrom4([4]byte{10, 0, n.id, id}),
		IPv6: podIPv6(n.id, id),
	}
	n.lab.must(n.connectPod(p, id))
	return p
}

// Bare makes a namespace outside the cluster, with nothing in it but a loopback that is down.
func (l *Lab) Bare(name string) *Namespace {
	l.tb.Helper()
	return l.namespace(name)
}

// Behind makes a machine behind the pod, such as a virtual machine in it: a link of the pod leads to it and to nothing else.
// It has the pod for its default route. It returns the machine's namespace and the link's name in the pod.
func (p *Pod) Behind(name string) (machine *Namespace, link string) {
	p.Node.lab.tb.Helper()
	machine, link = p.Node.lab.namespace(p.NS.name+"/"+name), "virt0"
	p.Node.lab.must(connectBehind(p, machine, link))
	return machine, link
}

// Probe gives the node the addresses that the kubelet's probes come from, and returns them.
func (n *Node) Probe() (v4, v6 netip.Addr) {
	n.lab.tb.Helper()
	v4, v6 = netip.MustParseAddr(probeIPv4), netip.MustParseAddr(probeIPv6)
	n.lab.must(n.ns.Do(func() error { return configure("lo", host(v4), host(v6)) }))
	return v4, v6
}

// NS is the node's own namespace.
func (n *Node) NS() *Namespace { return n.ns }

// Redirect installs the redirection of form in the pod.
func (p *Pod) Redirect(form Redirection) {
	p.Node.lab.tb.Helper()
	p.Node.lab.must(p.NS.Do(form.install))
}

func (l *Lab) namespace(name string) *Namespace {
	l.tb.Helper()
	ns, err := newNamespace(name)
	if err != nil {
		l.tb.Fatal(err)
	}
	l.tb.Cleanup(func() { _ = ns.Close() })
	return ns
}

func (l *Lab) must(err error) {
	l.tb.Helper()
	if err != nil {
		l.tb.Fatalf("building the lab: %v", err)
	}
}
