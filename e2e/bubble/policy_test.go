package bubble_test

import (
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

func withPolicies(p ...*messages.Authorization) bubble.Mesh {
	m := two()
	m.Policies = p
	return m
}

func dryRun(p *messages.Authorization) *messages.Authorization {
	p.DryRun = true
	return p
}

func principal(p string) messages.Match {
	return messages.Match{Principals: []messages.StringMatch{{Kind: messages.MatchExact, Value: p}}}
}

const clientPrincipal = "cluster.local/ns/ns/sa/client"

func TestPolicyVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		policy *messages.Authorization
		text   string // of the rejection; empty when allowed
	}{
		"none":             {bubble.Policy("p", messages.ActionDeny), ""},
		"denied":           {bubble.Policy("p", messages.ActionDeny, principal(clientPrincipal)), "explicitly denied by: ns/p"},
		"allowed":          {bubble.Policy("p", messages.ActionAllow, principal(clientPrincipal)), ""},
		"not allowed":      {bubble.Policy("p", messages.ActionAllow, principal("cluster.local/ns/ns/sa/other")), "allow policies exist, but none allowed"},
		"dry-run denial":   {dryRun(bubble.Policy("p", messages.ActionDeny, principal(clientPrincipal))), ""},
		"dry-run no allow": {dryRun(bubble.Policy("p", messages.ActionAllow, principal("nobody"))), ""},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, withPolicies(test.policy), func(t *testing.T, w *bubble.World) {
				client, server := w.Start("client"), w.Start("server")
				server.Echo("10.0.0.2:8080")
				if test.text == "" {
					client.Exchange("10.0.0.2:8080", "hello")
					w.Pass(time.Second)
					server.WantFlag("-", 1)
				} else {
					client.WantRefused("10.0.0.2:8080")
					client.WantLastAccess("error", `error="http status: 401 Unauthorized"`)
					server.WantLastAccess("error", `error="connection closed due to policy rejection: `+test.text+`"`)
					server.WantFlag("DENY", 1)
					client.WantFlag("CONNECT", 1)
				}
				w.WantWholeTraces()
			})
		})
	}
}

func TestPolicyOnPlaintext(t *testing.T) {
	run(t, withPolicies(bubble.Policy("strict", messages.ActionDeny, messages.Match{
		NotPrincipals: []messages.StringMatch{{Kind: messages.MatchPresence}},
	})), func(t *testing.T, w *bubble.World) {
		server := w.Start("server")
		app := server.Echo("10.0.0.2:8080")
		c := w.DialFrom("legacy", "10.0.0.2:8080")
		c.HearEnd()
		_ = c.Close()
		server.WantLastAccess("error", `error="connection closed due to policy rejection: explicitly denied by: ns/strict"`)
		server.WantFlag("DENY", 1)
		if got := app.Peers(); len(got) != 0 {
			t.Errorf("the application was called by %v", got)
		}
	})
}

// A change of policy closes those that it denies, on every inbound path, and leaves the others (spec/dataplane.md §8).
func TestPolicyChangeClosesLiveConnections(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		server.Echo("10.0.0.2:8080")
		server.Echo("10.0.0.2:9090")
		denied, kept := client.Dial("10.0.0.2:9090"), client.Dial("10.0.0.2:8080")
		plain := w.DialFrom("legacy", "10.0.0.2:9090")
		for _, c := range []*bubble.Conn{denied, kept, plain} {
			c.Say("x")
			c.Hear("x")
		}
		server.UpdatePolicies(messages.UpdatePolicies{
			Set: []*messages.Authorization{bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))},
		})
		denied.HearEnd()
		plain.HearEnd()
		_, _ = denied.Close(), plain.Close()
		w.Pass(time.Second)
		kept.Say("y")
		kept.Hear("y")
		kept.Finish()
		w.Pass(time.Second)
		server.WantFlag("DENY", 2)
		server.WantFlag("-", 1)
		var closed int
		for _, line := range server.Access() {
			if strings.Contains(line, `error="connection closed due to policy change"`) {
				closed++
			}
		}
		if closed != 2 {
			t.Errorf("%d lines tell of the policy change, want 2: %q", closed, server.Access())
		}
		server.WantClosedBy("ns/no-admin", 2)
		server.WantCounts(bubble.Counts{Opened: 3, Closed: 3, Failed: 2, Sockets: 1})
		w.WantWholeTraces()
	})
}

