package inpod

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// The services of the catalogue.
const (
	waypointHost = "waypoint.default.svc.cluster.local"
	servedHost   = "served.default.svc.cluster.local"
	namedHost    = "named.default.svc.cluster.local"
	balancedHost = "balanced.default.svc.cluster.local"
)

// TestCatalogue is what spec/ops.md §11.2 asserts beside TestCaptured, in one world: waypoints in all four forms, load
// balancing, policy, malformed and misdirected CONNECTs, names, foreign trust domains, loops, and the proxy's metrics over
// HBONE.
func TestCatalogue(t *testing.T) {
	w := newWorld(t)
	client, stranger := w.pod("client", localNode), w.pod("stranger", localNode, uncaptured)
	foreigner := w.pod("foreigner", localNode, inTrustDomain("clusterset.local"))
	waypoint := w.pod("waypoint", localNode, uncaptured, inService(waypointHost, mesh.Ports{80: serverPort}), func(m *member) {
		m.workload.Hostname = "waypoint.example.com"
	})
	behind4 := w.pod("behind4", localNode, withWaypoint("/"+waypoint.IPv4.String()))
	behind6 := w.pod("behind6", localNode, withWaypoint("/"+waypoint.IPv6.String()))
	byService := w.pod("by-service", localNode, withWaypoint(namespace+"/"+waypointHost))
	byWorkload := w.pod("by-workload", localNode, withWaypoint(namespace+"/waypoint.example.com"))
	served := w.pod("served", localNode, inService(servedHost, mesh.Ports{80: serverPort}), inService(namedHost, mesh.Ports{80: serverPort}))
	near := w.pod("near", localNode, inService(balancedHost, mesh.Ports{80: serverPort}))
	far := w.pod("far", remoteNode, inService(balancedHost, mesh.Ports{80: serverPort}))
	guarded := w.pod("guarded", localNode, func(m *member) { m.workload.Policies = []string{namespace + "/only-waypoint"} })
	w.mesh.Services = []mesh.Service{
		{Name: "waypoint", Namespace: namespace, Hostname: waypointHost, VIPs: []string{"/10.10.0.1"}, Ports: mesh.Ports{hbonePort: hbonePort}},
		{Name: "served", Namespace: namespace, Hostname: servedHost, VIPs: []string{"/10.10.0.2", "/fd00:10:10::2"}, Ports: mesh.Ports{80: serverPort}, Waypoint: &mesh.Gateway{
			Destination: "/" + waypoint.IPv4.String(), Port: hbonePort,
		}},
		{Name: "named", Namespace: namespace, Hostname: namedHost, VIPs: []string{"/10.10.0.4"}, Ports: mesh.Ports{80: 0}},
		{Name: "balanced", Namespace: namespace, Hostname: balancedHost, VIPs: []string{"/10.10.0.3", "/fd00:10:10::3"}, Ports: mesh.Ports{80: 80}},
	}
	w.mesh.Policies = []mesh.Policy{{
		Name: "only-waypoint", Namespace: namespace, Scope: "WorkloadSelector", Action: "Allow",
		Rules: [][][]mesh.Match{{{{Principals: []mesh.Exact{"cluster.local/ns/default/sa/waypoint"}}}}},
	}}
	w.start()
	for _, m := range []*member{served, near, far, guarded} {
		m.app.Listen(":8080", agent.Double)
	}
	proxy := w.nodes[localNode].proxy

	for _, f := range families {
		waypoint.app.ServeWaypoint(agent.Waypoint{Address: waypoint.at(f, hbonePort).String(), CADir: w.caDir, Identity: waypoint.identity()})
	}
	for name, c := range map[string]struct {
		f      family
		target string
	}{
		"workload waypoint IPv4": {ipv4, behind4.at(ipv4, serverPort).String()},
		"workload waypoint IPv6": {ipv6, behind6.at(ipv6, serverPort).String()},
		"service waypoint IPv4":  {ipv4, "10.10.0.2:80"},
		"service waypoint IPv6":  {ipv4, "[fd00:10:10::2]:80"},
		"waypoint by service":    {ipv4, byService.at(ipv4, serverPort).String()},
		"waypoint by workload":   {ipv4, byWorkload.at(ipv4, serverPort).String()},
	} {
		t.Run(name, func(t *testing.T) {
			conn := client.app.Dial(netip.MustParseAddrPort(c.target))
			conn.Write(hello)
			conn.Expect(agent.WaypointText + hello)
			conn.CloseWrite()
			conn.ExpectEnd(agent.EndEOF)
			proxy.ExpectAccess(product.Fields{
				"message": "connection complete", "direction": "outbound", "error": product.Absent, "src.addr": conn.Local.String(),
				"dst.addr": waypoint.at(c.f, hbonePort).String(), "dst.hbone_addr": c.target, "dst.workload": "waypoint",
				"src.identity": client.identity(), "dst.identity": waypoint.identity(), "bytes_sent": "11", "bytes_recv": "20",
			})
		})
	}
	t.Run("load balancing", func(t *testing.T) {
		for range 15 {
			for _, vip := range []string{"10.10.0.3:80", "[fd00:10:10::3]:80"} {
				talk(client, netip.MustParseAddrPort(vip))
			}
		}
		nearer, farther := len(near.app.EndedRecords(":8080", 1)), len(far.app.EndedRecords(":8080", 1))
		service := product.Labels{"destination_service": balancedHost, "destination_service_name": "balanced", "destination_service_namespace": namespace}
		service["reporter"] = "source"
		proxy.ExpectSum(product.ConnectionsClosed, service, 30)
		service["reporter"] = "destination"
		proxy.ExpectSum(product.ConnectionsClosed, service, float64(nearer))
		w.nodes[remoteNode].proxy.ExpectSum(product.ConnectionsClosed, service, float64(farther))
	})
	t.Run("connect", func(t *testing.T) { testConnects(t, stranger, served, guarded) })
	t.Run("trust domain", func(t *testing.T) {
		conn := foreigner.app.Dial(served.at(ipv4, serverPort))
		if err := conn.TryWrite(hello); err == nil { // a reset where the words came before the end
			if got, end := conn.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
				t.Errorf("it read %q and ended with %q, want nothing and an end", got, end)
			}
		}
		proxy.ExpectAccess(product.Fields{"level": "error", "direction": "outbound", "src.addr": conn.Local.String()})
	})
	t.Run("malicious calls", func(t *testing.T) { testMaliciousCalls(t, w, client, stranger, served) })
	t.Run("metrics over HBONE", func(t *testing.T) { testSelfMetrics(t, w, client) })
	t.Run("admin", func(t *testing.T) { testWorkloadState(t, w, client, far) })
}

