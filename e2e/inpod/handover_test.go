package inpod

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/cniagent"
	"github.com/troupe-mesh/troupe/e2e/lab"
	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// upgradesEnv is how many upgrades TestHandover makes, at full size: `task e2e:upgrade` says ten.
const upgradesEnv = "TROUPE_UPGRADES"

// handoverSize is how big the upgrades are; deadline is what connections in tunnels have after SIGTERM.
func handoverSize() (times, openers, long int, deadline time.Duration) {
	if n, err := strconv.Atoi(os.Getenv(upgradesEnv)); err == nil {
		return n, 32, 20, 15 * time.Second
	}
	return 1, 2, 3, 4 * time.Second
}

// succession is a node on which one proxy replaces the other, each in a pod of its own.
type succession struct {
	w      *world
	n      *node
	homes  []*lab.Pod
	socket string
	// deadline is what connections in tunnels have after SIGTERM.
	deadline time.Duration

	// client is captured here and server there: their connections are in tunnels. Plain is not captured, and neither is
	// outsider; door is captured here.
	client, server, plain, outsider, door *member
}

func newSuccession(t *testing.T) *succession {
	t.Helper()
	w := newWorld(t)
	n := w.nodes[localNode]
	s := &succession{
		w: w, n: n, homes: []*lab.Pod{n.pod, n.Node.Pod("next")}, socket: filepath.Join(filepath.Dir(cniagent.Path(t)), "handover"),
		client: w.pod("client", localNode), server: w.pod("server", remoteNode), plain: w.pod("plain", remoteNode, uncaptured),
		outsider: w.pod("outsider", remoteNode, uncaptured), door: w.pod("door", localNode),
	}
	w.mesh.Services = []mesh.Service{{
		Name: "cart", Namespace: namespace, Hostname: "cart.default.svc.cluster.local", VIPs: []string{"/10.96.0.7"}, Ports: mesh.Ports{80: 80},
	}}
	n.env["HANDOVER_SOCKET"] = s.socket
	n.env["ISTIO_META_DNS_CAPTURE"] = "true"
	_, _, _, s.deadline = handoverSize()
	n.env["CONNECTION_TERMINATION_DEADLINE"] = s.deadline.String()
	w.start()
	for _, m := range []*member{s.server, s.plain, s.door} {
		m.app.Listen(":8080", agent.Double)
		m.app.Listen(":9090", agent.Bulk)
	}
	s.awaitDoor()
	return s
}

func (s *succession) awaitDoor() {
	s.w.t.Helper()
	eventually(s.w.t, "the hand-over socket is there", func() bool {
		_, err := os.Stat(s.socket)
		return err == nil
	})
}

// launchNext starts the successor, in the pod that the predecessor is not in.
func (s *succession) launchNext() *product.Proxy {
	slices.Reverse(s.homes)
	return s.w.launchIn(s.n, s.homes[0])
}

// plainWays and tunnelled are the calls whose connections can move, and those whose can't.
func (s *succession) plainWays() []way {
	var all []way
	for _, f := range families {
		all = append(all, way{s.client, s.plain, f}, way{s.outsider, s.door, f})
	}
	return all
}

func (s *succession) tunnelled() []way {
	return []way{{s.client, s.server, ipv4}, {s.client, s.server, ipv6}}
}

// way is who calls whom.
type way struct {
	from, to *member
	f        family
}

func (w way) via(port uint16) agent.Via { return agent.Via{Target: w.to.at(w.f, port).String()} }

func (w way) String() string { return fmt.Sprintf("%s to %s by %s", w.from.Name, w.to.Name, w.f) }

// hold opens connections and uses each once.
func hold(t *testing.T, n int, ways []way) map[*agent.Conn]way {
	t.Helper()
	held := map[*agent.Conn]way{}
	for range n {
		for _, w := range ways {
			c := w.from.app.Dial(netip.MustParseAddrPort(w.via(serverPort).Target))
			goesOn(c)
			held[c] = w
		}
	}
	return held
}

// traffic opens connections, moves bulk and asks for names without a pause.
type traffic struct {
	stop              atomic.Bool
	running           sync.WaitGroup
	opened, asked     atomic.Int64
	moved             atomic.Int64
	mu                sync.Mutex
	failures          []string
	plain, everything []way
}

func (tr *traffic) failed(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.failures = append(tr.failures, fmt.Sprintf(format, args...))
}

