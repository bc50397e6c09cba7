package bubble_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// spot is where a fault strikes: an actor of a role that handles a message of a type.
type spot struct{ role, message string }

func (s spot) String() string { return s.role + " over " + strings.TrimPrefix(s.message, "*") }

// crash makes the first actor of its spot panic, once it is armed. Until then it notes what it sees.
type crash struct {
	mu    sync.Mutex
	spot  spot
	armed bool
	fired int
	seen  map[spot]int
	early map[spot]int // seen before there was a flow
}

var _ kit.FaultHook = (*crash)(nil)

func (c *crash) Post(_ kit.Target, msg any, deliver func(any)) { deliver(msg) }

func (c *crash) Handling(to kit.Target, msg any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := spot{to.Role, kind(msg)}
	if c.seen == nil {
		c.seen = map[spot]int{}
	}
	c.seen[at]++
	if c.armed && at == c.spot && c.fired == 0 {
		c.fired++
		panic("injected")
	}
}

func (c *crash) arm(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = on
}

// times is how often it has struck.
func (c *crash) times() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fired
}

// kind is a message's type.
func kind(msg any) string { return fmt.Sprintf("%T", msg) }

// started says that the nodes are up.
func (c *crash) started() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.early = maps.Clone(c.seen)
}

// try opens a connection, says something and hears the same; it reports whether that went well.
func try(dial func() (socket.Conn, error)) bool {
	c, err := dial()
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := io.WriteString(c, "try"); err != nil {
		return false
	}
	got := make([]byte, 3)
	if _, err := io.ReadFull(c, got); err != nil {
		return false
	}
	_ = c.CloseWrite()
	_, err = c.Read(got)
	return errors.Is(err, io.EOF)
}

func captured(from socket.Network, addr string) func() (socket.Conn, error) {
	return func() (socket.Conn, error) {
		return from.Dial(context.Background(), netip.MustParseAddrPort(addr), socket.DialOptions{})
	}
}

// busy is a world in which every kind of flow lives, and more of each come.
type busy struct {
	w              *bubble.World
	client, server *bubble.Node
	lasting        []*bubble.Conn
}

func newBusy(w *bubble.World, hook *crash, onClient bool) *busy {
	b := &busy{w: w}
	options := func(is bool) (o bubble.Options) {
		if is {
			o.Faults = hook
		}
		return o
	}
	b.client = w.StartWith("client", options(onClient))
	b.server = w.StartWith("server", options(!onClient))
	w.Pass(10 * time.Second) // actors that crashed at the start are back
	hook.started()
	b.server.Echo("10.0.0.2:8080")
	b.server.Echo("10.0.0.2:9090")
	w.Serve(w.Host("legacy"), "10.0.0.3:8080", bubble.Echo)
	b.lasting = []*bubble.Conn{
		b.client.Dial("10.9.0.2:80"), b.client.Dial("10.0.0.3:8080"), w.DialFrom("legacy", "10.0.0.2:8080"),
	}
	b.echo()
	return b
}

func (b *busy) echo() {
	for _, c := range b.lasting {
		c.Say("lasting")
		c.Hear("lasting")
	}
}

// restart replaces the lasting flows that have ended with their pod: on the client's node the first two, on the
// server's the first and the last.
func (b *busy) restart(onClient bool) {
	gone := []int{0, 2}
	if onClient {
		gone[1] = 1
	}
	for _, i := range gone {
		b.lasting[i].HearEnd()
		_ = b.lasting[i].Close()
	}
	b.w.Pass(time.Second)
	b.lasting[0] = b.client.Dial("10.9.0.2:80")
	if onClient {
		b.lasting[1] = b.client.Dial("10.0.0.3:8080")
	} else {
		b.lasting[2] = b.w.DialFrom("legacy", "10.0.0.2:8080")
	}
}

// attempts makes one more flow of each kind, changes a policy, and looks at the registry. How many flows went well is
// returned.
func (b *busy) attempts() int {
	good := 0
	for _, dial := range []func() (socket.Conn, error){
		captured(b.client.Host.App(), "10.9.0.2:80"),        // HBONE to a service
		captured(b.client.Host.App(), "10.0.0.3:8080"),      // plain text out
		captured(b.w.Host("legacy").App(), "10.0.0.2:8080"), // plain text in
		func() (socket.Conn, error) {
			c, err := b.client.DialSOCKS("10.0.0.2:8080") // another pool: a new tunnel
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		captured(b.client.Host.App(), "10.0.0.2:9999"), // nobody listens
	} {
		if try(dial) {
			good++
		}
	}
	for _, n := range []*bubble.Node{b.client, b.server} {
		n.System.Send(n.Stores().Policies, &messages.UpdatePolicies{
			Set: []*messages.Authorization{bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))},
		})
		n.System.Send(n.Stores().Workloads, &messages.UpdateWorkloads{})
		n.System.Send(n.Stores().Services, &messages.UpdateServices{})
		_, _ = kit.Ask(context.Background(), n.System, n.Pod(), &messages.DumpConnections{}, time.Second)
	}
	b.w.Pass(10 * time.Second)
	return good
}

