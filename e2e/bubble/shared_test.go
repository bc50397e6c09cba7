package bubble_test

import (
	"errors"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/pods"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// settled waits until the agent's pods are served, and no others, and until peers have heard of it.
func settled(t *testing.T, w *bubble.World, n *bubble.Node) {
	t.Helper()
	for range 60 {
		serves := n.Agent.Serves()
		w.Pass(time.Second)
		if serves {
			return
		}
	}
	t.Error("the agent's pods are not served")
}

// TestPodsComeAndGo serves pods as an agent tells, in memory: both ways, gone, back in another namespace, through an agent
// that is away, and through a crash of what serves them.
func TestPodsComeAndGo(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		faults := fault.New()
		client, server := w.Start("client"), w.StartShared(bubble.Options{Faults: faults}, "server")
		server.Echo("10.0.0.2:8080")
		w.Serve(w.Host("legacy"), "10.0.0.3:8080", bubble.Echo)
		settled(t, w, server)
		client.Exchange("10.9.0.2:80", "hello")
		server.Exchange("10.0.0.3:8080", "out")

		lasting := client.Dial("10.9.0.2:80")
		lasting.Say("hello")
		lasting.Hear("hello")
		server.Agent.SetDown(true)
		w.Pass(10 * time.Second)
		lasting.Say("on")
		lasting.Hear("on")
		server.Agent.SetDown(false)
		settled(t, w, server)

		server.Agent.Delete("server")
		settled(t, w, server)
		lasting.HearEnd()
		_ = lasting.Close()
		client.WantRefused("10.9.0.2:80")

		server.Agent.Add("server")
		settled(t, w, server)
		client.Exchange("10.9.0.2:80", "hello again")

		server.Agent.Add("server") // in another namespace
		settled(t, w, server)
		w.Pass(time.Minute)
		client.Exchange("10.9.0.2:80", "and again")

		fault.On[messages.ListPods](faults, pods.RolePods).Once().Panic(errors.New("broken on purpose"))
		server.System.Send(server.Pods(), &messages.ListPods{})
		w.Pass(time.Second)
		if len(bubble.EventsOf[kit.Restarted](server)) == 0 {
			t.Error("the pods actor did not crash")
		}
		client.Exchange("10.9.0.2:80", "after the crash")
		server.Stop()
		w.Settle()
		if n := server.Agent.Handles(); n != 0 {
			t.Errorf("%d handles of namespaces are open", n)
		}
	})
}
