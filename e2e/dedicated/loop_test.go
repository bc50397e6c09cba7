package dedicated

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
)

// fate is what becomes of a call to one of a proxy's own ports.
type fate string

const (
	refused fate = "refused"             // nobody takes the connection
	dropped fate = "taken, then dropped" // no application data ever comes back
	http400 fate = "answered as HTTP"    // the port is an HTTP endpoint
)

// call is a call to a port that no application should use.
type call struct {
	target string // localhost, itself, or another pod
	port   uint16
	want   fate
}

// TestMaliciousCalls calls the proxies' own ports from a pod with a proxy and from one without. The pod's own
// endpoints are open to it, for in dedicated mode the proxy lives in the pod; no call may come back to the proxy as
// traffic, ever.
func TestMaliciousCalls(t *testing.T) {
	w := newWorld(t)
	client, server := w.pod("client", localNode), w.pod("server", localNode)
	outsider := w.pod("outsider", localNode, uncaptured)
	w.start()
	testCalls(t, client, server, []call{
		{"localhost", 15001, dropped},
		{"localhost", 15006, dropped},
		{"localhost", 15008, dropped},
		{"localhost", 15080, refused},
		{"localhost", 15053, refused},
		{"localhost", 15000, http400},
		{"localhost", 15020, http400},
		{"localhost", 15021, http400},
		{"itself", 15001, dropped},
		{"itself", 15006, dropped},
		{"itself", 15008, dropped},
		{"itself", 15080, refused},
		{"itself", 15000, refused},
		{"itself", 15020, http400},
		{"itself", 15021, http400},
		{"other", 15001, dropped},
		{"other", 15006, dropped},
		{"other", 15008, dropped},
		{"other", 15080, dropped},
		{"other", 15000, dropped},
		{"other", 15020, http400},
		{"other", 15021, http400},
	})
	testCalls(t, outsider, server, []call{
		{"other", 15001, dropped},
		{"other", 15006, dropped},
		{"other", 15008, dropped},
		{"other", 15080, dropped},
		{"other", 15000, dropped},
		{"other", 15020, http400},
		{"other", 15021, http400},
	})
}

func testCalls(t *testing.T, from, other *member, calls []call) {
	for _, f := range families {
		for _, c := range calls {
			t.Run(fmt.Sprintf("%s calls %s %d %s", from.Name, c.target, c.port, f), func(t *testing.T) {
				if f == ipv6 && c.target == "localhost" && c.port == 15080 {
					return // bound to 127.0.0.1 alone, if at all
				}
				ip := map[string]netip.Addr{"itself": f.of(from), "other": f.of(other), "localhost": netip.IPv6Loopback()}[c.target]
				if c.target == "localhost" && f == ipv4 {
					ip = netip.MustParseAddr("127.0.0.1")
				}
				if got := callPort(from.app, netip.AddrPortFrom(ip, c.port)); got != c.want {
					t.Errorf("the call was %s, want %s", got, c.want)
				}
			})
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
	case end == agent.EndEOF || end == agent.EndReset:
		// A TLS alert is all that 15008 may say.
		if got == "" || got[0] == 0x15 {
			return dropped
		}
	}
	return fate(fmt.Sprintf("answered %q and ended %q", got, end))
}
