package certificates

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/proxy"
	"google.golang.org/grpc"

	"github.com/troupe-mesh/troupe/bootstrap/config"
	troupe "github.com/troupe-mesh/troupe/bootstrap/proxy"
	"github.com/troupe-mesh/troupe/e2e/istiod"
	"github.com/troupe-mesh/troupe/e2e/product"
	"github.com/troupe-mesh/troupe/messages"
)

const (
	patience  = 20 * time.Second
	echoPort  = 8080
	socksPort = 15080
)

var addresses atomic.Int32

// newIP is an address on loopback that no other test of the machine has.
func newIP() netip.Addr {
	pid, n := os.Getpid(), addresses.Add(1)%254+1
	return netip.AddrFrom4([4]byte{127, byte(128 + pid>>8&63), byte(pid), byte(n)})
}

// identityOf is the identity of a workload.
func identityOf(name string) messages.Identity {
	return messages.Identity{TrustDomain: messages.DefaultTrustDomain, Namespace: "default", ServiceAccount: name}
}

// world is a CA, a client and a server with a proxy each.
type world struct {
	*testing.T
	ca             *istiod.CA
	istiod         *istiod.Server
	roots          string // the file
	client, server *node
	places         [2]netip.Addr // theirs
}

// node is a proxy and its place.
type node struct {
	*troupe.Proxy
	ip  netip.Addr
	log *buffer
}

// buffer takes a log.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write takes a part of it.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newWorld starts everything; ttl is SECRET_TTL. Each proxy has a token of its own, by which the CA knows who it is.
func newWorld(t *testing.T, ttl string, extra ...string) *world {
	t.Helper()
	t.Parallel() // they mostly wait
	w := &world{T: t, roots: filepath.Join(t.TempDir(), "root-cert.pem"), places: [2]netip.Addr{newIP(), newIP()}}
	var err error
	if w.ca, err = istiod.NewCA(); err != nil {
		t.Fatal(err)
	}
	w.ca.Backdate = 0 // certificates that live for seconds are renewed at half of that
	w.ca.Callers = map[string]messages.Identity{"token-client": identityOf("client"), "token-server": identityOf("server")}
	if w.istiod, err = istiod.Start(istiod.Options{Register: []func(grpc.ServiceRegistrar){w.ca.Register}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.istiod.Stop)
	put(t, w.roots, w.istiod.Roots())
	w.echo(w.places[1])
	w.server = w.start("server", w.places[1], ttl, extra)
	w.client = w.start("client", w.places[0], ttl, extra)
	return w
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) start(name string, at netip.Addr, ttl string, extra []string) *node {
	w.Helper()
	token := filepath.Join(w.TempDir(), "istio-token")
	put(w.T, token, "token-"+name+"\n")
	state := fmt.Sprintf(`workloads:
- {uid: client, name: client, namespace: default, serviceAccount: client, workloadIps: [%q], protocol: HBONE, node: "", services: {}}
- {uid: server, name: server, namespace: default, serviceAccount: server, workloadIps: [%q], protocol: HBONE, node: "", services: {}}
`, w.places[0], w.places[1])
	environ := append([]string{
		"PROXY_MODE=dedicated", "PROXY_WORKLOAD_INFO=default/" + name + "/" + name, "TROUPE_BIND_IP=" + at.String(),
		"LOCAL_XDS=" + state, "XDS_ADDRESS=", "CA_ADDRESS=" + w.istiod.Address(), "CA_ROOT_CA=" + w.roots, "AUTH_TOKEN=" + token,
		"SECRET_TTL=" + ttl, "ISTIO_META_DNS_CAPTURE=false", "UNSTABLE_ENABLE_SOCKS5=true", "ENABLE_ORIG_SRC=false",
	}, extra...)
	c, err := config.Load(environ, []string{"proxy"}, config.ThisHost())
	if err != nil {
		w.Fatal(err)
	}
	n := &node{ip: at, log: &buffer{}}
	if n.Proxy, err = troupe.Start(w.Context(), c, troupe.Options{Out: n.log}); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Shutdown(ctx); err != nil {
			w.Errorf("%s: %v", name, err)
		}
		if w.Failed() {
			w.Logf("%s said:\n%s", name, n.log)
		}
	})
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	if err := n.AwaitReady(ctx); err != nil {
		w.Fatal(err)
	}
	return n
}

// echo is the server's application.
func (w *world) echo(at netip.Addr) {
	w.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(at, echoPort)))
	if err != nil {
		w.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			})
		}
	})
	w.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
}

// dial opens a connection from the client's workload to the server's application.
func (w *world) dial() (net.Conn, error) {
	from := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(w.client.ip, 0)), Timeout: patience}
	through, err := proxy.SOCKS5("tcp", netip.AddrPortFrom(w.client.ip, socksPort).String(), nil, from)
	if err != nil {
		return nil, err
	}
	c, err := through.Dial("tcp", netip.AddrPortFrom(w.server.ip, echoPort).String())
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(patience))
}

// call makes one call on a connection of its own.
func (w *world) call() error {
	c, err := w.dial()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return exchange(c)
}

func exchange(c net.Conn) error {
	if _, err := io.WriteString(c, "hello"); err != nil {
		return err
	}
	answer := make([]byte, 5)
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "hello" {
		return fmt.Errorf("answered %q: %w", answer, err)
	}
	return nil
}

func (w *world) mustCall() {
	w.Helper()
	if err := w.call(); err != nil {
		w.Fatal(err)
	}
}

func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(deadline) {
			w.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// get reads a page of the proxy's.
func (w *world) get(n *node, port int, path string) (string, http.Header) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, fmt.Sprintf("http://%s:%d%s", n.ip, port, path), nil)
	if err != nil {
		w.Fatal(err)
	}
	t := &http.Transport{DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	answer, err := (&http.Client{Transport: t, Timeout: patience}).Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.Fatal(err)
	}
	return string(text), answer.Header
}

// metrics is a scrape.
func (w *world) metrics(n *node) product.Metrics {
	w.Helper()
	text, _ := w.get(n, 15020, "/stats/prometheus")
	m, err := product.ParseMetrics(text)
	if err != nil {
		w.Fatal(err)
	}
	return m
}

// says waits until the proxy's log has all words in one line.
func (w *world) says(n *node, words ...string) {
	w.Helper()
	w.eventually(strings.Join(words, " … "), func() bool {
		for line := range strings.Lines(n.log.String()) {
			all := true
			for _, word := range words {
				all = all && strings.Contains(line, word)
			}
			if all {
				return true
			}
		}
		return false
	})
}
