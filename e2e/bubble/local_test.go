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

// onNode tells a pod which node it is on; fast lets it take the local fast path as well.
func onNode(c *pod.Config) { c.Flow.Settings.LocalNode = "node" }

func fast(c *pod.Config) {
	onNode(c)
	c.Flow.Settings.LocalFastpath = true
}

// oneNode is two, with client and server on one node.
func oneNode(policies ...*messages.Authorization) bubble.Mesh {
	m := withPolicies(policies...)
	for i := range m.Workloads[:2] {
		m.Workloads[i].Change = func(w *messages.Workload) { w.Node = "node" }
	}
	return m
}

// together starts one node that serves both pods.
func together(w *bubble.World, o bubble.Options) *bubble.Node {
	n := w.StartWith("client", o)
	n.AddPod("server", o)
	return n
}

// wantMode fails the test unless so many first spans tell of the way, and none of a tunnel's set-up where it is local.
func wantMode(t *testing.T, n *bubble.Node, mode string, want int) {
	t.Helper()
	got := 0
	for _, s := range n.Spans() {
		if want > 0 && mode == "local" && s.Name == messages.SpanConnectionSetup.String() {
			t.Error("there was a tunnel")
		}
		for _, a := range s.Attributes {
			if string(a.Key) == messages.AttrMode && a.Value.AsString() == mode {
				got++
			}
		}
	}
	if got != want {
		t.Errorf("%d spans tell of the way %q, want %d", got, mode, want)
	}
}

// LOCAL_FASTPATH: no tunnel, both lines and both series, one trace, the client's address kept.
func TestLocalFastpath(t *testing.T) {
	run(t, oneNode(), func(t *testing.T, w *bubble.World) {
		n := together(w, bubble.Options{Pod: fast})
		app := w.Serve(w.Host("server"), "10.0.0.2:8080", bubble.Echo)
		c := n.Dial("10.9.0.2:80") // by its service
		c.Say("hello")
		c.Hear("hello")
		if got := app.Peers(); len(got) != 1 || got[0].Addr().String() != "10.0.0.1" {
			t.Errorf("the application was called by %v", got)
		}
		n.WantCounts(bubble.Counts{Opened: 2, Sockets: 1})
		c.Finish()
		w.Pass(time.Second)
		n.WantCounts(bubble.Counts{Opened: 2, Closed: 2})
		n.WantFlag("-", 2)
		lines := n.Access()
		if len(lines) != 2 {
			t.Fatalf("access log %q", lines)
		}
		for _, line := range lines {
			for _, part := range []string{
				"bytes_sent=5 bytes_recv=5", fromClient, toServer, "dst.addr=10.0.0.2:15008", "dst.hbone_addr=10.0.0.2:8080", `dst.service="server.ns"`,
			} {
				if !strings.Contains(line, part) {
					t.Errorf("line lacks %s: %s", part, line)
				}
			}
		}
		w.WantWholeTraces()
		wantMode(t, n, "local", 2)
		if traces := tracesOf(n); traces != 1 {
			t.Errorf("%d traces, want one", traces)
		}
	})
}

func tracesOf(n *bubble.Node) int {
	seen := map[string]bool{}
	for _, s := range n.Spans() {
		if s.Name == messages.SpanOutbound.String() || s.Name == messages.SpanInbound.String() {
			seen[s.SpanContext.TraceID().String()] = true
		}
	}
	return len(seen)
}

