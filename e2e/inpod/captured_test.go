package inpod

import (
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// TestCaptured is the reference's local_captured_inpod, cross_node_captured_inpod, server_uncaptured_inpod and what
// client_uncaptured_inpod was meant to be.
func TestCaptured(t *testing.T) {
	w := newWorld(t)
	client, outsider := w.pod("client", localNode), w.pod("outsider", localNode, uncaptured)
	neighbour, server, bare := w.pod("neighbour", localNode), w.pod("server", remoteNode), w.pod("bare", remoteNode, uncaptured)
	w.start()
	for _, s := range []*member{neighbour, server, bare} {
		s.app.Listen(":8080", agent.Double)
	}
	for name, c := range map[string]struct{ client, server *member }{
		"local captured": {client, neighbour}, "cross node captured": {client, server},
		"server uncaptured": {client, bare}, "client uncaptured": {outsider, server},
	} {
		for _, f := range families {
			t.Run(name+" "+string(f), func(t *testing.T) {
				before := len(c.server.app.EndedRecords(":8080", 0))
				from := talk(c.client, c.server.at(f, serverPort))
				record := c.server.app.EndedRecords(":8080", before+1)[before]
				if record.End != agent.EndEOF || record.Received != 11 || record.Sent != 22 {
					t.Errorf("the server saw %+v, want 11 bytes in, 22 out and the end", record)
				}
				if got := record.Peer.Addr(); got != f.of(c.client.Pod) {
					t.Errorf("the server saw a connection from %v, want the client's own %v", got, f.of(c.client.Pod))
				}
				expectLines(c.client, c.server, from.String(), f)
			})
		}
	}
}

// expectLines wants the access-log lines of a conversation at each end that has a proxy.
func expectLines(client, server *member, from string, f family) {
	target := server.at(f, serverPort).String()
	mutual := client.captured && server.captured
	want := product.Fields{
		"message": "connection complete", "level": "info", "error": product.Absent,
		"src.workload": client.Name, "dst.workload": server.Name, "src.namespace": namespace, "dst.namespace": namespace,
		"dst.addr": target, "dst.hbone_addr": product.Absent, "src.identity": product.Absent, "dst.identity": product.Absent,
	}
	if mutual {
		want["dst.addr"], want["dst.hbone_addr"] = server.at(f, hbonePort).String(), target
		want["src.identity"], want["dst.identity"] = client.identity(), server.identity()
	}
	if client.captured {
		want["direction"], want["bytes_sent"], want["bytes_recv"], want["src.addr"] = "outbound", "11", "22", from
		client.node.proxy.ExpectAccess(want)
	}
	if server.captured {
		want["direction"], want["bytes_sent"], want["bytes_recv"] = "inbound", "22", "11"
		delete(want, "src.addr")
		server.node.proxy.ExpectAccess(want)
	}
}

// TestBorrowedAddressesDoNotCollide: the connections that the proxy makes to an application with a client's address never have
// the port of a connection that the client itself has to that application, which the redirection would take them for.
func TestBorrowedAddressesDoNotCollide(t *testing.T) {
	w := newWorld(t)
	outsider, server := w.pod("outsider", remoteNode, uncaptured), w.pod("server", localNode)
	w.start()
	server.app.Listen(":8080", agent.Double)
	for _, f := range families {
		const count = 600
		held := outsider.app.Many(agent.Many{
			Via: agent.Via{Target: server.at(f, serverPort).String()}, Connections: count, Payload: hello,
		})
		if held.Opened != count || held.Answered != count {
			t.Errorf("%s: of %d connections %d were opened, %d answered: %v", f, count, held.Opened, held.Answered, held.Failures)
		}
	}
}
