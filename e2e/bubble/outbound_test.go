package bubble_test

import (
	"crypto/tls"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/e2e/product"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// two is the mesh of most tests: a client, a server behind a service, and a workload that does not speak HBONE.
func two() bubble.Mesh {
	return bubble.Mesh{
		Workloads: []bubble.Workload{
			{Name: "client", IPs: "10.0.0.1"},
			{Name: "server", IPs: "10.0.0.2", Behind: map[string]messages.PortMap{"ns/server.ns": {80: 8080}}},
			{Name: "legacy", IPs: "10.0.0.3", TCP: true},
		},
		Services: []*messages.Service{
			bubble.Service("ns/server.ns", "10.9.0.2", messages.PortMap{80: 8080}),
			bubble.Service("ns/empty.ns", "10.9.0.9", messages.PortMap{80: 8080}),
		},
	}
}

// run runs a test with a world of its own in a bubble.
func run(t *testing.T, m bubble.Mesh, f func(t *testing.T, w *bubble.World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := bubble.New(t, m)
		defer w.Close()
		f(t, w)
	})
}

const (
	fromClient = `src.workload="client" src.namespace="ns" src.identity="spiffe://cluster.local/ns/ns/sa/client" src.cluster="Kubernetes" `
	toServer   = `dst.workload="server" dst.namespace="ns" dst.identity="spiffe://cluster.local/ns/ns/sa/server" dst.cluster="Kubernetes" `
)

func TestHBONE(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		app := server.Echo("10.0.0.2:8080")
		c := client.Dial("10.0.0.2:8080")
		c.Say("hello world")
		c.Hear("hello world")
		client.WantCounts(bubble.Counts{Opened: 1, Sockets: 1})
		server.WantCounts(bubble.Counts{Opened: 1, Sockets: 1})
		w.Pass(20 * time.Millisecond)
		c.Finish()
		client.WantCounts(bubble.Counts{Opened: 1, Closed: 1})
		server.WantCounts(bubble.Counts{Opened: 1, Closed: 1, Sockets: 1}) // the tunnel is still there
		client.WantAccess(`info connection complete src.addr=10.0.0.1:32768 ` + fromClient +
			`dst.addr=10.0.0.2:15008 dst.hbone_addr=10.0.0.2:8080 ` + toServer +
			`direction="outbound" bytes_sent=11 bytes_recv=11 duration="30ms"`)
		server.WantAccess(`info connection complete src.addr=10.0.0.1:32769 ` + fromClient +
			`dst.addr=10.0.0.2:15008 dst.hbone_addr=10.0.0.2:8080 dst.service="server.ns" ` + toServer +
			`direction="inbound" bytes_sent=11 bytes_recv=11 duration="24ms"`)
		if got := app.Peers(); len(got) != 1 || got[0].Addr().String() != "10.0.0.1" {
			t.Errorf("the application was called by %v, want 10.0.0.1", got)
		}
		w.WantWholeTraces()
	})
}

func TestServiceByHBONE(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		server.Echo("10.0.0.2:8080")
		client.Exchange("10.9.0.2:80", "hello")
		client.WantLastAccess(`dst.addr=10.0.0.2:15008 dst.hbone_addr=10.0.0.2:8080 dst.service="server.ns" dst.workload="server"`)
		server.WantLastAccess(`dst.service="server.ns"`)
		labels := product.Labels{
			"reporter": "source", "source_workload": "client", "source_principal": "spiffe://cluster.local/ns/ns/sa/client",
			"destination_service": "server.ns", "destination_workload": "server", "response_flags": "-",
			"connection_security_policy": "mutual_tls", "request_protocol": "tcp",
			"destination_principal": "spiffe://cluster.local/ns/ns/sa/server",
		}
		if m := client.Metrics(); m.Sum(product.ConnectionsOpened, labels) != 1 || m.Sum(product.BytesSent, labels) != 5 ||
			m.Sum(product.BytesReceived, labels) != 5 {
			t.Errorf("traffic metrics: %v", m.Of(product.ConnectionsOpened))
		}
	})
}

