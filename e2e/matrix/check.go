package matrix

import (
	"strings"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// idle is after how long without a call a node has let everything go: tunnels leave after five minutes.
const idle = 11 * time.Minute

// brief are the roles of whom nobody is left when no connection is.
var brief = []string{"tunnel", "accept", "classify", "authorize", "session", "peer"}

// verify ends what lives and looks for what must hold whatever was broken.
func (s *Scene) verify() {
	s.t.Helper()
	s.finish()
	s.World.Pass(idle)
	for _, c := range s.calls {
		if c.forbidden() && c.heard {
			s.t.Errorf("%s from %s was allowed", c.name, c.from)
		}
	}
	s.World.WantWholeTraces()
	for _, n := range s.nodes {
		s.verifyNode(n)
	}
	if open := s.World.Net().Open(); open != 0 && s.heals != Never { // else calls wait to be accepted
		s.t.Errorf("%d ends of connections are open", open)
	}
	for _, n := range s.nodes {
		n.Stop()
	}
	s.World.Settle()
	if open := s.World.Net().Open(); open != 0 {
		s.t.Errorf("%d ends of connections are open when the nodes have ended", open)
	}
}

func (s *Scene) verifyNode(n *bubble.Node) {
	s.t.Helper()
	name := n.Name()
	complete, lines := 0, map[string]int{}
	for _, line := range n.Access() {
		if strings.Contains(line, "\tconnection complete\t") {
			complete++
		}
		from, rest, _ := strings.Cut(line[strings.Index(line, "src.addr="):], " ")
		if n != s.nodes[Server] || !strings.Contains(rest, "dst.addr=10.0.0.2:15008") { // a tunnel's address is that of many
			lines[from]++
		}
	}
	if c := n.Counts(); c.Opened != c.Closed || c.Opened != complete || c.Sockets != 0 {
		s.t.Errorf("%s: %+v and %d lines of complete connections:\n%s", name, c, complete, strings.Join(n.Access(), "\n"))
	}
	for from, n := range lines {
		if n > 1 {
			s.t.Errorf("%s: %d lines for %s", name, n, from)
		}
	}
	for _, e := range n.Events.All() {
		switch e := e.(type) {
		case kit.UnknownMessage, kit.PanickedWhileEnding, kit.PanickedInUndeliver, kit.GaveUp:
			_, text, attrs := e.Log()
			s.t.Errorf("%s: %s %v", name, text, attrs)
		}
	}
	dumped, err := kit.AskFor[*messages.ConnectionsDumped](s.World.Context(), n.System, n.Pod(), &messages.DumpConnections{}, time.Second)
	if err != nil || len(dumped.Connections) != 0 {
		s.t.Errorf("%s: registry %+v, %v", name, dumped, err)
	}
	stats := n.System.Stats()
	for _, role := range brief {
		if r := stats.Role(role); r.Live != 0 || r.Working != 0 {
			s.t.Errorf("%s: %d actors of role %s live, %d goroutines work for them", name, r.Live, role, r.Working)
		}
	}
}

// roles are the roles that both nodes have known.
func (s *Scene) roles() []string {
	var all []string
	for _, n := range s.nodes {
		for _, r := range n.System.Stats().Roles {
			all = append(all, r.Role)
		}
	}
	return all
}