func (s *succession) startTraffic(openers int) *traffic {
	tr := &traffic{plain: s.plainWays(), everything: append(s.plainWays(), s.tunnelled()...)}
	for _, w := range tr.everything {
		tr.running.Go(func() {
			for !tr.stop.Load() {
				held, err := w.from.app.TryMany(agent.Many{Via: w.via(serverPort), Connections: openers, Payload: hello})
				if err != nil || held.Opened != openers || held.Answered != openers {
					tr.failed("%v: %+v, %v", w, held, err)
					return
				}
				tr.opened.Add(int64(openers))
			}
		})
	}
	for i, w := range tr.plain {
		tr.running.Go(func() {
			for n := uint64(0); !tr.stop.Load(); n++ {
				const size = 8 << 20
				if _, err := w.from.app.TryTransfer(agent.Transfer{Via: w.via(9090), Up: size, Down: size, Seed: n + uint64(i)}); err != nil {
					tr.failed("bulk of %v: %v", w, err)
					return
				}
				tr.moved.Add(size)
			}
		})
	}
	tr.running.Go(func() {
		for !tr.stop.Load() {
			if err := s.client.askOnce(); err != nil {
				tr.failed("DNS: %v", err)
				return
			}
			tr.asked.Add(1)
		}
	})
	return tr
}

func (tr *traffic) end(t *testing.T) {
	t.Helper()
	tr.stop.Store(true)
	tr.running.Wait()
	for _, f := range tr.failures {
		t.Error(f)
	}
	if tr.opened.Load() == 0 || tr.asked.Load() == 0 || tr.moved.Load() == 0 {
		t.Errorf("%d connections, %d questions, %d bytes", tr.opened.Load(), tr.asked.Load(), tr.moved.Load())
	}
}

// askOnce asks the pod's DNS proxy for the name of a service, once: a datagram that gets lost is an error.
func (m *member) askOnce() error {
	var conn net.Conn
	err := m.NS.Do(func() (err error) {
		conn, err = net.Dial("udp", "127.0.0.1:15053")
		return err
	})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	client := dns.Client{Net: "udp", Timeout: limit}
	answer, _, err := client.ExchangeWithConn(new(dns.Msg).SetQuestion("cart.default.svc.cluster.local.", dns.TypeA), &dns.Conn{Conn: conn})
	if err == nil && len(answer.Answer) != 1 {
		err = fmt.Errorf("no answer in %v", answer)
	}
	return err
}

// TestHandover: while one proxy of a node replaces the other no connection attempt and no question of any pod is lost, plain
// connections live on with all their bytes, and those in tunnels end at the old proxy's deadline and not before.
func TestHandover(t *testing.T) {
	times, openers, long, _ := handoverSize()
	s := newSuccession(t)
	for n := range times {
		s.once(t, n, openers, long)
	}
}

func (s *succession) once(t *testing.T, n, openers, long int) {
	t.Helper()
	old := s.n.proxy
	plain, tunnelled := hold(t, long, s.plainWays()), hold(t, long, s.tunnelled())
	load := s.startTraffic(openers)
	next := s.launchNext()
	next.WaitReady()
	s.n.proxy = next
	eventually(t, "the successor has taken over", func() bool { return strings.Contains(next.Output(), "took over ") })
	s.awaitDoor()
	for c := range plain {
		goesOn(c)
	}
	began := time.Now()
	old.Signal(syscall.SIGTERM)
	for c := range tunnelled {
		goesOn(c)
	}
	if code := old.Wait(limit); code != 0 {
		t.Errorf("the old proxy's exit code is %d", code)
	}
	if took := time.Since(began); took < s.deadline {
		t.Errorf("it ended after %v, before the deadline of %v", took, s.deadline)
	}
	load.end(t)
	for c := range plain {
		goesOn(c)
		c.Close()
	}
	for _, w := range s.plainWays() {
		eventually(t, fmt.Sprintf("%d lines of %v with the bytes of both proxies", long, w), func() bool { return s.linesOf(next, w) == long })
	}
	for c := range tunnelled {
		expectCut(t, c)
		c.Close()
	}
	next.ExpectSum("troupe_handover_connections_total", product.Labels{"outcome": "not_adopted"}, 0)
	for _, line := range []string{"handed over: ", "after the hand-over "} {
		if !strings.Contains(old.Output(), line) {
			t.Errorf("the old proxy does not say %q", line)
		}
	}
	if !strings.Contains(old.Output(), fmt.Sprintf(", %d were cut", len(tunnelled))) {
		t.Errorf("the old proxy does not say that it cut %d connections", len(tunnelled))
	}
	if strings.Contains(next.Output(), "listening sockets of the predecessor:") {
		t.Error("the new proxy had no use for some of the sockets")
	}
	t.Logf("upgrade %d: %d connections, %d questions, %d MiB of bulk meanwhile", n, load.opened.Load(), load.asked.Load(), load.moved.Load()>>20)
}

// linesOf counts the access-log lines of connections that were used three times, one way. Their ports are of no use: the
// redirection changes those that a client has more than once.
func (s *succession) linesOf(p *product.Proxy, w way) (n int) {
	direction, received, sent := "outbound", 3*len(helloTwice), 3*len(hello)
	if w.to == s.door {
		direction, received, sent = "inbound", sent, received
	}
	for _, line := range p.AccessLog() {
		if _, failed := line["error"]; !failed && line["direction"] == direction && line["dst.addr"] == w.to.at(w.f, serverPort).String() &&
			line["bytes_recv"] == strconv.Itoa(received) && line["bytes_sent"] == strconv.Itoa(sent) {
			n++
		}
	}
	return n
}

