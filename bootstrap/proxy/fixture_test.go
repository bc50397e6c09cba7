package proxy

import (
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/bootstrap/config"
)

const (
	readyLimit = 10 * time.Second
	stopLimit  = 10 * time.Second
	callLimit  = 10 * time.Second
	seeLimit   = 5 * time.Second
	pollEvery  = 5 * time.Millisecond
)

var addresses atomic.Uint32

// newIP is a loopback address that no other running test uses: the ports of a proxy are fixed.
func newIP() netip.Addr {
	pid, n := os.Getpid(), addresses.Add(1)%254+1
	return netip.AddrFrom4([4]byte{127, byte(64 + pid>>8&63), byte(pid), byte(n)})
}

// world is what the proxies of a test know, and where its applications are.
type world struct {
	t *testing.T
	// source is the client and its proxy, tunneled a server behind a proxy, plain a server without one.
	source, tunneled, plain netip.Addr
	// vip leads to tunneled, dnsVIP to a workload that is known by host name only.
	vip, dnsVIP netip.Addr
	caDir       string
	// node is NODE_NAME of all proxies; empty leaves it unset.
	node string
	// nameServer is asked for host names, where valid.
	nameServer netip.AddrPort
}

// echoPort is where servers listen; a service's port 80 leads there.
const echoPort = 8080

const dnsHost = "echo.test"

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{
		t: t, source: newIP(), tunneled: newIP(), plain: newIP(), vip: newIP(), dnsVIP: newIP(), caDir: t.TempDir(),
	}
}

func (w *world) state() string {
	return fmt.Sprintf(`workloads:
- {uid: source, name: source, namespace: default, workloadIps: ["%[1]s"], protocol: HBONE, node: %[6]q, services: {}}
- {uid: tunneled, name: tunneled, namespace: default, workloadIps: ["%[2]s"], protocol: HBONE, node: %[6]q,
   services: {default/tunneled.test: {80: %[7]d}}}
- {uid: plain, name: plain, namespace: default, workloadIps: ["%[3]s"], protocol: TCP, node: other, services: {}}
- {uid: named, name: named, namespace: default, workloadIps: [], hostname: %[8]s, protocol: TCP, node: other,
   services: {default/named.test: {80: %[7]d}}}
services:
- {name: tunneled, namespace: default, hostname: tunneled.test, vips: ["/%[4]s"], ports: {80: %[7]d}}
- {name: named, namespace: default, hostname: named.test, vips: ["/%[5]s"], ports: {80: %[7]d}}
`, w.source, w.tunneled, w.plain, w.vip, w.dnsVIP, w.node, echoPort, dnsHost)
}

// environ is a proxy's environment; extra comes first and so counts.
func (w *world) environ(workload string, ip netip.Addr, extra ...string) []string {
	environ := append(extra[:len(extra):len(extra)], "PROXY_MODE=dedicated", "PROXY_WORKLOAD_INFO=default/"+workload+"/default",
		"TROUPE_BIND_IP="+ip.String(), "LOCAL_XDS="+w.state(), "XDS_ADDRESS=", "FAKE_CA=true", "FAKE_CA_DIR="+w.caDir,
		"ISTIO_META_DNS_CAPTURE=false", "UNSTABLE_ENABLE_SOCKS5=true", "ENABLE_ORIG_SRC=false")
	if w.node != "" {
		environ = append(environ, "NODE_NAME="+w.node)
	}
	return environ
}

func (w *world) config(workload string, ip netip.Addr, extra ...string) *config.Config {
	w.t.Helper()
	c, err := config.Load(w.environ(workload, ip, extra...), []string{"proxy", "ztunnel"}, config.ThisHost())
	if err != nil {
		w.t.Fatal(err)
	}
	if w.nameServer.IsValid() {
		c.Resolver.NameServers, c.Resolver.Search, c.Resolver.Domain = []netip.AddrPort{w.nameServer}, nil, ""
	}
	return c
}