// testConnects has a peer that isn't Troupe ask the proxy of pods on its node.
func testConnects(t *testing.T, peer, served, guarded *member) {
	for name, c := range map[string]struct {
		server    *member
		authority string
		want      int
		says      product.Fields
	}{
		"own address":      {served, served.at(ipv4, serverPort).String(), http.StatusOK, product.Fields{"level": "info"}},
		"own IPv6 address": {served, served.at(ipv6, serverPort).String(), http.StatusOK, product.Fields{"level": "info"}},
		"IPv6 mismatch": {served, peer.at(ipv6, serverPort).String(), http.StatusBadRequest, product.Fields{
			"level": "warn", "error": fmt.Sprintf("ip mismatch: %s != %s", served.IPv6, peer.IPv6),
		}},
		"ip mismatch": {served, peer.at(ipv4, serverPort).String(), http.StatusBadRequest, product.Fields{
			"level": "warn", "error": fmt.Sprintf("ip mismatch: %s != %s", served.IPv4, peer.IPv4),
		}},
		"hostname and port": {served, servedHost + ":80", http.StatusOK, product.Fields{"dst.service": servedHost}},
		"named port":        {served, namedHost + ":80", http.StatusOK, product.Fields{"dst.service": namedHost}},
		"policy": {guarded, guarded.at(ipv4, serverPort).String(), http.StatusUnauthorized, product.Fields{
			"level": "error", "error": "connection closed due to policy rejection: allow policies exist, but none allowed",
		}},
		"nobody listens": {served, served.at(ipv4, 9).String(), http.StatusServiceUnavailable, product.Fields{"level": "error"}},
		"our own port":   {served, served.at(ipv4, hbonePort).String(), http.StatusServiceUnavailable, product.Fields{"level": "warn"}},
	} {
		t.Run(name, func(t *testing.T) {
			by := ipv4
			if strings.HasPrefix(c.authority, "[") {
				by = ipv6
			}
			answer := peer.app.Connect(agent.Tunnel{
				Proxy: c.server.at(by, hbonePort).String(), Authority: c.authority, CADir: c.server.w.caDir,
				Identity: peer.identity(), Expected: c.server.identity(), Payload: hello,
			})
			if answer.Status != c.want {
				t.Errorf("status %d, want %d", answer.Status, c.want)
			}
			c.says["direction"] = "inbound"
			c.server.node.proxy.ExpectAccess(c.says)
		})
	}
}