// verify ends the lasting flows and looks for what must hold whatever crashed.
func (b *busy) verify(t *testing.T) {
	t.Helper()
	for _, c := range b.lasting {
		c.Finish()
	}
	b.w.Pass(11 * time.Minute) // idle tunnels leave
	for name, n := range map[string]*bubble.Node{"client": b.client, "server": b.server} {
		c := n.Counts()
		complete, denied := 0, 0
		seen := map[string]int{}
		for _, line := range n.Access() {
			if strings.Contains(line, "\tconnection complete\t") {
				complete++
			} else {
				denied++
			}
			if src, rest, ok := strings.Cut(line[strings.Index(line, "src.addr="):], " "); ok && !strings.Contains(rest, "dst.hbone_addr=10.0.0.2") {
				seen[src]++
			}
		}
		if c.Opened != c.Closed || c.Opened != complete || c.Sockets != 0 {
			t.Errorf("%s: %+v with %d lines of complete and %d of failed connections:\n%s", name, c, complete, denied, strings.Join(n.Access(), "\n"))
		}
		for src, lines := range seen {
			if lines > 1 {
				t.Errorf("%s: %d lines for %s", name, lines, src)
			}
		}
		for _, e := range n.Events.All() {
			switch e := e.(type) {
			case kit.UnknownMessage, kit.PanickedWhileEnding, kit.PanickedInUndeliver, kit.GaveUp:
				_, text, attrs := e.Log()
				t.Errorf("%s: %s %v", name, text, attrs)
			}
		}
		dumped, err := kit.AskFor[*messages.ConnectionsDumped](t.Context(), n.System, n.Pod(), &messages.DumpConnections{}, time.Second)
		if err != nil || len(dumped.Connections) != 0 {
			t.Errorf("%s: registry %+v, %v", name, dumped, err)
		}
		stats := n.System.Stats()
		for _, role := range []string{"tunnel", "accept", "classify", "authorize", "session", "peer"} {
			if r := stats.Role(role); r.Live != 0 || r.Working != 0 {
				t.Errorf("%s: %d actors of role %s live, %d goroutines work for them", name, r.Live, role, r.Working)
			}
		}
	}
	b.w.WantWholeTraces()
}

// Whatever actor crashes over whatever message: other flows go on, every connection has one closing line, nothing is left
// behind, and new flows work soon after.
func TestCrashes(t *testing.T) {
	for _, onClient := range []bool{true, false} {
		hook := &crash{}
		t.Run("none", func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				b := newBusy(w, hook, onClient)
				if good := b.attempts(); good != 4 {
					t.Errorf("%d attempts went well, want 4", good)
				}
				b.echo()
				b.verify(t)
			})
		})
		for _, at := range sorted(hook.early) {
			t.Run(fmt.Sprintf("client=%v/at the start/%s", onClient, at), func(t *testing.T) {
				run(t, two(), func(t *testing.T, w *bubble.World) {
					hook := &crash{spot: at, armed: true}
					b := newBusy(w, hook, onClient)
					if hook.times() != 1 {
						t.Errorf("crashed %d times, want once", hook.times())
					}
					if good := b.attempts(); good != 4 {
						t.Errorf("%d attempts went well after the crash, want 4", good)
					}
					b.echo()
					b.verify(t)
				})
			})
		}
		for _, at := range sorted(hook.seen) {
			t.Run(fmt.Sprintf("client=%v/%s", onClient, at), func(t *testing.T) {
				run(t, two(), func(t *testing.T, w *bubble.World) {
					hook := &crash{spot: at}
					b := newBusy(w, hook, onClient)
					hook.arm(true)
					b.attempts()
					if at.role == "pod" && hook.times() > 0 { // its proxy starts anew, and its flows end with it
						b.restart(onClient)
					}
					b.echo()
					if hook.times() == 0 {
						w.Pass(11 * time.Minute) // some only happen to what is idle
					}
					hook.arm(false)
					if good := b.attempts(); good != 4 {
						t.Errorf("%d attempts went well after the crash, want 4", good)
					}
					b.echo()
					b.verify(t)
					if hook.times() == 0 && hook.early[at] == 0 && !reachedElsewhere[at.String()] {
						t.Error("the spot was not reached")
					}
				})
			})
		}
	}
}

// reachedElsewhere are the spots that only the first flow and the end of a node come by: TestCertificatesCrash has one.
var reachedElsewhere = map[string]bool{
	"certificates over identity.signed": true, "policies over messages.UnwatchPolicies": true,
	"workloads over messages.UnwatchLocalWorkload": true, "local-pods over messages.PodLeaves": true,
}

// A crash of the certificates fails who waits for one, at once, and the next finds a new life.
func TestCertificatesCrash(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		hook := &crash{spot: spot{"certificates", "*identity.signed"}, armed: true}
		client, server := w.StartWith("client", bubble.Options{Faults: hook}), w.Start("server")
		server.Echo("10.0.0.2:8080")
		began := time.Now()
		client.WantRefused("10.0.0.2:8080")
		if took := time.Since(began); took > time.Second {
			t.Errorf("the flow failed after %v", took)
		}
		client.WantFlag("IDENTITY_ERROR", 1)
		w.Pass(time.Second)
		client.Exchange("10.0.0.2:8080", "hello")
	})
}

func sorted(spots map[spot]int) []spot {
	return slices.SortedFunc(maps.Keys(spots), func(a, b spot) int { return strings.Compare(a.String(), b.String()) })
}
