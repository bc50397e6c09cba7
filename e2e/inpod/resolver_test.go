package inpod

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/troupe-mesh/troupe/e2e/lab"
)

// TestPodResolvers changes the proxy's resolv.conf while it serves pods. Each pod asks the name servers that there were when
// it was added, from its own namespace; a pod for which there is none is refused, with the reason.
func TestPodResolvers(t *testing.T) {
	w := newWorld(t)
	w.nodes[localNode].env["ISTIO_META_DNS_CAPTURE"] = "true"
	first, second := serveName(t, w.nodes[remoteNode].Pod("names1"), "192.0.2.1"), serveName(t, w.nodes[remoteNode].Pod("names2"), "192.0.2.2")
	file := mountResolvConf(t, first.pod)
	early := w.pod("early", localNode)
	w.start()
	ask := func(m *member, want string, server *nameServer) {
		t.Helper()
		if got := m.lookUp("udp", "127.0.0.1:15053", m.Name+".outside.com."); got != want {
			t.Errorf("%s: %q, want what its name server says: %s", m.Name, got, want)
		}
		if from := server.from(m.Name + ".outside.com."); from != m.IPv4.String() {
			t.Errorf("%s: the name server was asked from %q, want the pod's address %s", m.Name, from, m.IPv4)
		}
	}
	file.write(t, "nameserver "+second.pod.IPv4.String()+"\n")
	late := w.addAs("early", "late")
	if err := late.add(); err != nil {
		t.Fatal(err)
	}
	ask(early, "192.0.2.1", first)
	ask(late, "192.0.2.2", second)
	file.write(t, "search nowhere\n")
	if err := w.addAs("early", "lost").add(); err == nil || !strings.Contains(err.Error(), "resolv.conf") {
		t.Errorf("a pod without a name server: %v", err)
	}
	ask(early, "192.0.2.1", first)
}

// TestPodsWithoutIPv6 switches IPv6 off on the loopback of one pod: its DNS proxy has IPv4 only, the others' have both.
func TestPodsWithoutIPv6(t *testing.T) {
	w := newWorld(t)
	w.nodes[localNode].env["ISTIO_META_DNS_CAPTURE"] = "true"
	names := serveName(t, w.nodes[remoteNode].Pod("names"), "192.0.2.1")
	mountResolvConf(t, names.pod)
	with := w.pod("with", localNode)
	w.start()
	without := w.addAs("with", "without")
	err := without.NS.Do(func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/lo/disable_ipv6", []byte("1"), 0) })
	if err != nil {
		t.Fatal(err)
	}
	if err := without.add(); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*member{without, with} {
		if got := m.lookUp("udp", "127.0.0.1:15053", "a.outside.com."); got != "192.0.2.1" {
			t.Errorf("%s: %q", m.Name, got)
		}
	}
	if got := with.lookUp("tcp", "[::1]:15053", "a.outside.com."); got != "192.0.2.1" {
		t.Errorf("with IPv6: %q", got)
	}
	if log := w.nodes[localNode].proxy.Output(); strings.Contains(log, "no IPv6 for the DNS proxy") {
		t.Errorf("it was tried all the same:\n%s", log)
	}
}

// addAs declares one more pod of a workload, which the agent does not know of yet.
func (w *world) addAs(workloadName, name string) *member {
	n := w.nodes[localNode]
	m := &member{Pod: n.Pod(name), w: w, node: n, captured: true}
	m.workload = workload(workloadName, localNode, m.Pod)
	return m
}

// add tells the agent of it.
func (m *member) add() error {
	pod := m.cni()
	pod.Name = m.workload.Name
	return m.node.agent.Add(pod)
}

// resolvConf is what processes that start from now on find as /etc/resolv.conf; the mounts are the tests' own.
type resolvConf string

func mountResolvConf(t *testing.T, server *lab.Pod) resolvConf {
	t.Helper()
	file := resolvConf(filepath.Join(t.TempDir(), "resolv.conf"))
	file.write(t, "nameserver "+server.IPv4.String()+"\n")
	if err := unix.Mount(string(file), "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("giving the proxy a resolv.conf: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount("/etc/resolv.conf", unix.MNT_DETACH) })
	return file
}

func (f resolvConf) write(t *testing.T, content string) {
	t.Helper()
	if err := os.WriteFile(string(f), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// nameServer says the same address to whoever asks, and knows who did.
type nameServer struct {
	pod    *lab.Pod
	mu     sync.Mutex
	askers map[string]string
}

func serveName(t *testing.T, pod *lab.Pod, address string) *nameServer {
	t.Helper()
	var packets net.PacketConn
	err := pod.NS.Do(func() (err error) {
		packets, err = net.ListenPacket("udp", net.JoinHostPort(pod.IPv4.String(), "53"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{pod: pod, askers: map[string]string{}}
	server := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(func(to dns.ResponseWriter, q *dns.Msg) {
		host, _, _ := net.SplitHostPort(to.RemoteAddr().String())
		s.mu.Lock()
		s.askers[q.Question[0].Name] = host
		s.mu.Unlock()
		m := new(dns.Msg).SetReply(q)
		m.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 0}, A: net.ParseIP(address),
		}}
		_ = to.WriteMsg(m)
	})}
	started, ended := make(chan struct{}), make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	go func() {
		defer close(ended)
		_ = server.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-ended
	})
	return s
}

// from is who asked for a name last.
func (s *nameServer) from(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.askers[name]
}
