package bubble_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

func TestPolicyStoreLosesAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // virtual time: the minute below takes none
		w := bubble.New(t, bubble.Mesh{Workloads: []bubble.Workload{
			{Name: "client", IPs: "10.0.0.1"},
			{Name: "server", IPs: "10.0.0.2"},
		}})
		defer w.Close()
		faults := fault.New()
		client, server := w.Start("client"), w.StartWith("server", bubble.Options{Faults: faults})
		server.Echo("10.0.0.2:8080")

		rule := fault.On[messages.FindPolicies](faults, "policies").Once().Drop()
		client.WantRefused("10.0.0.2:8080")       // fails closed: nobody said that it may
		client.Exchange("10.0.0.2:8080", "hello") // the next one is not hurt

		w.Pass(time.Minute)
		server.WantFlag("CONNECT", 1)
		server.WantFlag("-", 1)
		w.WantWholeTraces()
		if rule.Injected() != 1 {
			t.Error(faults.Report())
		}
		t.Log(w.Traces()) // go test -v: the trees of both nodes, with the fault in its place
	})
}
