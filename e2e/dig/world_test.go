package dig

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/troupe-mesh/troupe/e2e/lab"
	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/e2e/product"
	"github.com/troupe-mesh/troupe/e2e/sandbox"
)

// requiredEnv=required makes a missing client a failure. Debian has them in bind9-dnsutils and knot-dnsutils.
const requiredEnv = "TROUPE_E2E_DIG"

// client finds a resolver client, or skips the test.
func client(t *testing.T, name string) string {
	t.Helper()
	return sandbox.Program(t, requiredEnv, "bind9-dnsutils and knot-dnsutils", name)
}

// world is a captured pod that asks, and a name server in a pod outside the mesh.
type world struct {
	t      *testing.T
	pod    *lab.Pod
	server *lab.Pod
	proxy  *product.Proxy
	asked  atomic.Int64
}

func newWorld(t *testing.T, env map[string]string) *world {
	t.Helper()
	l := lab.New(t)
	w := &world{t: t, pod: l.Node("local").Pod("client"), server: l.Node("remote").Pod("names")}
	w.serve()
	w.resolvConf()
	w.pod.Redirect(lab.Redirection{Inbound: true, DNS: true})
	vars := map[string]string{"ISTIO_META_DNS_CAPTURE": "true"}
	for name, value := range env {
		vars[name] = value
	}
	w.proxy = product.Start(t, product.Config{
		Name: "client", Namespace: w.pod.NS, Workload: "default/client/client", Node: "local", CADir: t.TempDir(), Env: vars,
		Mesh: mesh.Config{
			Workloads: []mesh.Workload{
				{
					UID: "c//Pod/default/client", Name: "client", Namespace: "default", ServiceAccount: "client", TrustDomain: "cluster.local",
					Node: "local", Protocol: mesh.HBONE, WorkloadIPs: []string{w.pod.IPv4.String(), w.pod.IPv6.String()}, Services: map[string]mesh.Ports{},
				},
				{
					UID: "c//Pod/default/db-0", Name: "db-0", Namespace: "default", ServiceAccount: "db", TrustDomain: "cluster.local", Node: "remote",
					Protocol: mesh.TCP, WorkloadIPs: []string{"10.77.0.1"}, Services: map[string]mesh.Ports{"default/db.default.svc.cluster.local": {80: 80}},
				},
			},
			Services: []mesh.Service{
				{Name: "cart", Namespace: "default", Hostname: "cart.default.svc.cluster.local", VIPs: []string{"/10.96.0.7"}, Ports: mesh.Ports{80: 80}},
				{Name: "db", Namespace: "default", Hostname: "db.default.svc.cluster.local", VIPs: []string{}, Ports: mesh.Ports{80: 80}},
				{Name: "dual", Namespace: "default", Hostname: "dual.example.com", VIPs: []string{"/10.96.0.8", "/fd00:96::8"}, Ports: mesh.Ports{80: 80}},
				{Name: "wild", Namespace: "default", Hostname: "*.wild.example.com", VIPs: []string{"/10.96.0.9"}, Ports: mesh.Ports{80: 80}},
			},
		},
	})
	return w
}

// resolvConf gives every process that starts from now on the pod's name server; the mounts are the tests' own.
func (w *world) resolvConf() {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "resolv.conf")
	content := "nameserver " + w.server.IPv4.String() + "\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions timeout:2\n"
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
	if err := unix.Mount(file, "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
		w.t.Fatalf("giving the pod a resolv.conf: %v", err)
	}
	w.t.Cleanup(func() { _ = unix.Unmount("/etc/resolv.conf", unix.MNT_DETACH) })
}

// serve runs the name server.
func (w *world) serve() {
	w.t.Helper()
	var packets net.PacketConn
	var stream net.Listener
	err := w.server.NS.Do(func() (err error) {
		at := net.JoinHostPort(w.server.IPv4.String(), "53")
		if packets, err = net.ListenPacket("udp", at); err == nil {
			stream, err = net.Listen("tcp", at)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range []*dns.Server{{PacketConn: packets}, {Listener: stream}} {
		s.Handler = dns.HandlerFunc(w.answer)
		started, ended := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(ended)
			_ = s.ActivateAndServe()
		}()
		<-started
		w.t.Cleanup(func() {
			_ = s.Shutdown()
			<-ended
		})
	}
}

// answer is the name server's zone.
func (w *world) answer(to dns.ResponseWriter, q *dns.Msg) {
	w.asked.Add(1)
	m := new(dns.Msg).SetReply(q)
	add := func(lines ...string) {
		for _, line := range lines {
			rr, err := dns.NewRR(line)
			if err != nil {
				panic(err)
			}
			if rr.Header().Rrtype == q.Question[0].Qtype || rr.Header().Rrtype == dns.TypeCNAME {
				m.Answer = append(m.Answer, rr)
			}
		}
	}
	switch strings.ToLower(q.Question[0].Name) {
	case "www.outside.com.":
		add("www.outside.com. 300 CNAME outside.com.", "outside.com. 300 A 192.0.2.1")
	case "outside.com.":
		add("outside.com. 300 MX 10 mail.outside.com.", `outside.com. 300 TXT "words"`, "outside.com. 300 A 192.0.2.1")
	case "many.outside.com.":
		for i := range 100 {
			add("many.outside.com. 300 A 192.0.2." + strconv.Itoa(i))
		}
	default:
		m.Rcode = dns.RcodeNameError
	}
	if len(m.Answer) == 0 {
		soa, err := dns.NewRR("outside.com. 300 SOA ns.outside.com. admin.outside.com. 1 1 1 1 300")
		if err != nil {
			panic(err)
		}
		m.Ns = []dns.RR{soa}
	}
	if _, udp := to.RemoteAddr().(*net.UDPAddr); udp {
		m.Truncate(1232)
	}
	_ = to.WriteMsg(m)
}

// run runs a client in the pod and returns what it printed.
func (w *world) run(path string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command(path, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := w.pod.NS.StartProcess(cmd); err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		w.t.Errorf("%s %s: %v\n%s", filepath.Base(path), strings.Join(args, " "), err, out.String())
	}
	return out.String()
}
