package inpod

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/lab"
	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// TestRulesOfTheAgent holds the proxy against the agent's rules (spec/ops.md §4), by each of the tools that the agent has and by
// netlink: what a pod sends and gets is captured, DNS too, in both families.
func TestRulesOfTheAgent(t *testing.T) {
	for name, tool := range map[string]lab.Tool{
		"netlink": lab.Netlink, "iptables": lab.IPTables, "legacy iptables": lab.IPTablesLegacy, "nft": lab.NFT,
	} {
		t.Run(name, func(t *testing.T) {
			if !tool.IsHere() {
				t.Skipf("%s is not installed", tool)
			}
			testRules(t, tool)
		})
	}
}

func testRules(t *testing.T, tool lab.Tool) {
	w := newWorld(t)
	w.nodes[localNode].env["ISTIO_META_DNS_CAPTURE"] = "true"
	w.mesh.Services = []mesh.Service{{
		Name: "cart", Namespace: namespace, Hostname: "cart.default.svc.cluster.local", VIPs: []string{"/10.96.0.7"}, Ports: mesh.Ports{80: 80},
	}}
	by := ruled(func(r *lab.Redirection) { r.Tool, r.DNS = tool, true })
	withTool := ruled(func(r *lab.Redirection) { r.Tool = tool })
	client, server := w.pod("client", localNode, by), w.pod("server", remoteNode, withTool)
	outsider := w.pod("outsider", remoteNode, uncaptured)
	w.start()
	for _, m := range []*member{client, server, outsider} {
		m.app.Listen(":8080", agent.Double)
	}
	for _, f := range families {
		expectLines(client, server, talk(client, server.at(f, serverPort)).String(), f)
		expectLines(client, outsider, talk(client, outsider.at(f, serverPort)).String(), f)
		before := len(server.app.EndedRecords(":8080", 0))
		expectLines(outsider, server, talk(outsider, server.at(f, serverPort)).String(), f)
		if got := server.app.EndedRecords(":8080", before+1)[before].Peer.Addr(); got != f.of(outsider.Pod) {
			t.Errorf("the server saw a connection from %v, want the client's own %v", got, f.of(outsider.Pod))
		}
		lines := len(client.node.proxy.AccessLog())
		talk(client, client.at(f, serverPort)) // a call to oneself is not captured
		if now := len(client.node.proxy.AccessLog()); now != lines {
			t.Errorf("%s: a call of a pod to itself went by the proxy", f)
		}
		anywhere := map[family]string{ipv4: "192.0.2.53:53", ipv6: "[2001:db8::53]:53"}[f]
		for _, network := range []string{"udp", "tcp"} {
			if got := client.lookUp(network, anywhere, "cart.default.svc.cluster.local."); got != "10.96.0.7" {
				t.Errorf("%s: a question by %s is answered %q", f, network, got)
			}
		}
	}
}

// TestProbesAreNotCaptured: what the kubelet asks reaches the application as if there were no proxy.
func TestProbesAreNotCaptured(t *testing.T) {
	w := newWorld(t)
	client, server := w.pod("client", remoteNode), w.pod("server", localNode)
	w.start()
	server.app.Listen(":8080", agent.Double)
	n := w.nodes[localNode]
	v4, v6 := n.Probe()
	kubelet := agent.Start(t, n.NS(), "kubelet")
	for f, from := range map[family]netip.Addr{ipv4: v4, ipv6: v6} {
		before := len(server.app.EndedRecords(":8080", 0))
		probe, err := kubelet.TryDial(agent.Via{Target: server.at(f, serverPort).String(), Source: from.String()})
		if err != nil {
			t.Fatal(err)
		}
		goesOn(probe)
		probe.CloseWrite()
		probe.ExpectEnd(agent.EndEOF)
		if got := server.app.EndedRecords(":8080", before+1)[before].Peer; got != probe.Local {
			t.Errorf("the server saw a connection from %v, want the probe's own %v", got, probe.Local)
		}
		talk(client, server.at(f, serverPort))
		n.proxy.ExpectAccess(product.Fields{"direction": "inbound", "src.workload": "client", "dst.hbone_addr": server.at(f, serverPort).String()})
		for _, line := range n.proxy.AccessLog() {
			if strings.Contains(line["src.addr"], from.String()) {
				t.Errorf("%s: the probe went by the proxy: %v", f, line)
			}
		}
	}
}

// TestVirtualInterfaceIsRerouted: what comes by a link of the pod that a machine in it is behind is the pod's own traffic.
func TestVirtualInterfaceIsRerouted(t *testing.T) {
	for name, tool := range map[string]lab.Tool{"netlink": lab.Netlink, "iptables": lab.IPTables, "nft": lab.NFT} {
		t.Run(name, func(t *testing.T) {
			if !tool.IsHere() {
				t.Skipf("%s is not installed", tool)
			}
			w := newWorld(t)
			var machine *lab.Namespace
			client := w.pod("client", localNode, func(m *member) {
				var link string
				machine, link = m.Behind("machine")
				m.rules.Reroute, m.rules.Tool = []string{link}, tool
			})
			server := w.pod("server", remoteNode)
			w.start()
			server.app.Listen(":8080", agent.Double)
			guest := agent.Start(t, machine, "guest")
			for _, f := range families {
				c := guest.Dial(server.at(f, serverPort))
				goesOn(c)
				c.CloseWrite()
				c.ExpectEnd(agent.EndEOF)
				client.node.proxy.ExpectAccess(product.Fields{
					"direction": "outbound", "error": product.Absent, "src.addr": c.Local.String(), "src.identity": client.identity(),
					"dst.addr": server.at(f, hbonePort).String(), "dst.identity": server.identity(),
				})
				talk(client, server.at(f, serverPort)) // the pod's own is as ever
			}
		})
	}
}

// TestIngressMode: a pod whose inbound traffic is not captured gets plain connections as they are, tunnels by the proxy, and
// sends by the proxy.
func TestIngressMode(t *testing.T) {
	for name, tool := range map[string]lab.Tool{"netlink": lab.Netlink, "iptables": lab.IPTables, "nft": lab.NFT} {
		t.Run(name, func(t *testing.T) {
			if !tool.IsHere() {
				t.Skipf("%s is not installed", tool)
			}
			w := newWorld(t)
			ingress := w.pod("ingress", localNode, ruled(func(r *lab.Redirection) { r.Ingress, r.Tool = true, tool }))
			outsider, server := w.pod("outsider", remoteNode, uncaptured), w.pod("server", remoteNode)
			w.start()
			ingress.app.Listen(":8080", agent.Double)
			server.app.Listen(":8080", agent.Double)
			for _, f := range families {
				from := talk(outsider, ingress.at(f, serverPort))
				if got := ingress.app.EndedRecords(":8080", 1); got[len(got)-1].Peer != from {
					t.Errorf("the gateway saw a connection from %v, want the client's own %v", got[len(got)-1].Peer, from)
				}
				expectLines(ingress, server, talk(ingress, server.at(f, serverPort)).String(), f)
				talk(server, ingress.at(f, serverPort)) // in a tunnel
				ingress.node.proxy.ExpectAccess(product.Fields{
					"direction": "inbound", "src.identity": server.identity(), "dst.hbone_addr": ingress.at(f, serverPort).String(),
				})
				for _, line := range ingress.node.proxy.AccessLog() {
					if line["direction"] == "inbound" && line["src.workload"] == "outsider" {
						t.Errorf("%s: a plain connection went by the proxy: %v", f, line)
					}
				}
			}
		})
	}
}
