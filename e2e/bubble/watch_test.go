package bubble_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// A connection that a new policy denies ends, whatever gets lost of what the registry and the store say to each other.
func TestPolicyChangeReachesConnectionsThroughFaults(t *testing.T) {
	const registry = "*/connections/*"
	broken := errors.New("broken")
	for name, hurt := range map[string]func(f *fault.Faults){
		"question lost":      func(f *fault.Faults) { fault.On[messages.FindPolicies](f, "policies").From(registry).Once().Drop() },
		"two questions lost": func(f *fault.Faults) { fault.On[messages.FindPolicies](f, "policies").From(registry).Next(2).Drop() },
		"answer lost":        func(f *fault.Faults) { fault.On[messages.PoliciesFound](f, registry).Once().Drop() },
		"answer late":        func(f *fault.Faults) { fault.On[messages.PoliciesFound](f, registry).Once().Delay(5 * time.Second) },
		"store crashes, question": func(f *fault.Faults) {
			fault.On[messages.FindPolicies](f, "policies").From(registry).Once().Panic(broken)
		},
		"store crashes, watch":      func(f *fault.Faults) { fault.On[messages.WatchPolicies](f, "policies").Once().Panic(broken) },
		"registry crashes, change":  func(f *fault.Faults) { fault.On[messages.PoliciesChanged](f, registry).Once().Panic(broken) },
		"registry crashes, answer":  func(f *fault.Faults) { fault.On[messages.PoliciesFound](f, registry).Once().Panic(broken) },
		"store crashes, the update": func(f *fault.Faults) { fault.On[messages.UpdatePolicies](f, "policies").Nth(2).Panic(broken) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				f := fault.New()
				hurt(f)
				var policies atomic.Pointer[[]*messages.Authorization] // what a store that lost its state is told
				policies.Store(new([]*messages.Authorization))
				source := func() discovery.State {
					m := two()
					m.Policies = *policies.Load()
					return m.State()
				}
				client, server := w.Start("client"), w.StartWith("server", bubble.Options{Faults: f, Source: source})
				w.Pass(10 * time.Second) // what crashed at the start is back
				server.Echo("10.0.0.2:8080")
				c := client.Dial("10.0.0.2:8080")
				c.Say("hello")
				c.Hear("hello")
				deny := messages.UpdatePolicies{Set: []*messages.Authorization{bubble.Policy("p", messages.ActionDeny, principal(clientPrincipal))}}
				policies.Store(&deny.Set)
				if name == "store crashes, the update" {
					server.System.Send(server.Stores().Policies, &deny) // as discovery does: it sends what got lost again
					w.Pass(10 * time.Second)
				}
				server.UpdatePolicies(deny)
				w.Pass(5 * time.Second)
				server.WantLastAccess(`error="connection closed due to policy change"`)
				server.WantFlag("DENY", 1)
				if len(f.Report().Injections) == 0 {
					t.Error("nothing was hurt")
				}
			})
		})
	}
}
