package inpod

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/cniagent"
)

// limit bounds what the tests wait for.
const limit = 20 * time.Second

// eventually waits until ok says true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// two is a world with a client here and a server there, and a conversation that goes on.
func two(t *testing.T) (w *world, client, server *member, open conversations) {
	t.Helper()
	w = newWorld(t)
	client, server = w.pod("client", localNode), w.pod("server", remoteNode)
	w.start()
	server.app.Listen(":8080", agent.Double)
	return w, client, server, converse(client, server)
}

// conversations go on, one by each family.
type conversations []*agent.Conn

func converse(client, server *member) (all conversations) {
	for _, f := range families {
		all = append(all, client.app.Dial(server.at(f, serverPort)))
	}
	all.goOn()
	return all
}

func (all conversations) goOn() {
	for _, c := range all {
		goesOn(c)
	}
}

func (all conversations) expectCut(t *testing.T) {
	t.Helper()
	for _, c := range all {
		expectCut(t, c)
		c.Close()
	}
}

// expectNothing wants a new call by either family to lead nowhere.
func expectNothing(t *testing.T, client, server *member) {
	t.Helper()
	for _, f := range families {
		c, err := client.app.TryDial(agent.Via{Target: server.at(f, serverPort).String()})
		if err == nil {
			_ = c.TryWrite(hello)
			expectCut(t, c)
		}
	}
}

// talkByBoth is talk by either family.
func talkByBoth(client, server *member) {
	client.w.t.Helper()
	for _, f := range families {
		talk(client, server.at(f, serverPort))
	}
}

func goesOn(c *agent.Conn) {
	c.Write(hello)
	c.Expect(helloTwice)
}

// expectCut wants a connection to have ended, however.
func expectCut(t *testing.T, c *agent.Conn) {
	t.Helper()
	if got, end := c.ReadAll(); end != agent.EndReset && end != agent.EndEOF {
		t.Errorf("read %q and the end %q, want to be cut off", got, end)
	}
}

// TestServerIsDeleted is the reference's test_server_shutdown: what is open is cut, and nothing new comes through.
func TestServerIsDeleted(t *testing.T) {
	_, client, server, open := two(t)
	if err := server.node.agent.Delete("uid-server"); err != nil {
		t.Fatal(err)
	}
	open.expectCut(t)
	expectNothing(t, client, server)
	if _, known := states(t, server.node.proxy)["uid-server"]; known {
		t.Error("the deleted pod is listed")
	}
	if err := server.node.agent.Add(server.cni()); err != nil { // the same namespace again, at once
		t.Fatal(err)
	}
	talkByBoth(client, server)
}

// TestAgentDiesAndReturns: pods are served on without the agent, readiness waits for it, and a new one is believed.
func TestAgentDiesAndReturns(t *testing.T) {
	w := newWorld(t)
	client, server, gone := w.pod("client", localNode), w.pod("server", localNode), w.pod("gone", localNode)
	w.start()
	server.app.Listen(":8080", agent.Double)
	n := w.nodes[localNode]
	open := converse(client, server)
	for range 3 {
		n.agent.Stop()
		n.proxy.WaitUnready()
		open.goOn()
		talkByBoth(client, server)
		kept := server.cni()
		kept.NetNS = nil // an agent that was restarted does not find every namespace
		n.agent = cniagent.Start(t, n.uds, client.cni(), kept)
		n.agent.AwaitSnapshots(1)
		n.proxy.WaitReady()
		open.goOn()
	}
	if got := states(t, n.proxy); len(got) != 2 || got["uid-server"].State != "Up" {
		t.Errorf("the pods are %+v, want client and server", got)
	}
	expectNothing(t, gone, server) // redirected to nobody
}

// TestProxyIsKilledAndRestarted: the next process learns everything anew.
func TestProxyIsKilledAndRestarted(t *testing.T) {
	w, client, server, open := two(t)
	n := w.nodes[localNode]
	n.proxy.Kill()
	open.expectCut(t)
	w.launch(n)
	n.agent.AwaitSnapshots(2)
	n.proxy.WaitReady()
	talkByBoth(client, server)
}

