package inpod

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/e2e/mesh"
)

// TestDNS asks the DNS proxy of each pod, in its namespace and by both families: a pod's own short names mean its own namespace,
// names of others go to the name servers, and the proxy of a pod that is deleted takes nothing from the others.
func TestDNS(t *testing.T) {
	w := newWorld(t)
	w.nodes[localNode].env["ISTIO_META_DNS_CAPTURE"] = "true"
	mountResolvConf(t, serveName(t, w.nodes[remoteNode].Pod("names"), "192.0.2.1").pod)
	client, other := w.pod("client", localNode), w.pod("other", localNode)
	w.mesh.Services = append(w.mesh.Services, mesh.Service{
		Name: "cart", Namespace: namespace, Hostname: "cart.default.svc.cluster.local", VIPs: []string{"/10.96.0.7"}, Ports: mesh.Ports{80: 80},
	})
	w.start()
	for _, m := range []*member{client, other} {
		for _, at := range []string{"127.0.0.1:15053", "[::1]:15053"} {
			for _, network := range []string{"udp", "tcp"} {
				if got := m.lookUp(network, at, "cart.default.svc.cluster.local."); got != "10.96.0.7" {
					t.Errorf("%s %s %s: %q, want the service's address", m.Name, network, at, got)
				}
				if got := m.lookUp(network, at, "cart."); got != "10.96.0.7" {
					t.Errorf("%s %s %s: the short name is %q, want that of the pod's own namespace", m.Name, network, at, got)
				}
			}
		}
	}
	if got := client.lookUp("udp", "127.0.0.1:15053", "www.outside.com."); got != "192.0.2.1" {
		t.Errorf("a name that is not the mesh's: %q", got)
	}
	if err := w.nodes[localNode].agent.Delete("uid-client"); err != nil {
		t.Fatal(err)
	}
	if got := other.lookUp("udp", "127.0.0.1:15053", "cart."); got != "10.96.0.7" {
		t.Errorf("after another pod is deleted: %q", got)
	}
}

// TestDNSWithoutProxy: without ENABLE_PROXY a pod has its DNS proxy, and nothing else listens in it.
func TestDNSWithoutProxy(t *testing.T) {
	w := newWorld(t)
	n := w.nodes[localNode]
	n.env["ISTIO_META_DNS_CAPTURE"], n.env["ENABLE_PROXY"], n.env["LOCAL_FASTPATH"] = "true", "false", "true"
	client := w.pod("client", localNode)
	w.mesh.Services = append(w.mesh.Services, mesh.Service{
		Name: "cart", Namespace: namespace, Hostname: "cart.default.svc.cluster.local", VIPs: []string{"/10.96.0.7"}, Ports: mesh.Ports{80: 80},
	})
	w.start()
	if got := client.lookUp("udp", "127.0.0.1:15053", "cart."); got != "10.96.0.7" {
		t.Errorf("%q, want the service's address", got)
	}
	for _, port := range []uint16{15001, 15006, hbonePort} {
		for _, at := range []string{"127.0.0.1", "::1"} {
			if got := callPort(client.app, netip.AddrPortFrom(netip.MustParseAddr(at), port)); got != refused {
				t.Errorf("%s %d: %s", at, port, got)
			}
		}
	}
	if got := states(t, n.proxy)["uid-client"]; got.State != "Up" {
		t.Errorf("the pod is %+v", got)
	}
	if out := n.proxy.Output(); strings.Contains(out, "Task 'proxy'") || !strings.Contains(out, "Task 'dns proxy' complete") {
		t.Error("readiness waited for the wrong tasks")
	}
}

// lookUp asks the pod's DNS proxy for a name's IPv4 address; it gives the answer's code where there is none.
func (m *member) lookUp(network, at, name string) string {
	m.w.t.Helper()
	var conn net.Conn
	err := m.NS.Do(func() (err error) {
		conn, err = net.Dial(network, at)
		return err
	})
	if err != nil {
		m.w.t.Fatalf("%s: %v", m.Name, err)
	}
	defer func() { _ = conn.Close() }()
	client := dns.Client{Net: network, Timeout: 10 * time.Second}
	answer, _, err := client.ExchangeWithConn(new(dns.Msg).SetQuestion(name, dns.TypeA), &dns.Conn{Conn: conn})
	if err != nil {
		m.w.t.Fatalf("%s asks %s %s for %s: %v", m.Name, network, at, name, err)
	}
	if len(answer.Answer) != 1 {
		return dns.RcodeToString[answer.Rcode]
	}
	return answer.Answer[0].(*dns.A).A.String()
}
