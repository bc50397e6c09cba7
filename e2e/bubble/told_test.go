package bubble_test

import (
	"strings"
	"testing"
	"time"

	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// The client's CONNECT span tells every answer's status.
func TestClientSpanTellsTheStatus(t *testing.T) {
	for _, status := range []int{200, 400, 401, 503} {
		run(t, two(), func(t *testing.T, w *bubble.World) {
			client := w.Start("client")
			if status == 200 {
				w.Start("server").Echo("10.0.0.2:8080")
				client.Exchange("10.0.0.2:8080", "x")
			} else {
				peerThatRefuses(status)(w, client)
				client.WantRefused("10.0.0.2:8080")
			}
			w.Pass(time.Second)
			var told []int64
			for _, s := range client.Spans() {
				for _, a := range s.Attributes {
					if s.SpanKind == oteltrace.SpanKindClient && string(a.Key) == messages.AttrHTTPStatus {
						told = append(told, a.Value.AsInt64())
					}
				}
			}
			if len(told) != 1 || told[0] != int64(status) {
				t.Errorf("the span tells %v, want %d", told, status)
			}
		})
	}
}

// A connection that was reset instead of ended went well as far as the reference can tell, but it is not the same.
func TestCutConnectionIsTold(t *testing.T) {
	for name, cut := range map[string]bool{"ended": false, "reset": true} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				client, server := w.Start("client"), w.Start("server")
				server.Echo("10.0.0.2:8080")
				c := client.Dial("10.0.0.2:8080")
				c.Say("x")
				c.Hear("x")
				if cut {
					_ = c.Abort()
				} else {
					c.Finish()
				}
				w.Pass(time.Second)
				line := client.Access()[0]
				if got := strings.HasSuffix(line, ` cut_by="client"`); got != cut || !strings.HasPrefix(line, "info") {
					t.Errorf("the line tells of a cut: %v, want %v: %s", got, cut, line)
				}
				told := false
				for _, s := range client.Spans() {
					for _, a := range s.Attributes {
						told = told || s.Name == messages.SpanTunnelClose.String() && string(a.Key) == messages.AttrCutBy && a.Value.AsString() == "client"
					}
				}
				if told != cut {
					t.Errorf("the closing span tells of a cut: %v, want %v", told, cut)
				}
			})
		})
	}
}

// No two pods, and no two entrances of one pod, share a tunnel (spec/dataplane.md §3.1).
func TestTunnelsAreNotSharedBetweenEntrancesAndPods(t *testing.T) {
	mesh := two()
	mesh.Workloads = append(mesh.Workloads, bubble.Workload{Name: "other", IPs: "10.0.0.4"})
	run(t, mesh, func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		client.AddPod("other", bubble.Options{})
		server.Echo("10.0.0.2:8080")
		setUps := func() (n int) {
			for _, s := range client.Spans() {
				if s.Name == messages.SpanConnectionSetup.String() {
					n++
				}
			}
			return n
		}
		for i := range 2 { // the second time all of them have their own
			client.Exchange("10.0.0.2:8080", "x")
			socks, err := client.DialSOCKS("10.0.0.2:8080")
			if err != nil {
				t.Fatal(err)
			}
			socks.Say("x")
			socks.Hear("x")
			socks.Finish()
			c := w.DialFrom("other", "10.0.0.2:8080")
			c.Say("x")
			c.Hear("x")
			c.Finish()
			w.Pass(time.Second)
			if got := setUps(); got != 3 {
				t.Errorf("%d tunnels after round %d, want 3", got, i+1)
			}
		}
	})
}
