package bubble_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

var update = flag.Bool("update", false, "write the golden traces anew")

// serial is a certificate's number, which no seed decides.
var serial = regexp.MustCompile(`serial number \d+`)

// golden is a scenario and the traces that two nodes make of it.
type golden struct {
	policies []*messages.Authorization
	// client are options of the client's node, and breaks makes rules for both. prepare changes the options of both.
	client  bubble.Options
	prepare func(w *bubble.World, client, server *bubble.Options)
	breaks  func(client, server *fault.Faults)
	// warm makes a tunnel beforehand, of which there is no trace then.
	warm bool
	// shared says that the server's node is in shared mode.
	shared bool
	play   func(t *testing.T, w *bubble.World, client, server *bubble.Node)
}

func hello(_ *testing.T, _ *bubble.World, client, _ *bubble.Node) {
	client.Exchange("10.9.0.2:80", "hello")
}

func refused(_ *testing.T, _ *bubble.World, client, _ *bubble.Node) {
	client.WantRefused("10.9.0.2:80")
}

func goldens() map[string]golden {
	deny := bubble.Policy("no-client", messages.ActionDeny, principal(clientPrincipal))
	return map[string]golden{
		"allow":    {play: hello},
		"pool-hit": {warm: true, play: hello},
		"deny":     {warm: true, policies: []*messages.Authorization{deny}, play: refused},
		"dry-run":  {warm: true, policies: []*messages.Authorization{dryRun(bubble.Policy("maybe", messages.ActionDeny, principal(clientPrincipal)))}, play: hello},
		"no-cert":  {client: bubble.Options{Signer: bubble.NoSigner{}}, play: refused},
		"refused": {warm: true, play: func(_ *testing.T, _ *bubble.World, client, _ *bubble.Node) {
			client.WantRefused("10.0.0.2:9999")
		}},
		"slow-state": {client: bubble.Options{Mesh: &bubble.Mesh{}}, play: func(_ *testing.T, w *bubble.World, client, _ *bubble.Node) {
			c := client.Dial("10.0.0.3:8080")
			w.Pass(3 * time.Second) // the pod's own workload has not arrived
			client.UpdateWorkloads(two().Workloads...)
			c.Say("hello")
			c.Hear("hello")
			c.Finish()
		}},
		"slow-store": {warm: true, breaks: func(client, _ *fault.Faults) {
			fault.On[messages.FindUpstream](client, "services").Nth(2).Slow(time.Second)
		}, play: hello},
		"actor-panic": {warm: true, breaks: func(client, _ *fault.Faults) {
			fault.On[messages.UpstreamFound](client, "classify").Nth(2).Panic(errors.New("broken on purpose"))
		}, play: refused},
		"store-panic": {warm: true, breaks: func(_, server *fault.Faults) {
			fault.On[messages.FindPolicies](server, "policies").Nth(2).Panic(errors.New("broken on purpose"))
		}, play: refused},
		"lost-reply": {warm: true, breaks: func(client, _ *fault.Faults) {
			fault.On[messages.FindUpstream](client, "services").Nth(2).LoseReply()
		}, play: refused},
		"policy-change": {warm: true, play: func(_ *testing.T, w *bubble.World, client, server *bubble.Node) {
			c := client.Dial("10.9.0.2:80")
			c.Say("hello")
			c.Hear("hello")
			server.UpdatePolicies(messages.UpdatePolicies{Set: []*messages.Authorization{deny}})
			w.Pass(time.Second)
			c.HearEnd()
			_ = c.Close()
		}},
		"drain": {warm: true, play: func(t *testing.T, w *bubble.World, client, server *bubble.Node) {
			c := client.Dial("10.9.0.2:80")
			c.Say("hello")
			c.Hear("hello")
			if _, err := server.Drain(context.Background(), messages.DrainGraceful, 3*time.Second); err != nil {
				t.Error(err)
			}
			c.HearEnd()
			_ = c.Close()
		}},
		"slow-cert":  slowCert(),
		"revoked":    revoked(false),
		"revocation": revoked(true),
		"discovery":  pushed(),
		"pod-comes": {shared: true, warm: true, play: func(t *testing.T, w *bubble.World, client, server *bubble.Node) {
			server.Agent.Delete("server")
			settled(t, w, server)
			client.WantRefused("10.9.0.2:80")
			server.Agent.Add("server")
			settled(t, w, server)
			client.Exchange("10.9.0.2:80", "hello")
		}},
		"pod-panic": {shared: true, breaks: func(_, server *fault.Faults) {
			fault.On[messages.StartPod](server, "pods").Once().Panic(errors.New("broken on purpose"))
		}, play: func(t *testing.T, w *bubble.World, client, server *bubble.Node) {
			settled(t, w, server)
			client.Exchange("10.9.0.2:80", "hello")
		}},
		"long": {warm: true, play: func(_ *testing.T, w *bubble.World, client, _ *bubble.Node) {
			c := client.Dial("10.9.0.2:80")
			c.Say("hello")
			c.Hear("hello")
			w.Pass(4 * time.Minute)
			c.Finish()
		}},
	}
}

// TestGoldenTraces holds the traces that whole nodes make against files (TRACING §9).
func TestGoldenTraces(t *testing.T) {
	for name, g := range goldens() {
		t.Run(name, func(t *testing.T) {
			run(t, withPolicies(), func(t *testing.T, w *bubble.World) {
				ofClient, ofServer := g.client, bubble.Options{}
				ofClient.Seed, ofServer.Seed = 1, 2
				if g.prepare != nil {
					g.prepare(w, &ofClient, &ofServer)
				}
				if g.breaks != nil {
					broken := [2]*fault.Faults{fault.New(), fault.New()}
					g.breaks(broken[0], broken[1])
					ofClient.Faults, ofServer.Faults = broken[0], broken[1]
				}
				client := w.StartWith("client", ofClient)
				var server *bubble.Node
				if g.shared {
					server = w.StartShared(ofServer, "server")
				} else {
					server = w.StartWith("server", ofServer)
				}
				server.Echo("10.0.0.2:8080")
				w.Serve(w.Host("legacy"), "10.0.0.3:8080", bubble.Echo)
				if g.warm {
					client.Exchange("10.9.0.2:80", "warm")
					w.Pass(time.Second)
					_ = w.Traces()
				}
				for _, p := range g.policies {
					server.UpdatePolicies(messages.UpdatePolicies{Set: []*messages.Authorization{p}})
				}
				g.play(t, w, client, server)
				w.Pass(time.Minute)
				compareGolden(t, name, serial.ReplaceAllString(number.ReplaceAllString(w.Traces(), "/N"), "serial number N"))
				w.WantWholeTraces()
			})
		})
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "traces", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the traces of %s are\n%s\nwant\n%s\nto accept them: go test ./e2e/bubble -run TestGoldenTraces -update", name, got, want)
	}
}

// TestEveryGoldenTraceHasItsScenario finds files that no scenario makes any more.
func TestEveryGoldenTraceHasItsScenario(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "traces", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if _, is := goldens()[strings.TrimSuffix(filepath.Base(f), ".txt")]; !is {
			t.Errorf("%s is of no scenario", f)
		}
	}
}