func TestPassthrough(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client := w.Start("client")
		w.Serve(w.AddHost("outside", "10.1.0.1"), "10.1.0.1:443", bubble.Echo)
		client.Exchange("10.1.0.1:443", "hello")
		client.WantAccess(`info connection complete src.addr=10.0.0.1:32768 src.workload="client" src.namespace="ns" ` +
			`src.cluster="Kubernetes" dst.addr=10.1.0.1:443 direction="outbound" bytes_sent=5 bytes_recv=5 duration="6ms"`)
		client.WantCounts(bubble.Counts{Opened: 1, Closed: 1})
		w.WantWholeTraces()
	})
}

func TestPlainWorkload(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client := w.Start("client")
		w.Serve(w.Host("legacy"), "10.0.0.3:8080", bubble.Echo)
		client.Exchange("10.0.0.3:8080", "hello")
		client.WantLastAccess(`dst.addr=10.0.0.3:8080 dst.workload="legacy" dst.namespace="ns" dst.cluster="Kubernetes" direction="outbound"`)
		labels := product.Labels{"connection_security_policy": "unknown", "source_principal": "unknown", "destination_principal": "spiffe://cluster.local/ns/ns/sa/legacy"}
		if client.Metrics().Sum(product.ConnectionsClosed, labels) != 1 {
			t.Errorf("closed: %v", client.Metrics().Of(product.ConnectionsClosed))
		}
	})
}

func TestServerSpeaksFirstAndEndsFirst(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		w.Serve(server.Host, "10.0.0.2:8080", func(c socket.Conn) {
			_, _ = c.Write([]byte("welcome"))
			_ = c.CloseWrite()
			bubble.Discard(c)
		})
		c := client.Dial("10.0.0.2:8080")
		c.Hear("welcome")
		c.HearEnd()
		c.Say("still here")
		c.Finish()
		w.Pass(time.Second)
		client.WantLastAccess("info", "bytes_sent=10 bytes_recv=7")
		server.WantLastAccess("info", "bytes_sent=7 bytes_recv=10")
	})
}

