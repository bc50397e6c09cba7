package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/proxy"

	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/transport/socket"
)

const (
	readyLimit = 10 * time.Second
	stopLimit  = 10 * time.Second
	callLimit  = 10 * time.Second
	seeLimit   = 5 * time.Second
	pollEvery  = 5 * time.Millisecond
)

var addresses atomic.Uint32

// newIP is a loopback address that no other running test uses: the ports of a proxy are fixed.
func newIP() netip.Addr {
	pid, n := os.Getpid(), addresses.Add(1)%254+1
	return netip.AddrFrom4([4]byte{127, byte(64 + pid>>8&63), byte(pid), byte(n)})
}

// world is what the proxies of a test know, and where its applications are.
type world struct {
	t *testing.T
	// source is the client and its proxy, tunneled a server behind a proxy, plain a server without one.
	source, tunneled, plain netip.Addr
	// vip leads to tunneled, dnsVIP to a workload that is known by host name only.
	vip, dnsVIP netip.Addr
	caDir       string
	// node is NODE_NAME of all proxies; empty leaves it unset.
	node string
	// nameServer is asked for host names, where valid.
	nameServer netip.AddrPort
}

// echoPort is where servers listen; a service's port 80 leads there.
const echoPort = 8080

const dnsHost = "echo.test"

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{
		t: t, source: newIP(), tunneled: newIP(), plain: newIP(), vip: newIP(), dnsVIP: newIP(), caDir: t.TempDir(),
	}
}

func (w *world) state() string {
	return fmt.Sprintf(`workloads:
- {uid: source, name: source, namespace: default, workloadIps: ["%[1]s"], protocol: HBONE, node: %[6]q, services: {}}
- {uid: tunneled, name: tunneled, namespace: default, workloadIps: ["%[2]s"], protocol: HBONE, node: %[6]q,
   services: {default/tunneled.test: {80: %[7]d}}}
- {uid: plain, name: plain, namespace: default, workloadIps: ["%[3]s"], protocol: TCP, node: other, services: {}}
- {uid: named, name: named, namespace: default, workloadIps: [], hostname: %[8]s, protocol: TCP, node: other,
   services: {default/named.test: {80: %[7]d}}}
services:
- {name: tunneled, namespace: default, hostname: tunneled.test, vips: ["/%[4]s"], ports: {80: %[7]d}}
- {name: named, namespace: default, hostname: named.test, vips: ["/%[5]s"], ports: {80: %[7]d}}
`, w.source, w.tunneled, w.plain, w.vip, w.dnsVIP, w.node, echoPort, dnsHost)
}

// environ is a proxy's environment; extra comes first and so counts.
func (w *world) environ(workload string, ip netip.Addr, extra ...string) []string {
	environ := append(extra[:len(extra):len(extra)], "PROXY_MODE=dedicated", "PROXY_WORKLOAD_INFO=default/"+workload+"/default",
		"TROUPE_BIND_IP="+ip.String(), "LOCAL_XDS="+w.state(), "XDS_ADDRESS=", "FAKE_CA=true", "FAKE_CA_DIR="+w.caDir,
		"ISTIO_META_DNS_CAPTURE=false", "UNSTABLE_ENABLE_SOCKS5=true", "ENABLE_ORIG_SRC=false")
	if w.node != "" {
		environ = append(environ, "NODE_NAME="+w.node)
	}
	return environ
}

func (w *world) config(workload string, ip netip.Addr, extra ...string) *config.Config {
	w.t.Helper()
	c, err := config.Load(w.environ(workload, ip, extra...), []string{"proxy", "ztunnel"}, config.ThisHost())
	if err != nil {
		w.t.Fatal(err)
	}
	if w.nameServer.IsValid() {
		c.Resolver.NameServers, c.Resolver.Search, c.Resolver.Domain = []netip.AddrPort{w.nameServer}, nil, ""
	}
	return c
}

// running is a started proxy; the end of the test is its end.
type running struct {
	*Proxy
	t    *testing.T
	ip   netip.Addr
	log  *output
	once sync.Once
}

func (w *world) start(workload string, ip netip.Addr, extra ...string) *running {
	w.t.Helper()
	return w.startWith(Options{}, workload, ip, extra...)
}

