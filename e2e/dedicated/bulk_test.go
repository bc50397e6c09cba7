package dedicated

import (
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/product"
	"github.com/troupe-mesh/troupe/e2e/sandbox"
)

// bulkSize is how many bytes go each way: 1 GiB at full size, less with -short (the race detector's run).
func bulkSize() uint64 {
	switch {
	case testing.Short():
		return 32 << 20
	case sandbox.Required():
		return 1 << 30
	default:
		return 128 << 20
	}
}

// TestBulk moves much both ways at once over one connection and compares every byte.
func TestBulk(t *testing.T) {
	each(t, func(t *testing.T, client, server *member, f family) {
		size := bulkSize()
		if f == ipv6 {
			size /= 8
		}
		_, via := listen(server, f, agent.Bulk)
		done := client.app.Transfer(agent.Transfer{Via: via, Up: size, Down: size, Seed: size})
		t.Logf("%d MiB each way in %v", size>>20, done.Took)
	})
}

// TestBulkOneWay moves bytes one way while the other is idle, each way in turn, over one tunnel.
func TestBulkOneWay(t *testing.T) {
	each(t, func(t *testing.T, client, server *member, f family) {
		_, via := listen(server, f, agent.Bulk)
		const odd = 32<<20 + 1
		client.app.Transfer(agent.Transfer{Via: via, Up: odd})
		client.app.Transfer(agent.Transfer{Via: via, Down: odd})
	})
}

// TestBulkOverOneTunnel moves much over several streams of one tunnel at once: up, down, and both ways.
func TestBulkOverOneTunnel(t *testing.T) {
	const streams = 8
	w := newWorld(t)
	client, server := w.pod("client", localNode), w.pod("server", remoteNode)
	w.start()
	_, via := listen(server, ipv4, agent.Bulk)
	size := bulkSize() / 4
	for name, shape := range map[string]agent.Transfer{
		"up": {Up: size}, "down": {Down: size}, "both ways": {Up: size, Down: size},
	} {
		t.Run(name, func(t *testing.T) {
			failures := make(chan error, streams)
			for i := range uint64(streams) {
				transfer := shape
				transfer.Via, transfer.Seed = via, 2*i
				go func() {
					_, err := client.app.TryTransfer(transfer)
					failures <- err
				}()
			}
			for range streams {
				if err := <-failures; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestManyConnections holds many connections open at once: 2,000 of them over tunnels with 100 streams each.
func TestManyConnections(t *testing.T) {
	const connections = 2000
	w := newWorld(t)
	client, server := w.pod("client", localNode), w.pod("server", remoteNode)
	w.start()
	address, via := listen(server, ipv4, agent.Double)
	held := client.app.Many(agent.Many{Via: via, Connections: connections, Payload: hello})
	if held.Opened != connections || held.Answered != connections {
		t.Fatalf("held %+v, want %d opened and answered twice", held, connections)
	}
	for _, r := range server.app.EndedRecords(address, connections) {
		if r.Received != 22 || r.Sent != 44 || r.End != agent.EndEOF {
			t.Fatalf("a connection ended as %+v, want 22 bytes in and 44 out", r)
		}
	}
	for p, reporter := range map[*product.Proxy]string{client.proxy: "source", server.proxy: "destination"} {
		labels := product.Labels{"reporter": reporter}
		p.ExpectSum(product.ConnectionsClosed, labels, connections)
		p.ExpectSum(product.ConnectionsOpened, labels, connections)
		p.ExpectSum(product.ConnectionsFailed, labels, 0)
		p.ExpectSum(product.BytesReceived, labels, 22*connections)
		p.ExpectSum(product.BytesSent, labels, 44*connections)
	}
}
