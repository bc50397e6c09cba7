package jaeger

import (
	"net/http"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

// A peer that exports nothing names a span that will never be in Jaeger. Its connections have traces of their own all the
// same, whole and with a link, whatever its flag says.
func TestPeerThatNeverSamples(t *testing.T) {
	b := backendFor(t)
	service := b.service("foreign-peer")
	m := begin(t, b.environ(service, "parentbased_always_on"))
	p := newPeer(t, m.caDir)
	for _, test := range []struct {
		name        string
		port        uint16
		status      int
		trace, span string
		outline     string
	}{
		{
			"allowed", shopTarget, http.StatusOK, "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331",
			"node-b CONNECT\n  node-b accept\n  node-b authorize\n  node-b classify\n  node-b tunnel\n    node-b dial\n  node-b tunnel.close\n",
		},
		{
			"denied", AdminPort, http.StatusUnauthorized, "1af7651916cd43dd8448eb211c80319c", "c7ad6b7169203331",
			"node-b CONNECT ✗ policy_denied\n  node-b accept\n  node-b authorize ✗ policy_denied\n  node-b classify\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if status := p.call(test.port, "00-"+test.trace+"-"+test.span+"-00"); status != test.status {
				t.Fatalf("status %d, want %d", status, test.status)
			}
			search := Search{Tags: messages.AttrRemoteTraceID + "=" + test.trace}
			found := b.await(t, service, search, 1, looksLike(test.outline))[0]
			if root := found.span(t, NodeB, "CONNECT"); len(root.links) != 1 || root.links[0] != (link{test.trace, test.span}) {
				t.Errorf("the links are %v, want one to what the peer named", root.links)
			}
			if remote, err := b.trace(test.trace); err != nil || remote != nil {
				t.Errorf("Jaeger has the peer's trace, which only its peer could have sent (%v)", err)
			}
		})
	}
	b.wantWhole(t, service)
}