// Where the fast path could not say the same to policy as a tunnel, or has nobody to hand over to, there is a tunnel.
func TestLocalFastpathFallsBack(t *testing.T) {
	for name, test := range map[string]struct {
		mesh  func(*bubble.Mesh)
		apart bool // the server has a process of its own
		slow  bool // the option is off
	}{
		"off":               {slow: true},
		"not here":          {apart: true},
		"another node":      {mesh: func(m *bubble.Mesh) { m.Workloads[1].Change = nil }},
		"several addresses": {mesh: func(m *bubble.Mesh) { m.Workloads[0].IPs = "10.0.0.1 10.0.0.11" }},
		"application tunnel": {mesh: func(m *bubble.Mesh) {
			m.Workloads[1].Change = func(w *messages.Workload) {
				w.Node, w.ApplicationTunnel = "node", &messages.ApplicationTunnel{Protocol: messages.TunnelNone, Port: 8080}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := oneNode()
			if test.mesh != nil {
				test.mesh(&mesh)
			}
			run(t, mesh, func(t *testing.T, w *bubble.World) {
				o := bubble.Options{Pod: fast}
				if test.slow {
					o.Pod = onNode
				}
				n := w.StartWith("client", o)
				if test.apart {
					w.StartWith("server", o)
				} else {
					n.AddPod("server", o)
				}
				w.Serve(w.Host("server"), "10.0.0.2:8080", bubble.Echo)
				n.Exchange("10.0.0.2:8080", "hello")
				w.Pass(time.Second)
				wantMode(t, n, "local", 0)
			})
		})
	}
}

func TestLocalFastpathFailures(t *testing.T) {
	t.Run("denied", func(t *testing.T) {
		run(t, oneNode(bubble.Policy("p", messages.ActionDeny, principal(clientPrincipal))), func(t *testing.T, w *bubble.World) {
			n := together(w, bubble.Options{Pod: fast})
			app := w.Serve(w.Host("server"), "10.0.0.2:8080", bubble.Echo)
			n.WantRefused("10.0.0.2:8080")
			w.Pass(time.Second)
			log := strings.Join(n.Access(), "\n")
			for _, part := range []string{
				`error="connection closed due to policy rejection: explicitly denied by: ns/p"`, `error="http status: 401 Unauthorized"`,
			} {
				if !strings.Contains(log, part) {
					t.Errorf("log lacks %s:\n%s", part, log)
				}
			}
			if len(app.Peers()) != 0 {
				t.Error("the application was called")
			}
			n.WantFlag("DENY", 1)
			n.WantFlag("CONNECT", 1)
			w.WantWholeTraces()
			wantMode(t, n, "local", 2)
		})
	})
	t.Run("nobody listens", func(t *testing.T) {
		run(t, oneNode(), func(t *testing.T, w *bubble.World) {
			n := together(w, bubble.Options{Pod: fast})
			n.WantRefused("10.0.0.2:8080")
			w.Pass(time.Second)
			if log := strings.Join(n.Access(), "\n"); !strings.Contains(log, `error="http status: 503 Service Unavailable"`) {
				t.Errorf("log %s", log)
			}
			n.WantFlag("CONNECT", 2)
		})
	})
	t.Run("a policy closes it later", func(t *testing.T) {
		run(t, oneNode(), func(t *testing.T, w *bubble.World) {
			n := together(w, bubble.Options{Pod: fast})
			w.Serve(w.Host("server"), "10.0.0.2:8080", bubble.Echo)
			c := n.Dial("10.0.0.2:8080")
			c.Say("x")
			c.Hear("x")
			n.UpdatePolicies(messages.UpdatePolicies{Set: []*messages.Authorization{bubble.Policy("p", messages.ActionDeny, bubble.Ports(8080))}})
			c.HearEnd()
			_ = c.Close()
			w.Pass(time.Second)
			n.WantClosedBy("ns/p", 1)
			n.WantFlag("DENY", 1)
			n.WantCounts(bubble.Counts{Opened: 2, Closed: 2, Failed: 1})
		})
	})
	t.Run("the client's pod is stopped", func(t *testing.T) {
		run(t, oneNode(), func(t *testing.T, w *bubble.World) {
			n := together(w, bubble.Options{Pod: fast})
			app := w.Serve(w.Host("server"), "10.0.0.2:8080", bubble.Echo)
			c := n.Dial("10.0.0.2:8080")
			c.Say("x")
			c.Hear("x")
			n.System.Send(n.Pod(), &messages.Drain{Mode: messages.DrainImmediate})
			c.HearEnd()
			_ = c.Close()
			w.Pass(time.Second)
			n.WantCounts(bubble.Counts{Opened: 2, Closed: 2, Failed: 1})
			if len(app.Peers()) != 1 {
				t.Error("the application was not called")
			}
		})
	})
}

// Whatever gets lost or crashes on the local way, no connection hangs for ever and none is left behind.
func TestLocalFastpathThroughFaults(t *testing.T) {
	broken := errors.New("broken")
	for name, hurt := range map[string]func(f *fault.Faults){
		"question lost":            func(f *fault.Faults) { fault.On[messages.FindLocalPod](f, "local-pods").Once().Drop() },
		"directory crashes":        func(f *fault.Faults) { fault.On[messages.FindLocalPod](f, "local-pods").Once().Panic(broken) },
		"directory keeps crashing": func(f *fault.Faults) { fault.On[messages.FindLocalPod](f, "local-pods").Next(3).Panic(broken) },
		"question late":            func(f *fault.Faults) { fault.On[messages.FindLocalPod](f, "local-pods").Once().Delay(5 * time.Second) },
		"question twice":           func(f *fault.Faults) { fault.On[messages.FindLocalPod](f, "local-pods").Once().Duplicate() },
		"its answer lost":          func(f *fault.Faults) { fault.On[messages.LocalPodFound](f, "*/classify/*").Once().Drop() },
		"hand-over lost":           func(f *fault.Faults) { fault.On[messages.ConnectLocally](f, "pod/*").Once().Drop() },
		"hand-over twice":          func(f *fault.Faults) { fault.On[messages.ConnectLocally](f, "pod/*").Once().Duplicate() },
		"the pod crashes over it":  func(f *fault.Faults) { fault.On[messages.ConnectLocally](f, "pod/*").Once().Panic(broken) },
		"answer lost":              func(f *fault.Faults) { fault.On[messages.LocallyConnected](f, "*/tunnel/*").Once().Drop() },
		"the source crashes":       func(f *fault.Faults) { fault.On[messages.LocallyConnected](f, "*/tunnel/*").Once().Panic(broken) },
		"the end is lost":          func(f *fault.Faults) { fault.On[messages.LocallyEnded](f, "*/tunnel/*").Once().Drop() },
		"the source crashes there": func(f *fault.Faults) { fault.On[messages.LocallyEnded](f, "*/tunnel/*").Once().Panic(broken) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, oneNode(), func(t *testing.T, w *bubble.World) {
				f := fault.New()
				hurt(f)
				n := together(w, bubble.Options{Pod: fast, Faults: f})
				w.Serve(w.Host("server"), "10.0.0.2:8080", bubble.Echo)
				c := n.Dial("10.0.0.2:8080")
				_, _ = c.Write([]byte("x"))
				w.Pass(time.Minute)
				_ = c.Close()
				w.Pass(2 * time.Minute)
				if counts := n.Counts(); counts.Opened != counts.Closed || counts.Sockets > 1 { // a tunnel may be kept
					t.Errorf("left behind: %+v", counts)
				}
				if len(f.Report().Injections) == 0 {
					t.Error("nothing was hurt")
				}
				n.Exchange("10.0.0.2:8080", "again")
			})
		})
	}
}
