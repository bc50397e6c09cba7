package bubble_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/e2e/product"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/socket"
)

func TestInboundPlaintext(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		server := w.Start("server")
		app := server.Echo("10.0.0.2:8080")
		c := w.DialFrom("legacy", "10.0.0.2:8080")
		c.Say("hello")
		c.Hear("hello")
		c.Finish()
		server.WantAccess(`info connection complete src.addr=10.0.0.3:32768 src.workload="legacy" src.namespace="ns" ` +
			`src.cluster="Kubernetes" dst.addr=10.0.0.2:8080 dst.service="server.ns" dst.workload="server" dst.namespace="ns" ` +
			`dst.cluster="Kubernetes" direction="inbound" bytes_sent=5 bytes_recv=5 duration="2ms"`)
		server.WantCounts(bubble.Counts{Opened: 1, Closed: 1})
		if got := app.Peers(); got[0].Addr().String() != "10.0.0.3" {
			t.Errorf("the application was called by %v, want the client's address", got)
		}
		labels := product.Labels{"reporter": "destination", "connection_security_policy": "unknown", "source_workload": "legacy"}
		if server.Metrics().Sum(product.ConnectionsOpened, labels) != 1 {
			t.Errorf("opened: %v", server.Metrics().Of(product.ConnectionsOpened))
		}
		w.WantWholeTraces()
	})
}

func TestInboundPlaintextFailures(t *testing.T) {
	for name, test := range map[string]struct {
		to     string
		log    []string
		counts bubble.Counts
	}{
		"our own port": {"10.0.0.2:15006", []string{"warn", `error="attempted recursive call to ourselves"`}, bubble.Counts{}},
		"nobody listens": {
			"10.0.0.2:81",
			[]string{"error", `dst.addr=10.0.0.2:81`, `error="connection failed: Connection refused (os error 111)"`},
			bubble.Counts{Opened: 1, Closed: 1, Failed: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				server := w.Start("server")
				c := w.DialFrom("legacy", test.to)
				c.HearEnd()
				_ = c.Close()
				server.WantLastAccess(test.log...)
				server.WantCounts(test.counts)
			})
		})
	}
}

// What a peer is answered, what is logged and what counts (spec/dataplane.md §4.5).
func TestInboundStatuses(t *testing.T) {
	for name, test := range map[string]struct {
		authority string
		status    int
		early     bool
		text      string
		flag      string
	}{
		"good":              {"10.0.0.2:8080", 200, false, "", "-"},
		"service":           {"server.ns:80", 200, false, "", "-"},
		"missing authority": {"nonsense", 400, true, `error="no valid authority pseudo header: nonsense" reason="invalid_request"`, ""},
		"somebody else":     {"10.0.0.77:80", 400, true, `error="ip mismatch: 10.0.0.2 != 10.0.0.77" reason="address_mismatch"`, ""},
		"unknown host":      {"nobody.ns:80", 503, true, `error="no service or workload for hostname: nobody.ns" reason="no_service"`, ""},
		"unknown port":      {"server.ns:81", 503, true, `error="requested service server.ns:81 found, but cannot resolve port" reason="no_valid_destination"`, ""},
		"loop":              {"10.0.0.2:15001", 503, true, `error="attempted recursive call to ourselves" reason="loop_rejected"`, ""},
		"denied":            {"10.0.0.2:9090", 401, false, `error="connection closed due to policy rejection: explicitly denied by: ns/no-admin"`, "DENY"},
		"nobody listens":    {"10.0.0.2:81", 503, false, `error="connection failed: Connection refused (os error 111)"`, "CONNECT"},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := two()
			mesh.Policies = []*messages.Authorization{bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))}
			run(t, mesh, func(t *testing.T, w *bubble.World) {
				server := w.Start("server")
				server.Echo("10.0.0.2:8080")
				peer := w.MustTunnel(w.Host("client"), bubble.Identity("client"), server)
				peer.WantStatus(test.status, test.authority)
				w.Pass(time.Second)
				counts := bubble.Counts{Opened: 1, Closed: 1, Sockets: 1}
				switch {
				case test.early:
					counts = bubble.Counts{Sockets: 1}
					server.WantAccess(`warn connection failed src.addr=10.0.0.1:32768 dst.addr=10.0.0.2:15008 direction="inbound" ` + test.text)
				case test.text != "":
					counts.Failed = 1
					server.WantLastAccess("error", "connection complete", fromClient, test.text)
				default:
					server.WantLastAccess("info", "connection complete", "dst.hbone_addr="+test.authority)
				}
				server.WantCounts(counts)
				if test.flag != "" {
					server.WantFlag(test.flag, 1)
				}
				peer.Close()
				w.Settle()
				counts.Sockets = 0
				server.WantCounts(counts)
			})
		})
	}
}

