package bubble_test

import (
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// mute swallows the messages of one spot: undelivered, or without a word.
type mute struct {
	spot
	silent bool
}

func (m mute) Post(to kit.Target, msg any, deliver func(any)) {
	if (spot{to.Role, kind(msg)}) != m.spot {
		deliver(msg)
		return
	}
	if !m.silent {
		kit.Undeliver(msg)
	}
}

func (mute) Handling(kit.Target, any) {}

// A flow whose store does not answer fails closed within its deadline (spec: never allow without an answer).
func TestStoresThatDoNotAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		spot
		inbound bool
		within  time.Duration
		text    string
	}{
		"no local workload": {spot{"workloads", "*messages.FindLocalWorkload"}, false, 21 * time.Second, `error="accept was not answered in time"`},
		"no workloads":      {spot{"workloads", "*messages.FindAddress"}, false, 16 * time.Second, `error="classify was not answered in time"`},
		"no services":       {spot{"services", "*messages.FindUpstream"}, false, 16 * time.Second, `error="classify was not answered in time"`},
		"no certificates":   {spot{"certificates", "*messages.FetchCertificate"}, false, 16 * time.Second, `error="authorize was not answered in time"`},
		"no pool":           {spot{"pool", "*messages.AcquireTunnel"}, false, 46 * time.Second, `error="tunnel was not answered in time"`},
		"no peer":           {spot{"peer", "*messages.AcquireTunnel"}, false, 46 * time.Second, `error="tunnel was not answered in time"`},
		"no policies":       {spot{"policies", "*messages.FindPolicies"}, true, 16 * time.Second, `error="authorize was not answered in time"`},
		"no inbound":        {spot{"services", "*messages.FindInbound"}, true, 16 * time.Second, `error="classify was not answered in time"`},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				lost := bubble.Options{Faults: mute{spot: test.spot, silent: true}}
				var n *bubble.Node
				var c *bubble.Conn
				if test.inbound {
					n = w.StartWith("server", lost)
					n.Echo("10.0.0.2:8080")
					c = w.DialFrom("legacy", "10.0.0.2:8080")
				} else {
					n = w.StartWith("client", lost)
					c = n.Dial("10.0.0.2:8080")
				}
				w.Pass(test.within)
				c.HearEnd()
				_ = c.Close()
				w.Settle()
				n.WantLastAccess(test.text)
				if got := n.Counts(); got.Opened != got.Closed || got.Sockets != 0 {
					t.Errorf("counts %+v", got)
				}
				w.WantWholeTraces()
			})
		})
	}
}

// A store that crashes holds the questions until it has its state back: nothing is allowed without the policies.
func TestPolicyStoreThatLostItsState(t *testing.T) {
	hook := &crash{spot: spot{"policies", "*messages.DumpState"}, armed: true}
	run(t, withPolicies(bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))), func(t *testing.T, w *bubble.World) {
		server := w.StartWith("server", bubble.Options{Faults: hook})
		server.Echo("10.0.0.2:9090")
		peer := w.MustTunnel(w.Host("client"), bubble.Identity("client"), server)
		server.System.Send(server.Stores().Policies, &messages.DumpState{})
		peer.WantStatus(401, "10.0.0.2:9090")
		if len(bubble.EventsOf[kit.Restarted](server)) != 1 {
			t.Error("the store did not restart")
		}
	})
}

// A store whose state nobody brings back refuses: the flow fails closed.
func TestPolicyStoreThatNobodyFills(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		server := w.StartWith("server", bubble.Options{Faults: mute{spot: spot{"policies", "*messages.UpdatePolicies"}, silent: true}, Open: true})
		server.Echo("10.0.0.2:8080")
		peer := w.MustTunnel(w.Host("client"), bubble.Identity("client"), server)
		peer.WantStatus(503, "10.0.0.2:8080")
		server.WantLastAccess(`error="the policies store has lost its state and did not get it back in time"`)
	})
}
