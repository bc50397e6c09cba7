package bubble_test

import (
	"crypto/tls"
	"net/netip"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/relay"
	"github.com/troupe-mesh/troupe/transport/socket"
)

const (
	near = ""
	far  = "far"
)

// federation is two networks: the service's only endpoint is on the far one, behind a gateway.
func federation() bubble.Mesh {
	m := two()
	remote := bubble.Service("ns/remote.ns", "10.9.0.5", messages.PortMap{80: 8080})
	remote.SubjectAltNames = []string{bubble.Identity("remote").String()}
	m.Services = append(m.Services, remote)
	m.Workloads = append(m.Workloads,
		bubble.Workload{Name: "gateway", IPs: "10.0.0.7"},
		bubble.Workload{
			Name: "remote", Behind: map[string]messages.PortMap{"ns/remote.ns": {80: 8080}},
			Change: func(w *messages.Workload) {
				w.Network, w.NetworkGateway = far, bubble.Gateway("/10.0.0.7", 15008)
			},
		},
	)
	return m
}

// gateway relays every CONNECT that comes to it to the far end.
func gateway(w *bubble.World, to string) {
	host := w.Host("gateway")
	w.ServePeer(host, "10.0.0.7:15008", bubble.Identity("gateway"), func(s *hbone.ServerStream) {
		go func() {
			onward, err := host.Dial(w.Context(), netip.MustParseAddrPort(to), socket.DialOptions{})
			if err != nil {
				s.Refuse(503)
				return
			}
			stream, err := s.Accept(nil)
			if err != nil {
				_ = onward.Close()
				return
			}
			relay.Tunnel(onward, stream, relay.SideUpstream, &relay.Counters{})
		}()
	})
}

// remote is the far end: it takes tunnels as somebody, and notes the last CONNECT.
func remote(w *bubble.World, as messages.Identity, last **hbone.ServerStream) {
	certificate := w.Certificate(as)
	w.Serve(w.AddHost("remote", "10.7.0.1"), "10.7.0.1:15008", func(c socket.Conn) {
		secured := tls.Server(hbone.Coalesce(c), certificate.ServerConfig(mtls.Options{}))
		if secured.Handshake() != nil {
			return
		}
		_ = hbone.NewServer(secured, hbone.ServerDefaults(), func(s *hbone.ServerStream) {
			*last = s
			stream, err := s.Accept([]hbone.Header{{
				Name: "baggage", Value: "k8s.cluster.name=east,k8s.namespace.name=abroad,k8s.deployment.name=store,service.name=store,service.version=v7",
			}})
			if err == nil {
				go bubble.Echo(stream)
			}
		}).Serve()
	})
}

func TestDoubleHBONE(t *testing.T) {
	run(t, federation(), func(t *testing.T, w *bubble.World) {
		client := w.Start("client")
		var last *hbone.ServerStream
		remote(w, bubble.Identity("remote"), &last)
		gateway(w, "10.7.0.1:15008")
		for range 2 {
			client.Exchange("10.9.0.5:80", "hello")
		}
		w.Pass(5 * time.Second)
		client.WantLastAccess("info", "connection complete", fromClient,
			`dst.addr=10.0.0.7:15008 dst.hbone_addr=remote.ns:80 dst.service="remote.ns" dst.workload="store" dst.namespace="abroad" `+
				`dst.identity="spiffe://cluster.local/ns/ns/sa/remote" dst.cluster="east" direction="outbound" bytes_sent=5 bytes_recv=5`)
		client.WantCounts(bubble.Counts{Opened: 2, Closed: 2})
		if last.Authority != "remote.ns:80" {
			t.Errorf("inner authority %q", last.Authority)
		}
		if network, has := last.Get("x-forwarded-network"); !has || network != near {
			t.Errorf("x-forwarded-network %q, %v; want our network", network, has)
		}
		if client.Wire == nil || client.System.Stats().Role("peer").Live != 1 {
			t.Errorf("%d peers in the pool, want the gateway only", client.System.Stats().Role("peer").Live)
		}
	})
}

