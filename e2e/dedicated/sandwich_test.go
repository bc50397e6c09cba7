package dedicated

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/e2e/product"
	"github.com/troupe-mesh/troupe/transport/proxyproto"
)

// sandwichPort is where the waypoint's own application waits behind its proxy.
const sandwichPort = 15088

// TestSandwichWaypointPlain has a waypoint whose own proxy takes its tunnels: it moves the traffic to the tunnel's port and
// says nothing of it.
func TestSandwichWaypointPlain(t *testing.T) {
	w := newWorld(t)
	waypoint := w.pod("waypoint", localNode, func(m *member) {
		m.workload.ApplicationTunnel = &mesh.Tunnel{Protocol: "NONE", Port: sandwichPort}
	})
	server := w.pod("server", remoteNode, withWaypoint("/"+waypoint.IPv4.String()))
	target := server.at(server.IPv4, serverPort)
	callSandwich(t, w, waypoint, target, nil)
}

// TestSandwichWaypointProxyProtocol refers to the waypoint by the VIP of a service that has no ports, and has its application
// told of the client over loopback.
func TestSandwichWaypointProxyProtocol(t *testing.T) {
	w := newWorld(t)
	waypoint := w.pod("waypoint", localNode, inService(waypointHost, mesh.Ports{}), func(m *member) {
		m.workload.ApplicationTunnel = &mesh.Tunnel{Protocol: "PROXY", Port: sandwichPort}
	})
	w.mesh.Services = []mesh.Service{{
		Name: "waypoint", Namespace: namespace, Hostname: waypointHost, VIPs: []string{"/" + vip}, Ports: mesh.Ports{},
	}}
	server := w.pod("server", remoteNode, withWaypoint("/"+vip))
	target := server.at(server.IPv4, serverPort)
	callSandwich(t, w, waypoint, target, func(client *member, tunnel netip.AddrPort) []byte {
		return proxyproto.Header(tunnel, target, client.identity())
	})
}

// callSandwich calls target from a client and wants the call to end at the waypoint's application, which is told header
// first, where there is one.
func callSandwich(t *testing.T, w *world, waypoint *member, target netip.AddrPort, header func(client *member, tunnel netip.AddrPort) []byte) {
	t.Helper()
	client := w.pod("client", localNode)
	w.start()
	waypoint.app.Listen(":15088", agent.Echo)
	conn := client.app.Dial(target)
	conn.Write(hello)
	if header != nil { // the tunnel's port is not known: all other bytes of the header are
		told := string(header(client, netip.AddrPortFrom(client.IPv4, 1)))
		const sourcePort = 16 + 4 + 4
		got, _ := conn.Read(len(told) + len(hello))
		if got[:sourcePort]+got[sourcePort+2:] != told[:sourcePort]+told[sourcePort+2:]+hello {
			t.Errorf("the application was told %q, want %q", got, told+hello)
		}
	} else {
		conn.Expect(hello)
	}
	conn.CloseWrite()
	conn.ExpectEnd(agent.EndEOF)

	record := waypoint.app.EndedRecords(":15088", 1)[0]
	if header != nil != record.Peer.Addr().IsLoopback() || header == nil && record.Peer.Addr() != client.IPv4 {
		t.Errorf("the application was called by %v", record.Peer)
	}
	dialled := waypoint.at(waypoint.IPv4, hbonePort).String()
	client.proxy.ExpectAccess(product.Fields{
		"message": "connection complete", "level": "info", "direction": "outbound", "error": product.Absent,
		"dst.addr": dialled, "dst.hbone_addr": target.String(), "dst.workload": "waypoint", "dst.identity": waypoint.identity(),
	})
	waypoint.proxy.ExpectAccess(product.Fields{
		"message": "connection complete", "level": "info", "direction": "inbound", "error": product.Absent,
		"dst.addr": dialled, "dst.hbone_addr": target.String(), "src.workload": "client", "src.identity": client.identity(),
		"bytes_recv": helloBytes,
	})
}
