package bubble_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

var errAttack = errors.New("broken on purpose")

// faulty starts a client and a server, one of which suffers, and an echo behind the server.
func faulty(w *bubble.World, broken string) (client, server *bubble.Node, faults *fault.Faults) {
	faults = fault.New()
	options := func(name string) bubble.Options {
		if name == broken {
			return bubble.Options{Faults: faults}
		}
		return bubble.Options{}
	}
	client, server = w.StartWith("client", options("client")), w.StartWith("server", options("server"))
	server.Echo("10.0.0.2:8080")
	return client, server, faults
}

// balanced fails the test unless what was opened is closed.
func balanced(t *testing.T, nodes ...*bubble.Node) {
	t.Helper()
	for _, n := range nodes {
		if c := n.Counts(); c.Opened != c.Closed || c.Sockets != 0 {
			t.Errorf("%s: %+v", n.Name(), c)
		}
	}
}

// The actor that dials a peer crashes again and again while two hundred wait for its tunnel: all end, with a reason, and
// the first one after it goes well.
func TestTunnelCrashesWhileManyWait(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server, faults := faulty(w, "client")
		loop := fault.On[messages.AcquireTunnel](faults, "peer").CrashLoop(errAttack)
		var all sync.WaitGroup
		const many = 200
		answered := make(chan string, many)
		for range many {
			c := client.Dial("10.9.0.2:80")
			all.Go(func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				_, _ = io.WriteString(c, "hello")
				b, _ := io.ReadAll(c)
				answered <- string(b)
			})
		}
		w.Pass(20 * time.Second)
		loop.Release()
		all.Wait()
		w.Settle()
		close(answered)
		for text := range answered {
			if text != "" {
				t.Errorf("one was answered %q", text)
			}
		}
		if got := len(client.Access()); got != many {
			t.Errorf("%d lines for %d connections", got, many)
		}
		client.Exchange("10.9.0.2:80", "hello")
		w.Pass(10 * time.Minute)
		balanced(t, client, server)
		w.WantWholeTraces()
	})
}

// The policy store's answers are held for ten seconds, which is within the patience of a stage: what is allowed is
// served then, what is denied is denied, and a policy that came meanwhile counts.
func TestPolicyAnswersAreHeld(t *testing.T) {
	run(t, withPolicies(bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))), func(t *testing.T, w *bubble.World) {
		client, server, faults := faulty(w, "server")
		for _, addr := range []string{"10.0.0.2:7070", "10.0.0.2:9090"} {
			server.Echo(addr)
		}
		held := fault.On[messages.PoliciesFound](faults, "authorize").Hold()
		allowed, denied, doomed := client.Dial("10.0.0.2:8080"), client.Dial("10.0.0.2:9090"), client.Dial("10.0.0.2:7070")
		allowed.Say("hello")
		w.Pass(5 * time.Second)
		server.UpdatePolicies(messages.UpdatePolicies{Set: []*messages.Authorization{
			bubble.Policy("no-doomed", messages.ActionDeny, bubble.Ports(7070)),
		}})
		w.Pass(5 * time.Second)
		held.Release()
		allowed.Hear("hello")
		denied.HearEnd()
		doomed.HearEnd() // the answer that was held allows it, the policy that came later ends it
		allowed.Finish()
		_, _ = denied.Close(), doomed.Close()
		w.Pass(10 * time.Minute)
		balanced(t, client, server)
		w.WantWholeTraces()
	})
}

// Every message of a node comes twice, for a second in which connections are made, used and ended: no byte comes twice, no
// connection is counted twice, nothing crashes.
func TestEveryMessageComesTwice(t *testing.T) {
	for _, broken := range []string{"client", "server"} {
		t.Run(broken, func(t *testing.T) {
			run(t, withPolicies(bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))), func(t *testing.T, w *bubble.World) {
				client, server, faults := faulty(w, broken)
				server.Echo("10.0.0.2:9090")
				twice := fault.On[any](faults, "*").Duplicate()
				for began := time.Now(); time.Since(began) < time.Second; w.Pass(100 * time.Millisecond) {
					client.Exchange("10.9.0.2:80", "hello")
					client.WantRefused("10.0.0.2:9090")
				}
				twice.Release()
				client.Exchange("10.9.0.2:80", "hello again")
				w.Pass(10 * time.Minute)
				if twice.Injected() == 0 {
					t.Error("nothing came twice")
				}
				for _, n := range []*bubble.Node{client, server} {
					for _, e := range n.Events.All() {
						if _, text, _ := e.Log(); strings.Contains(text, "fail") || strings.Contains(text, "restart") {
							t.Errorf("%s: %s", n.Name(), text)
						}
					}
				}
				balanced(t, client, server)
				w.WantWholeTraces()
			})
		})
	}
}

