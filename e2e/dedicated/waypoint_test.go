package dedicated

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// waypointHost is the waypoint service's hostname.
const waypointHost = "waypoint.default.svc.cluster.local"

// waypointAnswer is what a client that says hello hears through the waypoint.
const waypointAnswer = agent.WaypointText + hello

func TestWorkloadWaypoint(t *testing.T) {
	for _, f := range families {
		t.Run(string(f), func(t *testing.T) {
			w := newWorld(t)
			waypoint := w.pod("waypoint", localNode, uncaptured)
			server := w.pod("server", localNode, withWaypoint("/"+f.of(waypoint).String()))
			callWaypoint(t, w, waypoint, f, server.at(f.of(server), serverPort).String())
		})
	}
}

func TestServiceWaypoint(t *testing.T) {
	w := newWorld(t)
	waypoint := w.pod("waypoint", localNode, uncaptured)
	w.pod("server", localNode, inService("server.default.svc.cluster.local", mesh.Ports{80: serverPort}))
	w.mesh.Services = []mesh.Service{{
		Name: "server", Namespace: namespace, Hostname: "server.default.svc.cluster.local", VIPs: []string{"/" + vip},
		Ports: mesh.Ports{80: 80}, Waypoint: &mesh.Gateway{Destination: "/" + waypoint.IPv4.String(), Port: hbonePort},
	}}
	callWaypoint(t, w, waypoint, ipv4, vip+":80")
}

func TestServiceWaypointHostname(t *testing.T) {
	w := newWorld(t)
	waypoint := w.pod("waypoint", localNode, uncaptured, inService(waypointHost, mesh.Ports{80: serverPort}))
	w.mesh.Services = []mesh.Service{{
		Name: "waypoint", Namespace: namespace, Hostname: waypointHost, VIPs: []string{"/" + vip},
		Ports: mesh.Ports{hbonePort: hbonePort},
	}}
	server := w.pod("server", localNode, withWaypoint(namespace+"/"+waypointHost))
	callWaypoint(t, w, waypoint, ipv4, server.at(server.IPv4, serverPort).String())
}

func TestServiceWaypointWorkloadHostname(t *testing.T) {
	w := newWorld(t)
	waypoint := w.pod("waypoint", localNode, uncaptured, func(m *member) { m.workload.Hostname = "waypoint.example.com" })
	server := w.pod("server", localNode, withWaypoint(namespace+"/waypoint.example.com"))
	callWaypoint(t, w, waypoint, ipv4, server.at(server.IPv4, serverPort).String())
}

// callWaypoint calls target from a client and wants the call to end at the waypoint. Nobody listens at the server.
func callWaypoint(t *testing.T, w *world, waypoint *member, f family, target string) {
	t.Helper()
	client := w.pod("client", localNode)
	w.start()
	waypoint.app.ServeWaypoint(agent.Waypoint{
		Address: waypoint.at(f.of(waypoint), hbonePort).String(), CADir: w.caDir, Identity: waypoint.identity(),
	})
	conn := client.app.Dial(netip.MustParseAddrPort(target))
	conn.Write(hello)
	conn.Expect(waypointAnswer)
	conn.CloseWrite()
	conn.ExpectEnd(agent.EndEOF)

	client.proxy.ExpectAccess(product.Fields{
		"message": "connection complete", "level": "info", "direction": "outbound", "error": product.Absent,
		"src.addr": conn.Local.String(), "src.workload": "client", "src.identity": client.identity(),
		"dst.addr": waypoint.at(f.of(waypoint), hbonePort).String(), "dst.hbone_addr": target,
		"dst.workload": "waypoint", "dst.namespace": namespace, "dst.identity": waypoint.identity(),
		"bytes_sent": helloBytes, "bytes_recv": "20",
	})
	expectTraffic(client.proxy, "source", true, traffic{11, 20})
	seen := waypoint.app.Requests()
	if len(seen) != 1 || seen[0].Authority != target || seen[0].Identity != client.identity() || seen[0].Peer.Addr() != f.of(client) {
		t.Errorf("the waypoint saw %+v, want one CONNECT %s by %s", seen, target, client.identity())
	}
	if len(seen) == 1 && (seen[0].Header.Get("Baggage") == "" || seen[0].Header.Get("Forwarded") == "" || seen[0].Header.Get("Traceparent") == "") {
		t.Errorf("the CONNECT's headers are %v, want baggage, forwarded and traceparent", seen[0].Header)
	}
}