// TestHandoverOfKeptPods: an agent that was restarted and does not find a namespace asks to keep the pod. The successor has it
// from its predecessor.
func TestHandoverOfKeptPods(t *testing.T) {
	s := newSuccession(t)
	old := s.n.proxy
	s.n.agent.Stop()
	kept := s.door.cni()
	kept.NetNS = nil
	s.n.agent = cniagent.Start(t, s.n.uds, s.client.cni(), kept)
	s.n.agent.AwaitSnapshots(1)
	old.WaitReady()
	s.n.proxy = s.launchNext()
	s.n.proxy.WaitReady()
	old.Stop()
	for _, f := range families {
		talk(s.outsider, s.door.at(f, serverPort))
	}
	if got := states(t, s.n.proxy); len(got) != 2 || got["uid-door"].State != "Up" {
		t.Errorf("the pods are %+v", got)
	}
}

// TestPredecessorIsKilled: one that dies before its successor serves, or while it hands over, takes nothing along but what
// only it had.
func TestPredecessorIsKilled(t *testing.T) {
	s := newSuccession(t)
	for range 2 {
		old := s.n.proxy
		next := s.launchNext()
		eventually(t, "the successor has the sockets", func() bool { return strings.Contains(next.Output(), "listening sockets of its pods") })
		old.Kill()
		next.WaitReady()
		s.n.proxy = next
		for _, w := range append(s.plainWays(), s.tunnelled()...) {
			talk(w.from, w.to.at(w.f, serverPort))
		}
		s.awaitOwnDoor(next)
	}
}

// awaitOwnDoor waits until a proxy that had a predecessor listens for its successor.
func (s *succession) awaitOwnDoor(p *product.Proxy) {
	s.w.t.Helper()
	eventually(s.w.t, "the proxy awaits its successor", func() bool {
		c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: s.socket, Net: "unixpacket"})
		if err != nil {
			return false
		}
		_ = c.Close()
		return !p.Ended()
	})
}

// TestSuccessorIsKilled: one that dies before it serves leaves the old proxy as it was, to the next one.
func TestSuccessorIsKilled(t *testing.T) {
	s := newSuccession(t)
	old := s.n.proxy
	held := hold(t, 1, append(s.plainWays(), s.tunnelled()...))
	s.n.agent.Stop() // so that it never serves
	s.launchNext().Kill()
	next := s.launchNext()
	eventually(t, "the successor talks", func() bool { return strings.Contains(next.Output(), "listening sockets of its own") })
	next.Kill()
	s.n.agent = cniagent.Start(t, s.n.uds, s.client.cni(), s.door.cni())
	s.n.agent.AwaitSnapshots(1)
	old.WaitReady()
	for c := range held {
		goesOn(c)
	}
	for _, w := range append(s.plainWays(), s.tunnelled()...) {
		talk(w.from, w.to.at(w.f, serverPort))
	}
	s.n.proxy = s.launchNext()
	eventually(t, "the third one takes over", func() bool { return strings.Contains(s.n.proxy.Output(), "took over 4 connections") })
	for c := range held {
		goesOn(c)
	}
	for c := range held {
		c.Close()
	}
	old.Stop()
}

// TestTwoProxiesShareThePorts: without the hand-over a second proxy binds the same ports of the same pods, both serve, and when
// the first one ends the second one has them to itself.
func TestTwoProxiesShareThePorts(t *testing.T) {
	w := newWorld(t)
	client, server := w.pod("client", localNode), w.pod("server", localNode)
	n := w.nodes[localNode]
	home := n.Node.Pod("next")
	w.start()
	server.app.Listen(":8080", agent.Double)
	served := func(p *product.Proxy) bool {
		return p.Metrics().Sum(product.ConnectionsOpened, product.Labels{"reporter": "source"}) > 0
	}
	first := n.proxy
	held := client.app.Dial(server.at(ipv4, serverPort))
	goesOn(held)
	n.proxy = w.launchIn(n, home)
	n.proxy.WaitReady()
	eventually(t, "both have served the pods", func() bool {
		for _, f := range families {
			talk(client, server.at(f, serverPort))
		}
		return served(first) && served(n.proxy)
	})
	goesOn(held)
	first.Signal(syscall.SIGTERM)
	first.WaitUnready()
	goesOn(held)
	for _, f := range families {
		talk(client, server.at(f, serverPort))
	}
	held.CloseWrite()
	held.ExpectEnd(agent.EndEOF)
	if code := first.Wait(limit); code != 0 {
		t.Errorf("exit code %d", code)
	}
	talk(client, server.at(ipv4, serverPort))
}