func TestDoubleHBONEFailures(t *testing.T) {
	for name, test := range map[string]struct {
		as      messages.Identity
		noSANs  bool
		gateway string // where it relays to
		text    string
	}{
		"somebody else":            {as: bubble.Identity("intruder"), gateway: "10.7.0.1:15008", text: `error="io error: `},
		"no expected identities":   {as: bubble.Identity("remote"), noSANs: true, gateway: "10.7.0.1:15008", text: `error="io error: `},
		"the gateway finds nobody": {as: bubble.Identity("remote"), gateway: "10.7.0.1:9", text: `error="http status: 503 Service Unavailable"`},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := federation()
			if test.noSANs {
				mesh.Services[len(mesh.Services)-1].SubjectAltNames = nil
			}
			run(t, mesh, func(t *testing.T, w *bubble.World) {
				client := w.Start("client")
				var last *hbone.ServerStream
				remote(w, test.as, &last)
				gateway(w, test.gateway)
				client.WantRefused("10.9.0.5:80")
				w.Pass(5 * time.Second)
				client.WantLastAccess("error", "connection complete", `dst.addr=10.0.0.7:15008 dst.hbone_addr=remote.ns:80`, test.text)
				client.WantCounts(bubble.Counts{Opened: 1, Closed: 1, Failed: 1})
				client.WantFlag("CONNECT", 1)
				if last != nil {
					t.Error("the inner CONNECT went out")
				}
			})
		})
	}
}

// A waypoint is a peer of its own: the tunnel goes to it, the authority stays what the application asked for.
func TestWaypoints(t *testing.T) {
	for name, test := range map[string]struct {
		change func(m *bubble.Mesh)
		to     string
		want   []string
	}{
		"of a service": {
			func(m *bubble.Mesh) { m.Services[0].Waypoint = bubble.Gateway("/10.0.0.8", 15008) }, "10.9.0.2:80",
			[]string{`dst.addr=10.0.0.8:15008 dst.hbone_addr=10.9.0.2:80 dst.service="server.ns" dst.workload="waypoint"`},
		},
		"of a workload": {
			func(m *bubble.Mesh) {
				m.Workloads[1].Change = func(w *messages.Workload) { w.Waypoint = bubble.Gateway("/10.0.0.8", 15008) }
			}, "10.0.0.2:8080",
			[]string{`dst.addr=10.0.0.8:15008 dst.hbone_addr=10.0.0.2:8080 dst.workload="waypoint"`, `dst.identity="spiffe://cluster.local/ns/ns/sa/waypoint"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := two()
			mesh.Workloads = append(mesh.Workloads, bubble.Workload{Name: "waypoint", IPs: "10.0.0.8"})
			test.change(&mesh)
			run(t, mesh, func(t *testing.T, w *bubble.World) {
				client := w.Start("client")
				w.ServePeer(w.Host("waypoint"), "10.0.0.8:15008", bubble.Identity("waypoint"), func(s *hbone.ServerStream) {
					if stream, err := s.Accept(nil); err == nil {
						go bubble.Echo(stream)
					}
				})
				client.Exchange(test.to, "hello")
				w.Pass(time.Second)
				client.WantLastAccess(test.want...)
			})
		})
	}
	t.Run("that nobody knows", func(t *testing.T) {
		mesh := two()
		mesh.Services[0].Waypoint = bubble.Gateway("ns/missing.ns", 15008)
		run(t, mesh, func(t *testing.T, w *bubble.World) {
			client, server := w.Start("client"), w.Start("server")
			server.Echo("10.0.0.2:8080")
			client.WantRefused("10.9.0.2:80")
			client.WantLastAccess("warn", "connection failed", `error="unknown waypoint: `)
			server.WantCounts(bubble.Counts{})
		})
	})
}