// A policy that changes while the application is dialled resets the stream without a status.
func TestPolicyChangeDuringTheDial(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		server := w.StartWith("server", bubble.Options{Pod: noDials})
		peer := w.MustTunnel(w.Host("client"), bubble.Identity("client"), server)
		done := make(chan error)
		go func() {
			_, _, err := peer.Open(t.Context(), "10.0.0.2:9090", nil)
			done <- err
		}()
		w.Pass(time.Second)
		server.UpdatePolicies(messages.UpdatePolicies{
			Set: []*messages.Authorization{bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))},
		})
		if err := <-done; err == nil || !strings.Contains(err.Error(), "CANCEL") {
			t.Errorf("the CONNECT ended with %v, want a reset with CANCEL", err)
		}
		server.WantLastAccess(`error="connection closed due to policy change"`)
		server.WantFlag("DENY", 1)
	})
}

func TestUnknownPolicy(t *testing.T) {
	for name, test := range map[string]struct {
		denies bool
		flag   string
	}{"is skipped": {false, "-"}, "denies": {true, "DENY"}} {
		t.Run(name, func(t *testing.T) {
			mesh := two()
			mesh.Workloads[1].Change = func(m *messages.Workload) { m.AuthorizationPolicies = []string{"ns/missing"} }
			run(t, mesh, func(t *testing.T, w *bubble.World) {
				client := w.Start("client")
				server := w.StartWith("server", bubble.Options{Pod: func(c *pod.Config) { c.Flow.Settings.DenyUnknownPolicies = test.denies }})
				server.Echo("10.0.0.2:8080")
				if test.denies {
					client.WantRefused("10.0.0.2:8080")
					server.WantLastAccess(`error="connection closed due to policy rejection: policy ns/missing is not known"`)
				} else {
					client.Exchange("10.0.0.2:8080", "hello")
				}
				w.Pass(time.Second)
				server.WantFlag(test.flag, 1)
			})
		})
	}
}

// A policy that a workload names and that is removed closes live connections, where unknown policies deny.
func TestRemovedPolicyDenies(t *testing.T) {
	named := bubble.Policy("named", messages.ActionAllow, bubble.Ports(8080))
	named.Scope = messages.ScopeWorkloadSelector
	mesh := withPolicies(named)
	mesh.Workloads[1].Change = func(m *messages.Workload) { m.AuthorizationPolicies = []string{"ns/named"} }
	run(t, mesh, func(t *testing.T, w *bubble.World) {
		client := w.Start("client")
		server := w.StartWith("server", bubble.Options{Pod: func(c *pod.Config) { c.Flow.Settings.DenyUnknownPolicies = true }})
		server.Echo("10.0.0.2:8080")
		c := client.Dial("10.0.0.2:8080")
		c.Say("x")
		c.Hear("x")
		server.UpdatePolicies(messages.UpdatePolicies{Remove: []string{"ns/named"}})
		c.HearEnd()
		_ = c.Close()
		w.Pass(time.Second)
		server.WantLastAccess(`error="connection closed due to policy change"`)
	})
}

func TestEnforceWaypoint(t *testing.T) {
	mesh := withPolicies(bubble.Policy("nobody", messages.ActionAllow, principal("nobody")))
	mesh.Workloads = append(mesh.Workloads, bubble.Workload{Name: "waypoint", IPs: "10.0.0.8"})
	mesh.Workloads[1].Change = func(m *messages.Workload) { m.Waypoint = bubble.Gateway("/10.0.0.8", 15008) }
	run(t, mesh, func(t *testing.T, w *bubble.World) {
		server := w.StartWith("server", bubble.Options{Pod: func(c *pod.Config) { c.Flow.Settings.EnforceWaypoint = true }})
		server.Echo("10.0.0.2:8080")
		waypoint := w.MustTunnel(w.Host("waypoint"), bubble.Identity("waypoint"), server)
		c, answer := waypoint.Connect("10.0.0.2:8080")
		if answer.Status != 200 {
			t.Fatalf("the waypoint's CONNECT: status %d", answer.Status)
		}
		c.Say("x")
		c.Hear("x")
		bypass := w.MustTunnel(w.Host("client"), bubble.Identity("client"), server)
		bypass.WantStatus(401, "10.0.0.2:8080")
		server.WantLastAccess(`error="connection closed due to policy rejection: it bypassed the waypoint /10.0.0.8"`)
		server.WantFlag("DENY", 1)
		// What skipped policy when it came is not asked about it later.
		server.UpdatePolicies(messages.UpdatePolicies{Set: []*messages.Authorization{bubble.Policy("more", messages.ActionDeny, bubble.Ports(8080))}})
		w.Pass(time.Second)
		c.Say("y")
		c.Hear("y")
		c.Finish()
	})
}