// fate is what becomes of a call to one of a proxy's own ports.
type fate string

const (
	refused fate = "refused"             // nobody takes the connection
	dropped fate = "taken, then dropped" // no application data ever comes back
	http400 fate = "answered as HTTP"    // the port is an HTTP endpoint
)

// testMaliciousCalls calls the proxy's own ports, in its own pod, in the caller's and in another one. The proxy's endpoints
// are in its own namespace; no call may come back to it as traffic.
func testMaliciousCalls(t *testing.T, w *world, client, outsider, other *member) {
	ztunnel := w.nodes[localNode].pod
	for _, f := range families {
		loopback := map[family]string{ipv4: "127.0.0.1", ipv6: "::1"}[f]
		for _, from := range []*member{client, outsider} {
			for _, port := range []uint16{15000, 15001, 15006, 15008, 15020, 15021, 15080} {
				inItself := dropped
				if !from.captured {
					inItself = refused
				}
				elsewhere := map[string]struct {
					ip   netip.Addr
					want []fate
				}{
					"localhost": {netip.MustParseAddr(loopback), map[bool][]fate{true: {inItself}, false: {refused}}[port == 15001 || port == 15006 || port == 15008]},
					"itself":    {f.of(from.Pod), map[bool][]fate{true: {inItself}, false: {refused}}[port == 15001 || port == 15006 || port == 15008]},
					"other":     {f.of(other.Pod), []fate{dropped, refused}},
					"ztunnel":   {f.of(ztunnel), map[bool][]fate{true: {http400}, false: {dropped, refused}}[port == 15020 || port == 15021]},
				}
				for name, c := range elsewhere {
					got := callPort(from.app, netip.AddrPortFrom(c.ip, port))
					ok := false
					for _, want := range c.want {
						ok = ok || got == want
					}
					if !ok {
						t.Errorf("%s calls %s %d by %s: %s, want %v", from.Name, name, port, f, got, c.want)
					}
				}
			}
		}
	}
}

func callPort(app *agent.Agent, target netip.AddrPort) fate {
	conn, err := app.TryDial(agent.Via{Target: target.String()})
	if err != nil {
		return refused
	}
	defer conn.Close()
	if err := conn.TryWrite("hello world\r\n\r\n"); err != nil {
		return dropped
	}
	got, end := conn.Read(12)
	switch {
	case strings.HasPrefix(got, "HTTP/1.1 400"):
		return http400
	case (end == agent.EndEOF || end == agent.EndReset) && (got == "" || got[0] == 0x15): // a TLS alert is all that 15008 may say
		return dropped
	}
	return fate(fmt.Sprintf("answered %q and ended %q", got, end))
}

// testSelfMetrics fetches the metrics of the proxy over HBONE: its own listener is a workload of the mesh.
func testSelfMetrics(t *testing.T, w *world, client *member) {
	ztunnel := w.nodes[remoteNode].pod
	conn := client.app.Dial(netip.AddrPortFrom(ztunnel.IPv4, 15020))
	conn.Write("GET /metrics HTTP/1.0\r\n\r\n")
	got, end := conn.ReadAll()
	if end != agent.EndEOF || !strings.Contains(got, "200 OK") || !strings.Contains(got, "# TYPE") {
		t.Errorf("read %d bytes and the end %q", len(got), end)
	}
	conn.Close()
	w.nodes[localNode].proxy.ExpectAccess(product.Fields{ // not its port: the redirection changes one that is in use for another call
		"direction": "outbound", "dst.addr": netip.AddrPortFrom(ztunnel.IPv4, hbonePort).String(),
		"dst.hbone_addr": netip.AddrPortFrom(ztunnel.IPv4, 15020).String(), "src.identity": client.identity(),
	})
	self := "ztunnel-" + remoteNode
	w.nodes[remoteNode].proxy.ExpectAccess(product.Fields{
		"direction": "inbound", "error": product.Absent, "src.identity": client.identity(), "dst.workload": self,
		"dst.identity": "spiffe://cluster.local/ns/default/sa/" + self, "dst.hbone_addr": netip.AddrPortFrom(ztunnel.IPv4, 15020).String(),
	})
	w.nodes[remoteNode].proxy.ExpectSum(product.ConnectionsOpened, product.Labels{"reporter": "destination", "destination_workload": self}, 1)
}
