package dedicated

import (
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
)

// path is a way from a client to a server: through two proxies, or one of them.
type path struct {
	name           string
	client, server []option
}

// paths are the kinds of way that bytes can take.
var paths = []path{
	{name: "HBONE"},
	{name: "plaintext out", server: []option{uncaptured}},
	{name: "plaintext in", client: []option{uncaptured}},
}

// each runs f over every path in both families, in a cluster of its own per path.
func each(t *testing.T, f func(t *testing.T, client, server *member, f family)) {
	for _, p := range paths {
		t.Run(p.name, func(t *testing.T) {
			w := newWorld(t)
			client, server := w.pod("client", localNode, p.client...), w.pod("server", remoteNode, p.server...)
			w.start()
			for _, fam := range families {
				t.Run(string(fam), func(t *testing.T) { f(t, client, server, fam) })
			}
		})
	}
}

// listen starts a server on its own port per family, so that records don't mix.
func listen(server *member, f family, mode agent.Mode) (address string, via agent.Via) {
	port := uint16(serverPort)
	for _, m := range []agent.Mode{agent.Double, agent.Banner, agent.Count, agent.Goodbye, agent.Reset, agent.Bulk} {
		if m == mode {
			break
		}
		port++
	}
	at := server.at(f.of(server), port)
	server.app.Listen(at.String(), mode)
	return at.String(), agent.Via{Target: at.String()}
}
