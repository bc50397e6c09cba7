package controlplane

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/istiod"
	"github.com/troupe-mesh/troupe/e2e/lab"
	"github.com/troupe-mesh/troupe/e2e/product"
	"github.com/troupe-mesh/troupe/transport/wire/security"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
)

const (
	node      = "node"
	port      = 8080
	vip       = "10.96.0.1"
	token     = "a-token"
	socks     = "127.0.0.1:15080"
	seeLimit  = 15 * time.Second
	pollEvery = 20 * time.Millisecond
)

// world is a client and a server, each with its proxy, and the control plane of both.
type world struct {
	t              *testing.T
	istiod         *istiod.Server
	root           string
	caDir          string
	client, server *member
}

type member struct {
	*lab.Pod
	app   *agent.Agent
	proxy *product.Proxy
}

// newWorld is a world under an istiod that follows a script from the start.
func newWorld(t *testing.T, script istiod.Script) *world {
	t.Helper()
	return newWorldWith(t, script, nil)
}

// newWorldWith is newWorld whose proxies have more in their environment.
func newWorldWith(t *testing.T, script istiod.Script, env map[string]string) *world {
	t.Helper()
	l := lab.New(t)
	n := l.Node(node)
	w := &world{t: t, caDir: t.TempDir(), client: &member{Pod: n.Pod("client")}, server: &member{Pod: n.Pod("server")}}
	place := n.Pod("istiod")
	address := netip.AddrPortFrom(place.IPv4, 15012).String()
	var err error
	w.istiod, err = istiod.Start(istiod.Options{
		Address: address, Names: []string{place.IPv4.String()}, Token: token,
		Listen: func(address string) (listener net.Listener, err error) {
			return listener, place.NS.Do(func() error {
				listener, err = net.Listen("tcp", address)
				return err
			})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.istiod.Stop)
	w.istiod.Follow(script)
	w.root = filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(w.root, []byte(w.istiod.Roots()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*member{w.client, w.server} {
		all := map[string]string{
			"LOCAL_XDS": "", "XDS_ADDRESS": address, "XDS_ROOT_CA": w.root, "AUTH_TOKEN": token,
			"POD_NAME": m.Name, "POD_NAMESPACE": "default", "INSTANCE_IP": m.IPv4.String(),
			"UNSTABLE_ENABLE_SOCKS5": "true", "ENABLE_ORIG_SRC": "false",
		}
		maps.Copy(all, env)
		m.proxy = product.Launch(t, product.Config{
			Name: m.Name, Namespace: m.NS, Node: node, CADir: w.caDir,
			Workload: fmt.Sprintf("default/%s/%s", m.Name, m.Name), Env: all,
		})
	}
	for _, m := range []*member{w.client, w.server} {
		m.app = agent.Start(t, m.NS, m.Name)
	}
	w.server.app.Listen(":8080", agent.Double)
	return w
}

// describe is a pod as istiod tells it.
func (m *member) describe() *workload.Workload {
	return &workload.Workload{
		Uid: "Kubernetes//Pod/default/" + m.Name, Name: m.Name, Namespace: "default", ServiceAccount: m.Name, Node: node,
		Addresses: [][]byte{m.IPv4.AsSlice()}, TunnelProtocol: workload.TunnelProtocol_HBONE, WorkloadType: workload.WorkloadType_POD,
		WorkloadName: m.Name, CanonicalName: m.Name, ClusterId: "Kubernetes",
	}
}

func (w *world) push() {
	w.istiod.World.Change(func(c *istiod.Change) {
		server := w.server.describe()
		server.Services = map[string]*workload.PortList{"default/server.test": {Ports: []*workload.Port{{ServicePort: 80, TargetPort: port}}}}
		c.Workload(w.client.describe(), server)
		c.Service(&workload.Service{
			Name: "server", Namespace: "default", Hostname: "server.test", Canonical: true,
			Addresses: []*workload.NetworkAddress{{Address: netip.MustParseAddr(vip).AsSlice()}},
			Ports:     []*workload.Port{{ServicePort: 80, TargetPort: port}},
		})
	})
}

// deny is a policy that refuses the client.
func deny() *security.Authorization {
	return &security.Authorization{
		Name: "not-the-client", Namespace: "default", Scope: security.Scope_NAMESPACE, Action: security.Action_DENY,
		Rules: []*security.Rule{{Clauses: []*security.Clause{{Matches: []*security.Match{{
			Principals: []*security.StringMatch{{MatchType: &security.StringMatch_Exact{Exact: "cluster.local/ns/default/sa/client"}}},
		}}}}}},
	}
}

// open connects the client to the service and has one exchange; it fails when the policy denies it.
func (w *world) open() (*agent.Conn, bool) {
	w.t.Helper()
	c, err := w.client.app.TryDial(agent.Via{Target: vip + ":80", SOCKS: socks})
	if err != nil {
		return nil, false
	}
	if c.TryWrite("hello") != nil {
		return nil, false
	}
	got, _ := c.Read(len("hellohello"))
	return c, got == "hellohello"
}

func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(seeLimit); !is(); <-tick.C {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", seeLimit, what)
		}
	}
}

// pending is what the readiness endpoint says.
func (m *member) pending() string {
	_, body, err := m.proxy.Get(http.MethodGet, "http://127.0.0.1:15021/healthz/ready")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(body)
}

// waits reports whether the kernel has taken a connection to the SOCKS entrance, whose port is 3AE8 in hexadecimal digits.
func (m *member) waits() bool {
	taken := false
	_ = m.NS.Do(func() error { // the table is empty where it can't be read
		table, err := os.ReadFile("/proc/thread-self/net/tcp")
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			taken = taken || len(f) > 3 && strings.HasSuffix(f[1], ":3AE8") && f[3] == "01"
		}
		return err
	})
	return taken
}
