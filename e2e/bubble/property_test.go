package bubble_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// Whatever applications, policies and the network do: what was opened is closed or alive, and nothing outlives its end.
func TestOpenedIsClosedOrAlive(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				draw := rand.New(rand.NewPCG(seed, 1))
				client, server := w.Start("client"), w.Start("server")
				server.Echo("10.0.0.2:8080")
				server.Echo("10.0.0.2:9090")
				w.Serve(w.Host("legacy"), "10.0.0.3:8080", bubble.Echo)
				dial := []func() *bubble.Conn{
					func() *bubble.Conn { return client.Dial("10.9.0.2:80") },
					func() *bubble.Conn { return client.Dial("10.0.0.2:9090") },
					func() *bubble.Conn { return client.Dial("10.0.0.3:8080") },
					func() *bubble.Conn { return client.Dial("10.0.0.2:9999") },
					func() *bubble.Conn { return w.DialFrom("legacy", "10.0.0.2:8080") },
				}
				var conns []*bubble.Conn
				for range 60 {
					switch n := draw.IntN(10); {
					case n < 5:
						c := dial[draw.IntN(len(dial))]()
						_, _ = c.Write([]byte("hello")) // it may be refused
						conns = append(conns, c)
					case n < 7 && len(conns) > 0:
						c := conns[draw.IntN(len(conns))]
						if draw.IntN(2) == 0 {
							_ = c.CloseWrite()
						} else {
							_ = c.Close()
						}
					case n == 7:
						u := messages.UpdatePolicies{Remove: []string{"ns/no-admin"}}
						if draw.IntN(2) == 0 {
							u = messages.UpdatePolicies{Set: []*messages.Authorization{bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))}}
						}
						server.UpdatePolicies(u)
					case n == 8:
						w.Net().Reset(client.Host, server.Host)
					}
					w.Pass(time.Duration(draw.IntN(3000)) * time.Millisecond)
				}
				w.Pass(time.Minute) // no set-up is under way any more
				for _, n := range []*bubble.Node{client, server} {
					c, live := n.Counts(), int(n.System.Stats().Role("tunnel").Live)
					if c.Opened != c.Closed+live {
						t.Errorf("%+v and %d flows live", c, live)
					}
				}
				for _, c := range conns {
					_ = c.Close()
				}
				w.Pass(7 * time.Minute)
				for _, n := range []*bubble.Node{client, server} {
					if c := n.Counts(); c.Opened != c.Closed || c.Sockets != 0 || n.System.Stats().Role("tunnel").Live != 0 {
						t.Errorf("%+v when all is over", c)
					}
				}
				w.WantWholeTraces()
			})
		})
	}
}