// Calls that must fail: what the log says, and whether they count.
func TestOutboundFailures(t *testing.T) {
	for name, test := range map[string]struct {
		to     string
		before func(w *bubble.World, client *bubble.Node)
		log    []string
		counts bubble.Counts
		flag   string
	}{
		"loop": {
			to: "127.0.0.1:15006", log: []string{"warn", `connection failed`, `dst.addr=127.0.0.1:15006 direction="outbound" error="attempted recursive call to ourselves"`},
		},
		"socks port is ours": {
			to: "127.0.0.1:15080", log: []string{"warn", `error="attempted recursive call to ourselves"`},
		},
		"no endpoint": {
			to: "10.9.0.9:80", log: []string{"warn", `src.addr=10.0.0.1:32768 dst.addr=10.9.0.9:80 direction="outbound" error="no healthy upstream: 10.9.0.9:80"`},
		},
		"plain refused": {
			to: "10.0.0.3:81", log: []string{"error", "connection complete", `error="io error: Connection refused (os error 111)"`},
			counts: bubble.Counts{Opened: 1, Closed: 1, Failed: 1}, flag: "CONNECT",
		},
		"HBONE refused": {
			to: "10.0.0.2:8080", log: []string{"error", `error="io error: Connection refused (os error 111)"`},
			counts: bubble.Counts{Opened: 1, Closed: 1, Failed: 1}, flag: "CONNECT",
		},
		"HBONE unanswered": {
			to: "10.0.0.2:8080",
			before: func(w *bubble.World, client *bubble.Node) {
				w.Net().Partition(client.Host, w.Host("server"))
			},
			log: []string{
				"error", `duration="10000ms"`,
				`error="connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: deadline has elapsed"`,
			},
			counts: bubble.Counts{Opened: 1, Closed: 1, Failed: 1}, flag: "NETWORK_POLICY",
		},
		"somebody else's certificate": {
			to: "10.0.0.2:8080",
			before: func(w *bubble.World, _ *bubble.Node) {
				w.ServePeer(w.Host("server"), "10.0.0.2:15008", bubble.Identity("intruder"), refuse(503))
			},
			log: []string{
				"error", `error="io error: `, "did not present the expected SAN (spiffe://cluster.local/ns/ns/sa/server), got spiffe://cluster.local/ns/ns/sa/intruder",
			},
			counts: bubble.Counts{Opened: 1, Closed: 1, Failed: 1}, flag: "CONNECT",
		},
		"401": {
			to:     "10.0.0.2:8080",
			before: peerThatRefuses(401),
			log:    []string{"error", `error="http status: 401 Unauthorized"`},
			counts: bubble.Counts{Opened: 1, Closed: 1, Failed: 1}, flag: "CONNECT",
		},
		"503": {
			to:     "10.0.0.2:8080",
			before: peerThatRefuses(503),
			log:    []string{"error", `error="http status: 503 Service Unavailable"`},
			counts: bubble.Counts{Opened: 1, Closed: 1, Failed: 1}, flag: "CONNECT",
		},
		"no HTTP/2": {
			to: "10.0.0.2:8080", before: peerThatSays("HTTP/1.1 400 Bad Request\r\n\r\n"),
			log:    []string{"error", `error="h2 failed: awaiting the answer to CONNECT 10.0.0.2:8080: `, `(FRAME_SIZE_ERROR)`, `reason="h2_failed"`},
			counts: bubble.Counts{Opened: 1, Closed: 1, Failed: 1}, flag: "H2_HANDSHAKE_FAILURE",
		},
		"silence after the handshake": {
			to: "10.0.0.2:8080", before: peerThatSays(""),
			log:    []string{"error", `error="h2 failed: awaiting the answer to CONNECT 10.0.0.2:8080: `, `(SETTINGS_TIMEOUT)`},
			counts: bubble.Counts{Opened: 1, Closed: 1, Failed: 1}, flag: "H2_HANDSHAKE_FAILURE",
		},
		"no answer to CONNECT": {
			to: "10.0.0.2:8080",
			before: func(w *bubble.World, _ *bubble.Node) {
				w.ServePeer(w.Host("server"), "10.0.0.2:15008", bubble.Identity("server"), func(*hbone.ServerStream) {})
			},
			log:    []string{"error", `error="h2 failed: the peer did not answer the CONNECT in time"`},
			counts: bubble.Counts{Opened: 1, Closed: 1, Failed: 1}, flag: "CONNECT",
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				client := w.Start("client")
				if test.before != nil {
					test.before(w, client)
				}
				if test.to[:3] == "127" { // what a host sends to itself is not redirected: a wrong rule would
					client.DialRedirected("10.0.0.1:15001", test.to).HearEnd()
				} else {
					client.WantRefused(test.to)
				}
				w.Pass(time.Minute)
				client.WantLastAccess(test.log...)
				if got := len(client.Access()); got != 1 {
					t.Errorf("%d lines in the access log, want 1", got)
				}
				client.WantCounts(test.counts)
				if test.flag != "" {
					client.WantFlag(test.flag, 1)
				}
				w.WantWholeTraces()
			})
		})
	}
}

func refuse(status int) func(*hbone.ServerStream) {
	return func(s *hbone.ServerStream) { s.Refuse(status) }
}

func peerThatRefuses(status int) func(*bubble.World, *bubble.Node) {
	return func(w *bubble.World, _ *bubble.Node) {
		w.ServePeer(w.Host("server"), "10.0.0.2:15008", bubble.Identity("server"), refuse(status))
	}
}

