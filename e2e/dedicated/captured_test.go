package dedicated

import (
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// capture is who of the two has a proxy, and where they are.
type capture struct {
	serverNode             string
	client, server         bool
	form                   option // nil for the in-pod form
	sourceIsPreservedThere bool   // the server sees the client's address
}

func TestLocalCaptured(t *testing.T) {
	testCapture(t, capture{serverNode: localNode, client: true, server: true, sourceIsPreservedThere: true})
}

func TestCrossNodeCaptured(t *testing.T) {
	testCapture(t, capture{serverNode: remoteNode, client: true, server: true, sourceIsPreservedThere: true})
}

func TestServerUncaptured(t *testing.T) {
	testCapture(t, capture{serverNode: remoteNode, client: true, sourceIsPreservedThere: true})
}

func TestClientUncaptured(t *testing.T) {
	testCapture(t, capture{serverNode: remoteNode, server: true, sourceIsPreservedThere: true})
}

func TestCrossNodeCapturedDedicated(t *testing.T) {
	testCapture(t, capture{serverNode: remoteNode, client: true, server: true, form: dedicatedForm})
}

func TestServerUncapturedDedicated(t *testing.T) {
	testCapture(t, capture{serverNode: remoteNode, client: true, form: dedicatedForm, sourceIsPreservedThere: true})
}

func testCapture(t *testing.T, c capture) {
	for _, f := range families {
		t.Run(string(f), func(t *testing.T) {
			w := newWorld(t)
			client := w.pod("client", localNode, c.options(c.client)...)
			server := w.pod("server", c.serverNode, c.options(c.server)...)
			w.start()
			server.app.Listen(":8080", agent.Double)

			conn := client.app.Dial(server.at(f.of(server), serverPort))
			conn.Write(hello)
			conn.Expect(helloTwice)
			conn.CloseWrite()
			conn.ExpectEnd(agent.EndEOF)

			record := server.app.EndedRecords(":8080", 1)[0]
			if record.End != agent.EndEOF || record.Received != 11 || record.Sent != 22 {
				t.Errorf("the server saw %+v, want 11 bytes in, 22 out and the end", record)
			}
			if got := record.Peer.Addr(); c.sourceIsPreservedThere && got != f.of(client) {
				t.Errorf("the server saw a connection from %v, want the client's own %v", got, f.of(client))
			}
			if c.client {
				c.checkSource(client, server, conn, f)
			}
			if c.server {
				c.checkDestination(client, server, f)
			}
		})
	}
}

func (c capture) options(captured bool) []option {
	var o []option
	if !captured {
		o = append(o, uncaptured)
	}
	if c.form != nil {
		o = append(o, c.form)
	}
	return o
}

// mutual reports whether the connection crosses as mutual TLS.
func (c capture) mutual() bool { return c.client && c.server }

func (c capture) checkSource(client, server *member, conn *agent.Conn, f family) {
	target := server.at(f.of(server), serverPort).String()
	want := product.Fields{
		"message": "connection complete", "level": "info", "direction": "outbound", "error": product.Absent,
		"src.addr": conn.Local.String(), "src.workload": "client", "src.namespace": namespace,
		"dst.addr": target, "dst.hbone_addr": product.Absent, "dst.workload": "server", "dst.namespace": namespace,
		"src.identity": product.Absent, "dst.identity": product.Absent,
		"bytes_sent": helloBytes, "bytes_recv": answerBytes,
	}
	if c.mutual() {
		want["dst.addr"] = server.at(f.of(server), hbonePort).String()
		want["dst.hbone_addr"] = target
		want["src.identity"], want["dst.identity"] = client.identity(), server.identity()
	}
	client.proxy.ExpectAccess(want)
	expectTraffic(client.proxy, "source", c.mutual(), traffic{11, 22})
}

func (c capture) checkDestination(client, server *member, f family) {
	target := server.at(f.of(server), serverPort).String()
	want := product.Fields{
		"message": "connection complete", "level": "info", "direction": "inbound", "error": product.Absent,
		"src.workload": "client", "src.namespace": namespace, "dst.workload": "server", "dst.namespace": namespace,
		"dst.addr": target, "dst.hbone_addr": product.Absent,
		"src.identity": product.Absent, "dst.identity": product.Absent,
		"bytes_sent": answerBytes, "bytes_recv": helloBytes,
	}
	if c.mutual() {
		want["dst.addr"] = server.at(f.of(server), hbonePort).String()
		want["dst.hbone_addr"] = target
		want["src.identity"], want["dst.identity"] = client.identity(), server.identity()
	}
	server.proxy.ExpectAccess(want)
	expectTraffic(server.proxy, "destination", c.mutual(), traffic{11, 22})
}

// traffic is the payload of one connection as the metrics count it.
type traffic struct{ received, sent float64 }

// expectTraffic wants exactly one connection of the reporter's, opened and closed, with that payload.
func expectTraffic(p *product.Proxy, reporter string, mutual bool, want traffic) {
	labels := product.Labels{"reporter": reporter}
	p.ExpectSum(product.ConnectionsClosed, labels, 1)
	p.ExpectSum(product.ConnectionsOpened, labels, 1)
	p.ExpectSum(product.ConnectionsFailed, labels, 0)
	p.ExpectSum(product.BytesReceived, labels, want.received)
	p.ExpectSum(product.BytesSent, labels, want.sent)
	security := "unknown"
	if mutual {
		security = "mutual_tls"
	}
	p.ExpectSum(product.ConnectionsOpened, product.Labels{
		"reporter": reporter, "connection_security_policy": security, "request_protocol": "tcp", "response_flags": "-",
		"source_workload": "client", "source_workload_namespace": namespace,
	}, 1)
}
