package bubble_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// selective is a policy that applies to workloads that name it.
func selective(name string, action messages.Action, matches ...messages.Match) *messages.Authorization {
	p := bubble.Policy(name, action, matches...)
	p.Scope = messages.ScopeWorkloadSelector
	return p
}

// changed is the server of two, changed.
func changed(change func(*messages.Workload)) bubble.Workload {
	w := two().Workloads[1]
	w.Change = change
	return w
}

func names(keys ...string) func(*messages.Workload) {
	return func(w *messages.Workload) { w.AuthorizationPolicies = keys }
}

// A workload that changes so that other policies apply to it closes the connections that they deny, whatever entrance they
// came by, and says which policy it was; the others go on (spec/dataplane.md §15, 8).
func TestWorkloadChangeClosesLiveConnections(t *testing.T) {
	run(t, withPolicies(selective("no-admin", messages.ActionDeny, bubble.Ports(9090))), func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		server.Echo("10.0.0.2:8080")
		server.Echo("10.0.0.2:9090")
		denied, kept := client.Dial("10.0.0.2:9090"), client.Dial("10.0.0.2:8080")
		plain := w.DialFrom("legacy", "10.0.0.2:9090")
		all := []*bubble.Conn{denied, kept, plain}
		exchange := func(conns ...*bubble.Conn) {
			for _, c := range conns {
				c.Say("x")
				c.Hear("x")
			}
		}
		exchange(all...)
		server.UpdateWorkloads(changed(func(w *messages.Workload) { w.CanonicalRevision = "v2" })) // no matter of policy
		exchange(all...)
		server.UpdateWorkloads(changed(names("ns/no-admin")))
		denied.HearEnd()
		plain.HearEnd()
		_, _ = denied.Close(), plain.Close()
		w.Pass(time.Second)
		exchange(kept)
		kept.Finish()
		w.Pass(time.Second)
		server.WantFlag("DENY", 2)
		server.WantFlag("-", 1)
		server.WantClosedBy("ns/no-admin", 2)
		told := 0
		for _, line := range server.Log() {
			if strings.Contains(line, "policy closed") && strings.Contains(line, "explicitly denied by: ns/no-admin") {
				told++
			}
		}
		if told != 2 {
			t.Errorf("%d lines name the policy, want 2: %q", told, server.Log())
		}
		w.WantWholeTraces()
	})
}

// The lack of a policy that allows closes as well: a name that is taken from a workload's list may have been the one.
func TestWorkloadThatLosesItsAllowance(t *testing.T) {
	mesh := withPolicies(
		selective("client", messages.ActionAllow, principal(clientPrincipal)), selective("nobody", messages.ActionAllow, principal("nobody")))
	mesh.Workloads[1].Change = names("ns/client", "ns/nobody")
	run(t, mesh, func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		server.Echo("10.0.0.2:8080")
		c := client.Dial("10.0.0.2:8080")
		c.Say("x")
		c.Hear("x")
		server.UpdateWorkloads(changed(names("ns/nobody")))
		c.HearEnd()
		_ = c.Close()
		w.Pass(time.Second)
		server.WantClosedBy("", 1)
		server.WantFlag("DENY", 1)
	})
}

// A name that nobody knows closes live connections where unknown policies deny, and no others.
func TestWorkloadThatNamesAnUnknownPolicy(t *testing.T) {
	for name, denies := range map[string]bool{"denies": true, "is skipped": false} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				client := w.Start("client")
				server := w.StartWith("server", bubble.Options{Pod: func(c *pod.Config) { c.Flow.Settings.DenyUnknownPolicies = denies }})
				server.Echo("10.0.0.2:8080")
				c := client.Dial("10.0.0.2:8080")
				c.Say("x")
				c.Hear("x")
				server.UpdateWorkloads(changed(names("ns/missing")))
				if denies {
					c.HearEnd()
					_ = c.Close()
				} else {
					c.Say("y")
					c.Hear("y")
					c.Finish()
				}
				w.Pass(time.Second)
				server.WantFlag(map[bool]string{true: "DENY", false: "-"}[denies], 1)
			})
		})
	}
}