func TestAnswerHasBaggageOrNothing(t *testing.T) {
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint(on), func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				server := w.StartWith("server", bubble.Options{Pod: func(c *pod.Config) { c.Flow.Settings.ResponseBaggage = on }})
				server.Echo("10.0.0.2:8080")
				stranger := w.AddHost("stranger", "10.5.0.1")
				peer := w.MustTunnel(stranger, bubble.Identity("stranger"), server)
				c, answer := peer.Connect("10.0.0.2:8080", hbone.Header{
					Name: "baggage", Value: "k8s.cluster.name=far,k8s.namespace.name=abroad,k8s.pod.name=visitor,service.name=tourist,service.version=v9",
				})
				value, has := answer.Get("baggage")
				_ = c.Close()
				w.Pass(time.Second)
				if !on {
					if has {
						t.Errorf("baggage %q in the answer", value)
					}
					server.WantLastAccess(`src.addr=10.5.0.1:32768 src.identity="spiffe://cluster.local/ns/ns/sa/stranger" dst.addr`)
					return
				}
				const want = "k8s.cluster.name=Kubernetes,k8s.namespace.name=ns,k8s.deployment.name=server,service.name=server,service.version=v1"
				if value != want {
					t.Errorf("baggage %q, want %q", value, want)
				}
				server.WantLastAccess(`src.workload="tourist" src.namespace="abroad" src.identity="spiffe://cluster.local/ns/ns/sa/stranger" src.cluster="far"`)
			})
		})
	}
}

func TestForwardedNetworkHidesTheSource(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		server := w.Start("server")
		server.Echo("10.0.0.2:8080")
		peer := w.MustTunnel(w.Host("client"), bubble.Identity("client"), server)
		peer.WantStatus(200, "10.0.0.2:8080", hbone.Header{Name: "x-forwarded-network", Value: "elsewhere"})
		w.Pass(time.Second)
		server.WantLastAccess(`src.addr=10.0.0.1:32768 src.identity="spiffe://cluster.local/ns/ns/sa/client" dst.addr`)
	})
}

func TestApplicationTunnelIsToldTheClient(t *testing.T) {
	mesh := two()
	mesh.Workloads[1].Change = func(m *messages.Workload) {
		m.ApplicationTunnel = &messages.ApplicationTunnel{Protocol: messages.TunnelProxy, Port: 15088}
	}
	run(t, mesh, func(t *testing.T, w *bubble.World) {
		server := w.Start("server")
		got := make(chan string, 1)
		w.Serve(server.Host, "127.0.0.1:15088", func(c socket.Conn) {
			b := make([]byte, 512)
			n, _ := c.Read(b)
			got <- string(b[:n])
			bubble.Echo(c)
		})
		peer := w.MustTunnel(w.Host("client"), bubble.Identity("client"), server)
		c, answer := peer.Connect("10.0.0.99:80")
		if answer.Status != 200 {
			t.Fatalf("status %d", answer.Status)
		}
		const id = "spiffe://cluster.local/ns/ns/sa/client"
		want := "\r\n\r\n\x00\r\nQUIT\n\x21\x11" + string([]byte{0, byte(12 + 3 + len(id))}) +
			"\x0a\x00\x00\x01\x0a\x00\x00\x63" + string([]byte{32768 >> 8, 0}) + "\x00\x50" + "\xd0\x00" + string([]byte{byte(len(id))}) + id
		if header := <-got; header != want {
			t.Errorf("PROXY header %q, want %q", header, want)
		}
		c.Say("hello")
		c.Hear("hello")
		c.Finish()
		w.Pass(time.Second)
		server.WantLastAccess("info", "bytes_sent=5 bytes_recv=5")
	})
}

func TestHandshakeFailures(t *testing.T) {
	foreign := messages.Identity{TrustDomain: "elsewhere", Namespace: "ns", ServiceAccount: "client"}
	t.Run("another trust domain", func(t *testing.T) {
		run(t, two(), func(t *testing.T, w *bubble.World) {
			server := w.Start("server")
			peer, err := w.Tunnel(w.Host("client"), foreign, server)
			if err == nil { // with TLS 1.3 a client learns of the refusal after its own handshake
				w.Pass(time.Second)
				if !peer.Gone() {
					t.Error("the tunnel lives")
				}
			}
			w.Pass(time.Second)
			server.WantLastAccess("warn", `connection failed`, `src.addr=10.0.0.1:32768 dst.addr=10.0.0.2:15008 direction="inbound" error="tls handshake error: `, "elsewhere")
			server.WantCounts(bubble.Counts{})
		})
	})
	t.Run("no word", func(t *testing.T) {
		run(t, two(), func(t *testing.T, w *bubble.World) {
			server := w.Start("server")
			c := w.DialFrom("client", "10.0.0.2:15008")
			w.Settle()
			w.Pass(9 * time.Second)
			server.WantCounts(bubble.Counts{Sockets: 1})
			w.Pass(2 * time.Second)
			c.HearEnd()
			_ = c.Close()
			server.WantLastAccess("warn", `error="tls handshake error: `)
			server.WantCounts(bubble.Counts{})
		})
	})
	t.Run("no certificate of our own", func(t *testing.T) {
		run(t, two(), func(t *testing.T, w *bubble.World) {
			server := w.StartWith("server", bubble.Options{Signer: bubble.NoSigner{}})
			c := w.DialFrom("client", "10.0.0.2:15008")
			c.HearEnd()
			_ = c.Close()
			server.WantLastAccess("warn", `direction="inbound" error="signing error: `)
			server.WantCounts(bubble.Counts{})
		})
	})
	t.Run("an authority that never answers", func(t *testing.T) {
		run(t, two(), func(t *testing.T, w *bubble.World) {
			server := w.StartWith("server", bubble.Options{Signer: bubble.SlowSigner{}})
			c := w.DialFrom("client", "10.0.0.2:15008")
			w.Pass(21 * time.Second)
			c.HearEnd()
			_ = c.Close()
			server.WantLastAccess("warn", `error="signing error: the certificate did not arrive in time"`)
			server.WantCounts(bubble.Counts{})
		})
	})
	t.Run("an unknown pod", func(t *testing.T) {
		run(t, two(), func(t *testing.T, w *bubble.World) {
			server := w.StartWith("server", bubble.Options{Mesh: &bubble.Mesh{}})
			c := w.DialFrom("client", "10.0.0.2:15008")
			w.Pass(6 * time.Second)
			c.HearEnd()
			_ = c.Close()
			server.WantLastAccess("warn", `error="signing error: workload is unknown: server.ns (server)"`)
		})
	})
}

