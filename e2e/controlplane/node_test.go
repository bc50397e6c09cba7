package controlplane

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/cniagent"
	"github.com/troupe-mesh/troupe/e2e/istiod"
	"github.com/troupe-mesh/troupe/e2e/lab"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// machine is a node whose proxy serves all its pods, with the control plane and the CNI agent of it.
type machine struct {
	*world
	ca    *istiod.CA
	proxy *product.Proxy
	cni   *cniagent.Agent
}

// newMachine is one with two pods; ca may be changed before it is asked.
func newMachine(t *testing.T, prepare func(*istiod.CA)) *machine {
	t.Helper()
	l := lab.New(t)
	n := l.Node(node)
	m := &machine{world: &world{t: t, client: &member{Pod: n.Pod("client")}, server: &member{Pod: n.Pod("server")}}}
	place, own := n.Pod("istiod"), n.Pod("ztunnel")
	var err error
	if m.ca, err = istiod.NewCA(); err != nil {
		t.Fatal(err)
	}
	prepare(m.ca)
	address := netip.AddrPortFrom(place.IPv4, 15012).String()
	m.istiod, err = istiod.Start(istiod.Options{
		Address: address, Names: []string{place.IPv4.String()}, Token: token, Register: []func(grpc.ServiceRegistrar){m.ca.Register},
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
	t.Cleanup(m.istiod.Stop)
	m.push()
	m.root = filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(m.root, []byte(m.istiod.Roots()), 0o600); err != nil {
		t.Fatal(err)
	}
	uds := cniagent.Path(t)
	var pods []cniagent.Pod
	for _, p := range []*member{m.client, m.server} {
		p.Redirect(lab.InPod)
		pods = append(pods, p.cni())
	}
	m.cni = cniagent.Start(t, uds, pods...)
	m.proxy = product.Launch(t, product.Config{
		Name: "ztunnel", Namespace: own.NS, Node: node,
		Env: map[string]string{
			"PROXY_MODE": "shared", "INPOD_UDS": uds, "PACKET_MARK": "", "LOCAL_XDS": "", "FAKE_CA": "", "FAKE_CA_DIR": "",
			"XDS_ADDRESS": address, "XDS_ROOT_CA": m.root, "CA_ADDRESS": address, "CA_ROOT_CA": m.root, "AUTH_TOKEN": token,
			"POD_NAME": "ztunnel", "POD_NAMESPACE": "istio-system", "INSTANCE_IP": own.IPv4.String(),
		},
	})
	m.cni.AwaitSnapshots(1)
	m.proxy.WaitReady()
	for _, p := range []*member{m.client, m.server} {
		p.app = agent.Start(t, p.NS, p.Name)
	}
	m.server.app.Listen(":8080", agent.Double)
	return m
}

// cni is the pod as the CNI agent knows it.
func (m *member) cni() cniagent.Pod {
	return cniagent.Pod{UID: "uid-" + m.Name, Name: m.Name, Namespace: "default", ServiceAccount: m.Name, NetNS: m.NS.File()}
}

// states are the certificates that the proxy holds.
func (m *machine) states() map[string]string {
	m.t.Helper()
	var dump struct {
		Certificates []struct{ Identity, State string }
	}
	if err := json.Unmarshal([]byte(m.proxy.Admin(http.MethodGet, "/config_dump")), &dump); err != nil {
		m.t.Fatal(err)
	}
	all := map[string]string{}
	for _, c := range dump.Certificates {
		all[c.Identity] = c.State
	}
	return all
}

func (m *machine) awaitState(account, prefix string) {
	m.t.Helper()
	m.eventually(account+" is "+prefix, func() bool { return strings.HasPrefix(m.states()[identity(account)], prefix) })
}

func identity(account string) string { return "spiffe://cluster.local/ns/default/sa/" + account }

// asked are the identities that the CA was asked for, in order.
func (m *machine) asked() []string {
	var all []string
	for _, c := range m.ca.Calls() {
		if !c.Impersonated {
			m.t.Errorf("the node asked for %s as itself", c.For)
		}
		all = append(all, c.For.String())
	}
	slices.Sort(all)
	return all
}

// A node asks for the certificates of its pods in their names, before anybody needs them, and forgets them with the last
// (CP77, CP87, CP88). istiod refuses a pod that it doesn't know yet: that passes (spec/control.md §5.3).
func TestANodeAsksForItsPods(t *testing.T) {
	var early atomic.Int32
	m := newMachine(t, func(ca *istiod.CA) {
		ca.Refuse = func(_ context.Context, s istiod.Signing) error {
			if s.For.ServiceAccount == "late" && early.Add(1) == 1 {
				return status.Error(codes.Unauthenticated, "request impersonation authentication failure")
			}
			return nil
		}
		ca.Change = func(s istiod.Signing, chain []string) []string {
			if s.For.ServiceAccount != "robbed" {
				return chain
			}
			other := s.For
			other.ServiceAccount = "thief"
			leaf, err := ca.Signer().Leaf(s.Parsed.PublicKey, other, 0, time.Hour)
			if err != nil {
				t.Error(err)
			}
			return append([]string{leaf}, chain[1:]...)
		}
	})
	m.awaitState("client", "Available")
	m.awaitState("server", "Available")
	if got := m.asked(); !slices.Equal(got, []string{identity("client"), identity("server")}) {
		t.Fatalf("before any connection the CA was asked for %q", got)
	}
	for i := range 3 {
		c := m.client.app.Dial(netip.MustParseAddrPort(vip + ":80"))
		c.Write("hello")
		c.Expect("hellohello")
		c.CloseWrite()
		if i == 0 {
			m.proxy.ExpectAccess(product.Fields{"direction": "inbound", "src.identity": identity("client"), "dst.identity": identity("server")})
		}
	}
	if got := m.asked(); len(got) != 2 {
		t.Errorf("connections made the CA be asked for %q", got)
	}

	described := func(account, on string) {
		d := m.server.describe()
		d.Uid, d.Name, d.ServiceAccount, d.Node, d.Addresses = "Kubernetes//Pod/default/"+account, account, account, on, nil
		m.istiod.World.Change(func(c *istiod.Change) { c.Workload(d) })
	}
	described("late", node)
	m.awaitState("late", "Unavailable: ")
	if got := m.states()[identity("late")]; !strings.Contains(got, "request impersonation authentication failure") {
		t.Errorf("refused: %s", got)
	}
	m.awaitState("late", "Available")
	described("robbed", node)
	m.awaitState("robbed", "Unavailable: ")
	if got := m.states()[identity("robbed")]; !strings.Contains(got, "did not find expected SAN") {
		t.Errorf("given somebody else's: %s", got)
	}
	described("elsewhere", "another-node")
	described("sentinel", node)
	m.awaitState("sentinel", "Available")
	if state, ok := m.states()[identity("elsewhere")]; ok {
		t.Errorf("a certificate of another node's workload is %s", state)
	}

	m.istiod.World.Change(func(c *istiod.Change) { c.Remove(istiod.AddressType, "Kubernetes//Pod/default/late") })
	m.eventually("the removed workload's certificate is forgotten", func() bool { _, ok := m.states()[identity("late")]; return !ok })
	if _, ok := m.states()[identity("server")]; !ok {
		t.Error("another's was forgotten with it")
	}
}
