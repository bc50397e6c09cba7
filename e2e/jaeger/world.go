package jaeger

import (
	"fmt"
	"net/netip"

	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/messages"
)

// The nodes, and what runs on them.
const (
	NodeA = "node-a" // of the client, pod buyer
	NodeB = "node-b" // of the server, pod cart-0

	namespace   = "shop"
	client      = "buyer"
	server      = "cart"
	serviceHost = "cart.shop.svc.cluster.local"
)

// The ports of service cart.
const (
	ShopPort  = 80   // is answered
	AdminPort = 9090 // is denied by policy shop/no-admin
	DeadPort  = 8081 // has nobody who listens
)

// shopTarget is the application's port behind ShopPort; those of the others are their own.
const shopTarget = 8080

// The proxies' ports that others talk to.
const (
	socksPort     = 15080
	hbonePort     = 15008
	readinessPort = 15021
)

// Policy is the name of the policy that denies AdminPort to the client; its one rule has number 0.
const Policy = "shop/no-admin"

// The addresses: each proxy has its pod's, since all proxies' ports are the same. Linux answers on all of 127.0.0.0/8.
var (
	clientIP = netip.MustParseAddr("127.0.7.11")
	serverIP = netip.MustParseAddr("127.0.7.12")
	vip      = netip.MustParseAddr("127.20.7.1")
)

// node is one node of the mesh.
type node struct {
	name, pod, account string
	ip                 netip.Addr
}

var nodes = [2]node{{NodeA, client, client, clientIP}, {NodeB, server + "-0", server, serverIP}}

// identity is what the node's pod is in the mesh.
func (n node) identity() messages.Identity {
	return messages.Identity{TrustDomain: messages.DefaultTrustDomain, Namespace: namespace, ServiceAccount: n.account}
}

// meshConfig is what both nodes are told of the mesh.
func meshConfig() mesh.Config {
	c := mesh.Config{
		Services: []mesh.Service{{
			Name: server, Namespace: namespace, Hostname: serviceHost, VIPs: []string{"/" + vip.String()}, Ports: ports(),
		}},
		Policies: []mesh.Policy{{
			Name: "no-admin", Namespace: namespace, Scope: "Namespace", Action: "Deny",
			Rules: [][][]mesh.Match{{{{DestinationPorts: []uint16{AdminPort}}}}},
		}},
	}
	for _, n := range nodes {
		w := mesh.Workload{
			UID: "loopback/" + n.pod, Name: n.pod, Namespace: namespace, ServiceAccount: n.account, Node: n.name,
			TrustDomain: messages.DefaultTrustDomain, WorkloadName: n.account, WorkloadType: "deployment",
			CanonicalName: n.account, CanonicalRevision: "v1", WorkloadIPs: []string{n.ip.String()}, Protocol: mesh.HBONE,
			Services: map[string]mesh.Ports{},
		}
		if n.account == server {
			w.Services[namespace+"/"+serviceHost] = ports()
		}
		c.Workloads = append(c.Workloads, w)
	}
	return c
}

func ports() mesh.Ports {
	return mesh.Ports{ShopPort: shopTarget, AdminPort: AdminPort, DeadPort: DeadPort}
}

// environ is the environment of a node's proxy; caDir is where the mesh's authority is.
func (n node) environ(caDir string) []string {
	return []string{
		"PROXY_MODE=dedicated", fmt.Sprintf("PROXY_WORKLOAD_INFO=%s/%s/%s", namespace, n.pod, n.account),
		"NODE_NAME=" + n.name, "TROUPE_BIND_IP=" + n.ip.String(), "LOCAL_XDS=" + meshConfig().YAML(), "XDS_ADDRESS=",
		"FAKE_CA=true", "FAKE_CA_DIR=" + caDir, "ISTIO_META_DNS_CAPTURE=false", "UNSTABLE_ENABLE_SOCKS5=true",
		"ENABLE_ORIG_SRC=false", "RUST_LOG=warn,access=info",
	}
}