// stuck is a network on which no dial is ever answered.
type stuck struct{ socket.Network }

func (s stuck) Dial(ctx context.Context, addr netip.AddrPort, o socket.DialOptions) (socket.Conn, error) {
	<-ctx.Done()
	return nil, &socket.DialError{Addr: addr, Err: context.Cause(ctx)}
}

func noDials(c *pod.Config) { c.Flow.Network = stuck{c.Flow.Network} }

// A peer that leaves while its application is dialled ends the flow at once.
func TestPeerLeavesDuringSetup(t *testing.T) {
	for name, leave := range map[string]func(ctx context.CancelFunc, p *bubble.Peer){
		"the stream is reset": func(cancel context.CancelFunc, _ *bubble.Peer) { cancel() },
		"the tunnel is lost":  func(_ context.CancelFunc, p *bubble.Peer) { p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				server := w.StartWith("server", bubble.Options{Pod: noDials})
				peer := w.MustTunnel(w.Host("client"), bubble.Identity("client"), server)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan error)
				go func() {
					_, _, err := peer.Open(ctx, "10.0.0.2:8080", nil)
					done <- err
				}()
				w.Pass(time.Second)
				server.WantCounts(bubble.Counts{Opened: 1, Sockets: 1})
				leave(cancel, peer)
				if <-done == nil {
					t.Error("the CONNECT succeeded")
				}
				w.Pass(time.Second)
				server.WantLastAccess("error", `duration="100`, `error="the client left before the connection was set up"`)
				if got := server.Counts(); got.Opened != 1 || got.Closed != 1 {
					t.Errorf("counts %+v", got)
				}
				if name == "the tunnel is lost" {
					server.WantCounts(bubble.Counts{Opened: 1, Closed: 1, Failed: 1})
				}
			})
		})
	}
}

// Where the kernel does not let a dial appear as the client, the connection is made all the same, and its trace says that the
// application sees another address.
func TestLostSourceIsTraced(t *testing.T) {
	for name, test := range map[string]struct {
		forbidden bool
		call      string
		want      int
	}{
		"kept":                {call: "10.0.0.2:8080"},
		"lost":                {forbidden: true, call: "10.0.0.2:8080", want: 1},
		"a pod calls itself":  {forbidden: true, call: "itself"},
		"a client in plain":   {forbidden: true, call: "plain", want: 1},
		"plain and preserved": {call: "plain"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				client, server := w.Start("client"), w.Start("server")
				server.Echo("10.0.0.2:8080")
				if test.forbidden {
					server.Host.ForbidTransparent()
				}
				switch test.call {
				case "itself":
					w.MustTunnel(server.Host, bubble.Identity("server"), server).WantStatus(200, "10.0.0.2:8080")
				case "plain":
					c := w.DialFrom("legacy", "10.0.0.2:8080")
					c.Say("hello")
					c.Hear("hello")
					c.Finish()
				default:
					client.Exchange(test.call, "hello")
				}
				w.Pass(time.Second)
				told := 0
				for _, s := range server.Spans() {
					for _, e := range s.Events {
						if e.Name == messages.EventSourceLost {
							told++
							if s.Name != messages.SpanDial.String() || len(e.Attributes) != 1 || e.Attributes[0].Key != messages.AttrSourceAddress {
								t.Errorf("span %s tells %+v", s.Name, e)
							}
						}
					}
				}
				if told != test.want {
					t.Errorf("told %d times, want %d", told, test.want)
				}
				server.WantFlag("-", 1)
			})
		})
	}
}