func (w *world) startWith(o Options, workload string, ip netip.Addr, extra ...string) *running {
	w.t.Helper()
	log := &output{}
	o.Out = log
	p, err := Start(w.t.Context(), w.config(workload, ip, extra...), o)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &running{Proxy: p, t: w.t, ip: ip, log: log}
	w.t.Cleanup(func() {
		r.once.Do(func() {
			if err := r.shutDown(); err != nil {
				w.t.Errorf("the proxy of %s did not end well: %v", workload, err)
			}
		})
	})
	ctx, cancel := context.WithTimeout(w.t.Context(), readyLimit)
	defer cancel()
	if err := p.AwaitReady(ctx); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (r *running) shutDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return r.Proxy.Shutdown(ctx)
}

// end shuts the proxy down in the background and says how that went.
func (r *running) end() <-chan error {
	done := make(chan error, 1)
	go r.once.Do(func() { done <- r.shutDown() })
	return done
}

func await[T any](t *testing.T, what string, within time.Duration, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(within):
		t.Fatalf("%s did not happen within %v", what, within)
	}
	return v
}

// eventually polls what only a real socket or another goroutine brings about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(seeLimit); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about within %v", what, seeLimit)
		}
	}
}

// dial connects from the client through its proxy's SOCKS5 entrance to a host, a name or an address, and port.
func (r *running) dial(host string, port uint16) (net.Conn, error) {
	r.t.Helper()
	through, err := proxy.SOCKS5("tcp", netip.AddrPortFrom(r.ip, 15080).String(), nil,
		&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(r.ip, 0))})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), callLimit)
	defer cancel()
	conn, err := through.(proxy.ContextDialer).DialContext(ctx, "tcp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(callLimit))
	}
	return conn, err
}

// open is dial that must succeed.
func (r *running) open(host string, port uint16) net.Conn {
	r.t.Helper()
	conn, err := r.dial(host, port)
	if err != nil {
		r.t.Fatalf("connect to %s:%d: %v", host, port, err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// roundTrip sends bytes and wants them back.
func roundTrip(t *testing.T, conn net.Conn, sent []byte) {
	t.Helper()
	got := make([]byte, len(sent))
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("sent %d bytes, got others back: %v", len(sent), err)
	}
}

// serveEcho listens on ip and sends back what comes.
func serveEcho(t *testing.T, ip netip.Addr) {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(ip, echoPort).String())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { _ = l.Close() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(4 * callLimit)) // no test lasts longer
				_, _ = io.Copy(conn, conn)                          // the client may end as it likes
			})
		}
	})
}

// get fetches a page of one of the proxy's endpoints.
func (r *running) get(method string, port uint16, path string) (int, string) {
	r.t.Helper()
	url := fmt.Sprintf("http://%s%s", netip.AddrPortFrom(r.ip, port), path)
	request, err := http.NewRequestWithContext(r.t.Context(), method, url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: callLimit}
	response, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func (r *running) metrics() string {
	r.t.Helper()
	status, body := r.get(http.MethodGet, 15020, "/metrics")
	if status != http.StatusOK {
		r.t.Fatalf("metrics: status %d", status)
	}
	return body
}

// samples are the lines of a metric that hold all of these labels.
func samples(metrics, name string, labels ...string) []string {
	var found []string
lines:
	for line := range strings.Lines(metrics) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, " ") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(line, l) {
				continue lines
			}
		}
		found = append(found, strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]))
	}
	return found
}

// output takes a proxy's log.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// ledger is a network that knows which of its listeners are open, and that fails when it is asked for one too many.
type ledger struct {
	socket.Network
	mu      sync.Mutex
	asked   int
	allowed int // listeners that may be made; negative is all
	open    map[netip.AddrPort]bool
}

var errNoMore = fmt.Errorf("no more listeners")

func newLedger(network socket.Network, allowed int) *ledger {
	return &ledger{Network: network, allowed: allowed, open: map[netip.AddrPort]bool{}}
}

func (l *ledger) Listen(ctx context.Context, addr netip.AddrPort, o socket.ListenOptions) (socket.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.allowed >= 0 && l.asked > l.allowed {
		return nil, errNoMore
	}
	listener, err := l.Network.Listen(ctx, addr, o)
	if err != nil {
		return nil, err
	}
	l.open[listener.Addr()] = true
	return &entry{listener, l}, nil
}

func (l *ledger) stillOpen() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

type entry struct {
	socket.Listener
	ledger *ledger
}

func (e *entry) Close() error {
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	delete(e.ledger.open, e.Addr())
	return e.Listener.Close()
}
