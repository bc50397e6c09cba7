package dedicated

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// socksProxy is where an application enters that isn't redirected.
const socksProxy = "127.0.0.1:15080"

var socksEnabled = withEnv("UNSTABLE_ENABLE_SOCKS5", "true")

// socksWorld is a client that enters by SOCKS5, and servers that it can reach.
func socksWorld(t *testing.T, options ...option) (w *world, client, hbone, tcp *member) {
	t.Helper()
	w = newWorld(t)
	client = w.pod("client", localNode, append([]option{socksEnabled}, options...)...)
	hbone = w.pod("hbone", remoteNode, inService(serverHost, mesh.Ports{80: serverPort}))
	tcp = w.pod("tcp", remoteNode, uncaptured)
	w.mesh.Services = []mesh.Service{{
		Name: "server", Namespace: namespace, Hostname: serverHost, VIPs: []string{"/" + vip}, Ports: mesh.Ports{80: 80},
	}}
	w.start()
	hbone.app.Listen(":8080", agent.Double)
	tcp.app.Listen(":8080", agent.Double)
	return w, client, hbone, tcp
}

func TestSOCKSRequests(t *testing.T) {
	for name, options := range map[string][]option{
		"node known":   nil,
		"node unknown": {func(m *member) { m.env["NODE_NAME"] = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			_, client, hbone, tcp := socksWorld(t, options...)
			for kind, target := range map[string]string{
				"hbone":      hbone.at(hbone.IPv4, serverPort).String(),
				"hbone IPv6": hbone.at(hbone.IPv6, serverPort).String(),
				"tcp":        tcp.at(tcp.IPv4, serverPort).String(),
				"vip":        vip + ":80",
			} {
				t.Run(kind, func(t *testing.T) {
					c, err := client.app.TryDial(agent.Via{Target: target, SOCKS: socksProxy})
					if err != nil {
						t.Fatal(err)
					}
					c.Write(hello)
					c.Expect(helloTwice)
					c.CloseWrite()
					c.ExpectEnd(agent.EndEOF)
				})
			}
			m := client.proxy.Metrics()
			for _, gauge := range []string{"process_open_fds", "process_max_fds"} {
				if len(m.Of(gauge)) != 1 || m.Sum(gauge, nil) <= 0 {
					t.Errorf("%s: %+v, want one sample above 0", gauge, m.Of(gauge))
				}
			}
		})
	}
}

// TestConnectionMetrics: opened counts at once, closed when it is over, bytes while they move.
func TestConnectionMetrics(t *testing.T) {
	_, client, hbone, _ := socksWorld(t)
	labels := product.Labels{"reporter": "source", "destination_workload": "hbone"}
	c, err := client.app.TryDial(agent.Via{Target: hbone.at(hbone.IPv4, serverPort).String(), SOCKS: socksProxy})
	if err != nil {
		t.Fatal(err)
	}
	c.Write(hello)
	c.Expect(helloTwice)
	client.proxy.ExpectSum(product.ConnectionsOpened, labels, 1)
	client.proxy.ExpectSum(product.BytesReceived, labels, 11)
	client.proxy.ExpectSum(product.BytesSent, labels, 22)
	client.proxy.ExpectSum(product.ConnectionsClosed, labels, 0)
	client.proxy.ExpectSum("istio_tcp_sockets_open", product.Labels{"reporter": "source"}, 1)
	c.Close()
	client.proxy.ExpectSum(product.ConnectionsClosed, labels, 1)
	client.proxy.ExpectSum(product.ConnectionsOpened, labels, 1)
	client.proxy.ExpectSum("istio_tcp_sockets_open", product.Labels{"reporter": "source"}, 0)
}

// TestStatsExist: istio_build is there, and what isn't stable says so.
func TestStatsExist(t *testing.T) {
	w := newWorld(t)
	only := w.pod("only", localNode)
	w.start()
	text := only.proxy.MetricsText()
	if !strings.Contains(text, "istio_build{") {
		t.Error("istio_build is missing")
	}
	stable := []string{
		"istio_build", "istio_tcp_connections_opened", "istio_tcp_connections_closed", "istio_tcp_received_bytes", "istio_tcp_sent_bytes",
	}
	for line := range strings.Lines(text) {
		rest, isHelp := strings.CutPrefix(line, "# HELP ")
		if !isHelp {
			continue
		}
		name, help, _ := strings.Cut(rest, " ")
		isStable := false
		for _, s := range stable {
			isStable = isStable || name == s
		}
		if strings.Contains(help, "unstable") == isStable && strings.HasPrefix(name, "istio_") {
			t.Errorf("%s: help %q; stable: %v", name, help, isStable)
		}
	}
}

// TestStatsCompression: a scrape is the same in every encoding that it is offered in.
func TestStatsCompression(t *testing.T) {
	w := newWorld(t)
	only := w.pod("only", localNode)
	w.start()
	names := func(m product.Metrics) (all []string) {
		for _, s := range m {
			if strings.HasPrefix(s.Name, "istio_") || strings.HasPrefix(s.Name, "process_") {
				all = append(all, s.Name)
			}
		}
		return all
	}
	want := names(only.proxy.Metrics())
	for encoding, decode := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"br":   func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) },
	} {
		t.Run(encoding, func(t *testing.T) {
			text, got := only.proxy.MetricsIn(encoding, decode)
			m, err := product.ParseMetrics(text)
			if err != nil || got != encoding || !slices.Equal(names(m), want) {
				t.Errorf("encoded as %q, %v, with %v, want %v", got, err, names(m), want)
			}
		})
	}
}

// TestConflictingBind: a port that is taken is a start error that names it, on every listener.
func TestConflictingBind(t *testing.T) {
	for name, address := range map[string]string{
		"outbound": "[::]:15001", "inbound plaintext": "[::]:15006", "inbound": "[::]:15008", "socks5": "127.0.0.1:15080",
		"admin": "127.0.0.1:15000", "stats": "[::]:15020", "readiness": "[::]:15021",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			only := w.pod("only", localNode, uncaptured, socksEnabled)
			var taken net.Listener
			err := only.NS.Do(func() (err error) {
				taken, err = new(net.ListenConfig).Listen(context.Background(), "tcp", address)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = taken.Close() }()
			w.mesh.Workloads = []mesh.Workload{only.workload}
			p := product.Launch(t, w.config(only))
			if code := p.Wait(15 * time.Second); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			want := "failed to bind to address " + address + ": Address already in use"
			if out := p.Output(); !strings.Contains(out, want) {
				t.Errorf("the output lacks %q:\n%s", want, out)
			}
		})
	}
}

func TestConfigDumpHasTheMesh(t *testing.T) {
	w := newWorld(t)
	only := w.pod("only", localNode)
	w.start()
	dump := only.proxy.Admin(http.MethodGet, "/config_dump")
	for _, want := range []string{only.workload.UID, `"workloads"`, `"services"`, `"policies"`} {
		if !strings.Contains(dump, want) {
			t.Errorf("the dump lacks %s", want)
		}
	}
}
