package jaeger

import (
	"io"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

// begin starts the mesh in this process. It ends with the test.
func begin(t *testing.T, environ []string) *Mesh {
	t.Helper()
	m, err := Start(t.Context(), Options{Environ: environ, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// established is the tree of a connection that both nodes carried to its end.
const established = `node-a outbound
  node-a accept
  node-a authorize
  node-a classify
  node-a tunnel
    node-a CONNECT
      node-b CONNECT
        node-b accept
        node-b authorize
        node-b classify
        node-b tunnel
          node-b dial
        node-b tunnel.close
    node-a pool.acquire
  node-a tunnel.close
`

func looksLike(outline string) func(*connectionTrace) bool {
	return func(t *connectionTrace) bool { return t.outline() == outline }
}

// Two processes that know nothing of each other but what they send.
func TestOneTraceSpansBothNodes(t *testing.T) {
	b := backendFor(t)
	service := b.service("both-nodes")
	startProcesses(t, b.environ(service, "parentbased_always_on"))
	if text, err := Call(t.Context(), ShopPort); err != nil || text != answer {
		t.Fatalf("the application answers %q, %v", text, err)
	}
	connection := b.await(t, service, Search{Operation: messages.SpanOutbound.String()}, 1, looksLike(established))[0]
	connection.span(t, NodeA, "outbound").want(t, map[string]string{
		messages.AttrDestService: serviceHost, messages.AttrDestWorkload: "cart-0", messages.AttrSourceWorkload: client,
		messages.AttrMode: "hbone", messages.AttrPoolHit: "false",
	})
	connection.span(t, NodeB, "CONNECT").want(t, map[string]string{
		messages.AttrHTTPStatus: "200", messages.AttrSourcePrincipal: "spiffe://cluster.local/ns/shop/sa/buyer",
	})
	links := connection.span(t, NodeA, "pool.acquire").links
	if len(links) != 1 {
		t.Fatalf("pool.acquire has the links %v, want one to the tunnel's set-up", links)
	}
	var setup *connectionTrace
	if !eventually(arrival, func() bool {
		var err error
		setup, err = b.trace(links[0].trace)
		return err == nil && setup != nil && setup.count(NodeA, "hbone.connection_setup") == 1
	}) {
		t.Fatalf("the tunnel's set-up, trace %s, is not in Jaeger", links[0].trace)
	}
	if root := setup.span(t, NodeA, "hbone.connection_setup"); root.id != links[0].span {
		t.Errorf("the link is to span %s of the set-up, want its root %s", links[0].span, root.id)
	}
	b.wantWhole(t, service)
}