// With ENFORCE_WAYPOINT a waypoint that a workload gets closes what came past it, and one that it loses makes what came
// from it a matter of policy.
func TestWaypointChangeClosesLiveConnections(t *testing.T) {
	behind := func(w *messages.Workload) { w.Waypoint = bubble.Gateway("/10.0.0.8", 15008) }
	enforced := bubble.Options{Pod: func(c *pod.Config) { c.Flow.Settings.EnforceWaypoint = true }}
	mesh := func() bubble.Mesh {
		m := withPolicies(bubble.Policy("no-waypoint", messages.ActionDeny, principal("cluster.local/ns/ns/sa/waypoint")))
		m.Workloads = append(m.Workloads, bubble.Workload{Name: "waypoint", IPs: "10.0.0.8"})
		return m
	}
	t.Run("got", func(t *testing.T) {
		run(t, mesh(), func(t *testing.T, w *bubble.World) {
			client, server := w.Start("client"), w.StartWith("server", enforced)
			server.Echo("10.0.0.2:8080")
			c := client.Dial("10.0.0.2:8080")
			c.Say("x")
			c.Hear("x")
			server.UpdateWorkloads(changed(behind))
			c.HearEnd()
			_ = c.Close()
			w.Pass(time.Second)
			server.WantClosedBy("", 1)
		})
	})
	t.Run("lost", func(t *testing.T) {
		m := mesh()
		m.Workloads[1].Change = behind
		run(t, m, func(t *testing.T, w *bubble.World) {
			server := w.StartWith("server", enforced)
			server.Echo("10.0.0.2:8080")
			peer := w.MustTunnel(w.Host("waypoint"), bubble.Identity("waypoint"), server)
			stream, answer, err := peer.Open(t.Context(), "10.0.0.2:8080", nil)
			if err != nil || answer.Status != 200 {
				t.Fatalf("answer %+v, error %v", answer, err)
			}
			server.UpdatePolicies(messages.UpdatePolicies{}) // what comes from the waypoint is no matter of policy
			w.Pass(time.Second)
			server.WantClosedBy("ns/no-waypoint", 0)
			server.UpdateWorkloads(changed(nil))
			w.Pass(time.Second)
			server.WantClosedBy("ns/no-waypoint", 1)
			_ = stream.Close()
		})
	})
}

// What gets lost between the workload store and the registry is heard of later.
func TestWorkloadChangeReachesConnectionsThroughFaults(t *testing.T) {
	const registry = "*/connections/*"
	broken := errors.New("broken")
	for name, hurt := range map[string]func(f *fault.Faults){
		"news lost": func(f *fault.Faults) { fault.On[messages.LocalWorkloadChanged](f, registry).Nth(2).Drop() },
		"news late": func(f *fault.Faults) {
			fault.On[messages.LocalWorkloadChanged](f, registry).Nth(2).Delay(3 * time.Second)
		},
		"question lost":           func(f *fault.Faults) { fault.On[messages.FindPolicies](f, "policies").From(registry).Once().Drop() },
		"subscription lost":       func(f *fault.Faults) { fault.On[messages.WatchLocalWorkload](f, "workloads").Once().Drop() },
		"store crashes, watch":    func(f *fault.Faults) { fault.On[messages.WatchLocalWorkload](f, "workloads").Once().Panic(broken) },
		"registry crashes, news":  func(f *fault.Faults) { fault.On[messages.LocalWorkloadChanged](f, registry).Nth(2).Panic(broken) },
		"registry crashes, first": func(f *fault.Faults) { fault.On[messages.LocalWorkloadChanged](f, registry).Once().Panic(broken) },
	} {
		t.Run(name, func(t *testing.T) {
			mesh := withPolicies(selective("p", messages.ActionDeny, principal(clientPrincipal)))
			run(t, mesh, func(t *testing.T, w *bubble.World) {
				f := fault.New()
				hurt(f)
				client, server := w.Start("client"), w.StartWith("server", bubble.Options{Faults: f})
				w.Pass(time.Minute) // what crashed at the start is back
				server.Echo("10.0.0.2:8080")
				c := client.Dial("10.0.0.2:8080")
				c.Say("hello")
				c.Hear("hello")
				server.UpdateWorkloads(changed(names("ns/p")))
				w.Pass(15 * time.Second)
				server.WantLastAccess(`error="connection closed due to policy change"`)
				server.WantClosedBy("ns/p", 1)
				if len(f.Report().Injections) == 0 {
					t.Error("nothing was hurt")
				}
			})
		})
	}
}