// The registry crashes over the news of a policy, and over the question that it asks because of it: what the policy
// denies ends all the same, and what it does not goes on.
func TestRegistryCrashesOverAPolicyChange(t *testing.T) {
	for name, breaks := range map[string]func(f *fault.Faults){
		"over the news":   func(f *fault.Faults) { fault.On[messages.PoliciesChanged](f, "connections").Once().Panic(errAttack) },
		"over the answer": func(f *fault.Faults) { fault.On[messages.PoliciesFound](f, "connections").Next(3).Panic(errAttack) },
		"again and again": func(f *fault.Faults) { fault.On[messages.PoliciesChanged](f, "connections").Next(5).Panic(errAttack) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, withPolicies(), func(t *testing.T, w *bubble.World) {
				client, server, faults := faulty(w, "server")
				server.Echo("10.0.0.2:7070")
				stays, doomed := client.Dial("10.0.0.2:8080"), client.Dial("10.0.0.2:7070")
				for _, c := range []*bubble.Conn{stays, doomed} {
					c.Say("hello")
					c.Hear("hello")
				}
				breaks(faults)
				server.UpdatePolicies(messages.UpdatePolicies{Set: []*messages.Authorization{
					bubble.Policy("no-doomed", messages.ActionDeny, bubble.Ports(7070)),
				}})
				w.Pass(15 * time.Second)
				doomed.HearEnd()
				stays.Say("still")
				stays.Hear("still")
				stays.Finish()
				_ = doomed.Close()
				w.Pass(10 * time.Minute)
				balanced(t, client, server)
				w.WantWholeTraces()
			})
		})
	}
}

// News of a pod's own workload overtake each other: what the last one says counts, which is that a policy selects it.
func TestNewsOfTheWorkloadOvertakeEachOther(t *testing.T) {
	run(t, withPolicies(), func(t *testing.T, w *bubble.World) {
		client, server, faults := faulty(w, "server")
		deny := bubble.Policy("selected", messages.ActionDeny, bubble.Ports(8080))
		deny.Scope = messages.ScopeWorkloadSelector
		server.UpdatePolicies(messages.UpdatePolicies{Set: []*messages.Authorization{deny}})
		c := client.Dial("10.0.0.2:8080")
		c.Say("hello")
		c.Hear("hello")
		fault.On[messages.LocalWorkloadChanged](faults, "connections").Next(2).Reorder(time.Second)
		for _, keys := range [][]string{{"ns/other"}, {"ns/selected"}} {
			server.UpdateWorkloads(bubble.Workload{Name: "server", IPs: "10.0.0.2", Change: func(m *messages.Workload) { m.AuthorizationPolicies = keys }})
		}
		w.Pass(15 * time.Second)
		c.HearEnd()
		_ = c.Close()
		client.WantRefused("10.0.0.2:8080")
		w.Pass(10 * time.Minute)
		balanced(t, client, server)
	})
}

// A drain of which messages get lost, or over which actors crash, closes the doors within seconds and ends in time.
func TestDrainThroughFaults(t *testing.T) {
	const patience = 20 * time.Second
	for _, role := range []string{"node", "pod", "listener", "connections", "session", "pool"} {
		for name, breaks := range map[string]func(f *fault.Faults){
			"drop":       func(f *fault.Faults) { fault.On[messages.Drain](f, role).Once().Drop() },
			"panic":      func(f *fault.Faults) { fault.On[messages.Drain](f, role).Once().Panic(errAttack) },
			"twice":      func(f *fault.Faults) { fault.On[messages.Drain](f, role).Duplicate() },
			"lost reply": func(f *fault.Faults) { fault.On[messages.Drained](f, role).Once().Drop() },
		} {
			if role == "node" && (name == "drop" || name == "panic") {
				continue // whoever drains the node is told
			}
			t.Run(role+"/"+name, func(t *testing.T) {
				run(t, two(), func(t *testing.T, w *bubble.World) {
					client, server, faults := faulty(w, "server")
					c := client.Dial("10.9.0.2:80")
					c.Say("hello")
					c.Hear("hello")
					breaks(faults)
					began := time.Now()
					over := make(chan error, 1)
					go func() {
						_, err := server.Drain(context.Background(), messages.DrainGraceful, patience)
						over <- err
					}()
					w.Pass(6 * time.Second)
					if late, err := w.Host("legacy").App().Dial(context.Background(), netip.MustParseAddrPort("10.0.0.2:15008"), socket.DialOptions{}); err == nil {
						_ = late.Close()
						t.Error("a door is open")
					}
					if err := <-over; err != nil {
						t.Error(err)
					}
					if took := time.Since(began); took > patience+6*time.Second {
						t.Errorf("it took %s", took)
					}
					c.HearEnd()
					_ = c.Close()
					synctest.Wait()
					w.Pass(time.Minute)
					balanced(t, client, server)
					w.WantWholeTraces()
				})
			})
		}
	}
}