func TestConnectHeaders(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client := w.Start("client")
		var got *hbone.ServerStream
		w.ServePeer(w.Host("server"), "10.0.0.2:15008", bubble.Identity("server"), func(s *hbone.ServerStream) {
			got = s
			s.Refuse(503)
		})
		client.WantRefused("10.9.0.2:80")
		if got == nil {
			t.Fatal("no CONNECT came")
		}
		if got.Method != "CONNECT" || got.Authority != "10.0.0.2:8080" {
			t.Errorf("%s %s, want CONNECT 10.0.0.2:8080", got.Method, got.Authority)
		}
		for name, want := range map[string]string{
			"baggage":    "k8s.cluster.name=Kubernetes,k8s.namespace.name=ns,k8s.deployment.name=client,service.name=client,service.version=v1",
			"forwarded":  `for="10.0.0.1:32768";host=server.ns`,
			"tracestate": "troupe=1",
		} {
			if value, _ := got.Get(name); value != want {
				t.Errorf("%s: %q, want %q", name, value, want)
			}
		}
		if value, _ := got.Get("traceparent"); len(value) != 55 {
			t.Errorf("traceparent %q", value)
		}
		if _, has := got.Get("x-forwarded-network"); has {
			t.Error("x-forwarded-network on a tunnel that is no double HBONE")
		}
	})
}

func TestTunnelIsShared(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		server.Echo("10.0.0.2:8080")
		for range 5 {
			client.Exchange("10.0.0.2:8080", "hello")
		}
		server.WantCounts(bubble.Counts{Opened: 5, Closed: 5, Sockets: 1})
		w.Pass(6 * time.Minute) // the tunnel leaves the pool after five quiet minutes
		server.WantCounts(bubble.Counts{Opened: 5, Closed: 5})
	})
}

func TestUnavailableCertificate(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client := w.StartWith("client", bubble.Options{Signer: bubble.NoSigner{}})
		client.WantRefused("10.0.0.2:8080")
		client.WantLastAccess("error", `error="identity error: `)
		client.WantFlag("IDENTITY_ERROR", 1)
	})
}

func TestLocalWorkloadComesLate(t *testing.T) {
	alone := bubble.Mesh{Workloads: two().Workloads[1:]}
	for name, test := range map[string]struct {
		after time.Duration
		found bool
	}{"in time": {4 * time.Second, true}, "too late": {6 * time.Second, false}} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				client, server := w.StartWith("client", bubble.Options{Mesh: &alone}), w.Start("server")
				server.Echo("10.0.0.2:8080")
				c := client.Dial("10.0.0.2:8080")
				c.Say("hello")
				w.Pass(test.after)
				client.UpdateWorkloads(two().Workloads[0])
				if test.found {
					c.Hear("hello")
					c.Finish()
					client.WantLastAccess("info", "connection complete")
					return
				}
				c.HearEnd()
				_ = c.Close()
				client.WantAccess(`warn connection failed src.addr=10.0.0.1:32768 dst.addr=10.0.0.2:8080 direction="outbound" ` +
					`error="failed to fetch information about local workload: client.ns (client)" reason="workload_unknown"`)
				client.WantCounts(bubble.Counts{})
			})
		})
	}
}

func TestTooManyFlows(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client := w.StartWith("client", bubble.Options{Pod: func(c *pod.Config) { c.MaxFlows = 1 }})
		w.Serve(w.Host("legacy"), "10.0.0.3:8080", bubble.Echo)
		c := client.Dial("10.0.0.3:8080")
		c.Say("x")
		c.Hear("x")
		client.WantRefused("10.0.0.3:8080")
		client.WantLastAccess("warn", "connection failed", "error=\"too many connections")
		c.Finish()
		client.Exchange("10.0.0.3:8080", "y")
		client.WantCounts(bubble.Counts{Opened: 2, Closed: 2})
	})
}

// peerThatSays is a server that proves who it is, says something that is not HTTP/2, and waits.
func peerThatSays(words string) func(w *bubble.World, client *bubble.Node) {
	return func(w *bubble.World, _ *bubble.Node) {
		certificate := w.Certificate(bubble.Identity("server"))
		w.Serve(w.Host("server"), "10.0.0.2:15008", func(c socket.Conn) {
			secured := tls.Server(hbone.Coalesce(c), certificate.ServerConfig(mtls.Options{}))
			if secured.Handshake() != nil {
				return
			}
			_, _ = io.WriteString(secured, words)
			_, _ = io.Copy(io.Discard, secured)
		})
	}
}
