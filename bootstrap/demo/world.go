package demo

import (
	"fmt"
	"net/netip"
)

// world says where everything is. The ports of proxies are fixed, so that each has an address of its own.
type world struct {
	// client and server are the addresses of the two pods, and of the proxies of their nodes. vip is the service's.
	client, server, vip netip.Addr
}

// loopback is the demo's world. Linux answers on all of 127.0.0.0/8 without any set-up.
var loopback = world{
	client: netip.MustParseAddr("127.0.0.11"), server: netip.MustParseAddr("127.0.0.12"), vip: netip.MustParseAddr("127.20.0.1"),
}

// The ports of the service and of the application behind it.
const (
	shopPort, shopTarget   = 80, 8080   // answers
	adminPort, adminTarget = 9090, 9090 // answers, and a policy forbids it
	deadPort, deadTarget   = 8081, 8081 // nobody listens
	socksPort              = 15080
)

const serviceName = "cart.shop.svc.cluster.local"

// state is the static state that both proxies are given.
func (w world) state() string {
	return fmt.Sprintf(`workloads:
- {uid: demo/buyer, name: buyer, namespace: shop, serviceAccount: buyer, workloadName: buyer, workloadType: deployment,
   canonicalName: buyer, canonicalRevision: v1, node: node-a, workloadIps: ["%[1]s"], protocol: HBONE, services: {}}
- {uid: demo/cart-0, name: cart-0, namespace: shop, serviceAccount: cart, workloadName: cart, workloadType: deployment,
   canonicalName: cart, canonicalRevision: v1, node: node-b, workloadIps: ["%[2]s"], protocol: HBONE,
   services: {"shop/%[10]s": {%[4]d: %[5]d, %[6]d: %[7]d, %[8]d: %[9]d}}}
services:
- name: cart
  namespace: shop
  hostname: %[10]s
  vips: ["/%[3]s"]
  ports: {%[4]d: %[5]d, %[6]d: %[7]d, %[8]d: %[9]d}
policies:
- name: no-admin
  namespace: shop
  scope: Namespace
  action: Deny
  dryRun: false
  rules:
  - - - destinationPorts: [%[7]d]
        principals: [!Exact cluster.local/ns/shop/sa/buyer]
`, w.client, w.server, w.vip, shopPort, shopTarget, adminPort, adminTarget, deadPort, deadTarget, serviceName)
}

// environ is the environment of one proxy.
func (w world) environ(node, workload string, ip netip.Addr, caDir string) []string {
	return []string{
		"PROXY_MODE=dedicated", "PROXY_WORKLOAD_INFO=" + workload, "NODE_NAME=" + node, "TROUPE_BIND_IP=" + ip.String(),
		"LOCAL_XDS=" + w.state(), "XDS_ADDRESS=", "FAKE_CA=true", "FAKE_CA_DIR=" + caDir, "ISTIO_META_DNS_CAPTURE=false",
		"UNSTABLE_ENABLE_SOCKS5=true", "ENABLE_ORIG_SRC=false", "RUST_LOG=warn,access=info",
	}
}