// TestNamespaceIsDeletedMidConnection: a pod dies with its namespace, which is let go when the agent says so, and not
// before.
func TestNamespaceIsDeletedMidConnection(t *testing.T) {
	_, client, server, open := two(t)
	node := server.node
	links := func() (n int) {
		_ = node.NS().Do(func() error {
			found, err := net.Interfaces()
			n = len(found)
			return err
		})
		return n
	}
	before, fds := links(), node.proxy.Descriptors()
	server.app.Kill()
	_ = server.NS.Close()
	open.expectCut(t)
	if err := node.agent.Delete("uid-server"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace ends", func() bool { return links() == before-1 })
	eventually(t, "its descriptors are let go", func() bool { return node.proxy.Descriptors() < fds })
	if !node.proxy.IsReady() {
		t.Error("the node is not ready")
	}
	_ = client
}

// TestTakenPort: a pod whose port is taken is refused with the reason and shown, the others don't suffer, and it is served
// when the port is free.
func TestTakenPort(t *testing.T) {
	w := newWorld(t)
	client, server, taken := w.pod("client", localNode), w.pod("server", localNode), w.pod("taken", localNode)
	taken.app = agent.Start(t, taken.NS, "squatter")
	taken.app.Listen(":15006", agent.Echo)
	n := w.nodes[localNode]
	w.startRefusing("taken")
	refusals := n.agent.Refusals()
	if len(refusals) != 1 || !strings.HasPrefix(refusals[0], "failure to start proxy : the inbound plaintext listener") ||
		!strings.Contains(refusals[0], "Address already in use (os error 98)") {
		t.Fatalf("the proxy refused %q", refusals)
	}
	server.app.Listen(":8080", agent.Double)
	talkByBoth(client, server)
	if n.proxy.IsReady() {
		t.Error("ready, although a pod of the snapshot is not served")
	}
	if got := states(t, n.proxy)["uid-taken"]; got.State != "Pending" || !strings.Contains(got.Error, "Address already in use") {
		t.Errorf("the pod is %+v", got)
	}
	n.proxy.ExpectSum("workload_manager_pending_proxy_count", nil, 1)
	taken.app.Kill()
	n.proxy.WaitReady()
	if got := states(t, n.proxy)["uid-taken"]; got.State != "Up" {
		t.Errorf("the pod is %+v", got)
	}
}

// TestHostileAgent: packets that can't be meant are refused, descriptors that come with them are closed, the pods are
// served on; a request that breaks the protocol ends the process with code 1.
func TestHostileAgent(t *testing.T) {
	w, client, server, open := two(t)
	n := w.nodes[localNode]
	before := n.proxy.Descriptors()
	ns := client.NS.File()
	for i, c := range []struct {
		body  string
		files []*os.File
		want  string
	}{
		{"\x0a\x03\x0a\x01a", nil, "No control message"},
		{"\x0a\x03\x0a\x01a", []*os.File{ns, ns}, "Expected 1 FD, got 2"},
		{"\x0a\x03\x0a\x01a", []*os.File{ns, ns, ns, ns, ns, ns, ns, ns}, "Expected 1 FD, got "},
		{"\x12\x03\x12\x01a", []*os.File{ns}, "Unexpected control message"},
		{"\x32\x00", nil, "no payload"},
		{"\xff\xff", nil, "decode the request"},
		{strings.Repeat("x", 4000), []*os.File{ns}, "received truncated message"},
	} {
		err := n.agent.Send([]byte(c.body), c.files...)
		if refused := (*cniagent.RefusedError)(nil); !errors.As(err, &refused) || !strings.HasPrefix(refused.Text, "failure to read message : "+c.want) {
			t.Errorf("%q is answered %v, want %q", c.body, err, c.want)
		}
		n.agent.AwaitSnapshots(i + 2)
	}
	n.proxy.WaitReady()
	open.goOn()
	eventually(t, "no descriptor is left", func() bool { return n.proxy.Descriptors() <= before })
	err := n.agent.Send([]byte("\x1a\x00"))
	if refused := (*cniagent.RefusedError)(nil); !errors.As(err, &refused) || refused.Text != "failure to process message : pod snapshot received already" {
		t.Errorf("a second snapshot is answered %v", err)
	}
	for _, c := range open {
		c.Close()
	}
	if code := n.proxy.Wait(limit); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if !strings.Contains(n.proxy.Output(), "WorkloadProxyManager run error") {
		t.Error("the log does not say why")
	}
	_ = server
}

// TestNothingIsLeft: pods come and go, in new namespaces and the same, and neither descriptors nor goroutines stay.
func TestNothingIsLeft(t *testing.T) {
	w := newWorld(t)
	client, server := w.pod("client", localNode), w.pod("server", localNode)
	w.start()
	server.app.Listen(":8080", agent.Double)
	n := w.nodes[localNode]
	come := func() {
		for i := range 10 {
			other := n.Node.Pod("other")
			pod := cniagent.Pod{UID: "uid-other", Name: "other", Namespace: namespace, ServiceAccount: "other", NetNS: other.NS.File()}
			if err := n.agent.Add(pod); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				if err := n.agent.Delete("uid-other"); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := n.agent.Delete("uid-other"); err != nil {
			t.Fatal(err)
		}
		talkByBoth(client, server)
	}
	come()
	settled := func() (int, float64) {
		n.proxy.ExpectSum("workload_manager_active_proxy_count", nil, 2)
		return n.proxy.Descriptors(), n.proxy.Metrics().Sum("tokio_num_alive_tasks", nil)
	}
	fds, goroutines := settled()
	come()
	come()
	eventually(t, "descriptors and goroutines are as many as before", func() bool {
		f, g := settled()
		return f <= fds+2 && g <= goroutines+3
	})
	n.proxy.ExpectSum("workload_manager_proxies_stopped_total", nil, 30)
}

// TestShutdown is the reference's test_ztunnel_shutdown in shared mode: what is open goes on, nothing new is taken, and each
// way to ask for the end leads to code 0.
func TestShutdown(t *testing.T) {
	w := newWorld(t)
	client, server := w.pod("client", localNode), w.pod("server", remoteNode)
	w.nodes[localNode].env["CONNECTION_TERMINATION_DEADLINE"] = "60s"
	w.nodes[remoteNode].env["CONNECTION_TERMINATION_DEADLINE"] = "1s"
	w.start()
	server.app.Listen(":8080", agent.Double)
	open := converse(client, server)
	proxy := client.node.proxy
	proxy.Signal(syscall.SIGTERM)
	proxy.WaitUnready()
	open.goOn()
	expectNothing(t, client, server)
	for _, c := range open {
		c.CloseWrite()
		c.ExpectEnd(agent.EndEOF)
		c.Close()
	}
	if code := proxy.Wait(limit); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}

	w.launch(client.node)
	client.node.proxy.WaitReady()
	open = converse(client, server)
	server.node.proxy.Signal(syscall.SIGINT) // the deadline cuts what is open
	if code := server.node.proxy.Wait(limit); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	open.expectCut(t)
}
