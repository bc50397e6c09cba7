package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/proxy"
)

// demoLimit is how long a demo may take in a test; it takes a tenth of a second on an idle machine.
const demoLimit = 30 * time.Second

var worlds atomic.Uint32

// newWorld is a world on addresses that no other running test, and no demo, uses.
func newWorld() world {
	pid, n := os.Getpid(), byte(worlds.Add(1)*3%240)
	ip := func(last byte) netip.Addr {
		return netip.AddrFrom4([4]byte{127, byte(128 + pid>>8&63), byte(pid), last})
	}
	return world{client: ip(n + 1), server: ip(n + 2), vip: ip(n + 3)}
}

// screen takes what a demo shows.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the screen shows a text after another; an empty one is the screen's beginning.
func (s *screen) await(t *testing.T, before, text string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	shows := func() bool {
		_, rest, found := strings.Cut(s.String(), before)
		return found && strings.Contains(rest, text)
	}
	for deadline := time.Now().Add(demoLimit); !shows(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%q never came:\n%s", text, s)
		}
	}
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), demoLimit)
	t.Cleanup(cancel)
	return ctx
}

func TestDemo(t *testing.T) {
	w, shown := newWorld(), &screen{}
	if err := run(limited(t), Options{Out: shown}, w, calls()); err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	// What a newcomer sees, in this order.
	text := shown.String()
	for _, want := range []string{
		"Two nodes on loopback", w.client.String(), w.server.String(),
		"1. an allowed call", "result  cart is empty", "node-a  ", `direction="outbound"`, "node-b  ", `direction="inbound"`,
		"trace ", "2 nodes", "outbound", "accept", "classify", "authorize", "tunnel", "pool.acquire", "CONNECT", "dial", "tunnel.close",
		"trace ", "1 node ", "hbone.connection_setup", "tls.handshake",
		"2. a call that policy shop/no-admin denies", "connection not allowed by ruleset", "401 Unauthorized",
		"explicitly denied by: shop/no-admin", "pool.hit=true", "policy.decision",
		"3. a call to a port where nobody listens", "general SOCKS server failure", "503 Service Unavailable",
		"Connection refused", "connection_refused",
		"Everything went as it must",
	} {
		_, after, found := strings.Cut(text, want)
		if !found {
			t.Fatalf("%q is not there, or not in its place:\n%s", want, shown)
		}
		text = after
	}
	if lines := strings.Split(text, "\n"); len(lines) != 2 || lines[1] != "" {
		t.Errorf("something comes after the end:\n%s", text)
	}
}

func TestDemoFailsWhenAPortIsTaken(t *testing.T) {
	tests := []struct {
		name    string
		address func(w world) netip.AddrPort
	}{
		{"application", func(w world) netip.AddrPort { return netip.AddrPortFrom(w.server, shopTarget) }},
		{"second application", func(w world) netip.AddrPort { return netip.AddrPortFrom(w.server, adminTarget) }},
		{"first proxy", func(w world) netip.AddrPort { return netip.AddrPortFrom(w.client, 15001) }},
		{"second proxy", func(w world) netip.AddrPort { return netip.AddrPortFrom(w.server, 15008) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			l, err := net.Listen("tcp", test.address(w).String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			err = run(limited(t), Options{Out: io.Discard}, w, calls())
			if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), test.address(w).String()) || !strings.Contains(err.Error(), "another demo") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDemoFailsWhenSomethingIsNotAsItMust(t *testing.T) {
	tests := []struct {
		name   string
		tamper func(all []call)
		want   string
	}{
		{"another answer", func(all []call) { all[0].answer = "cart is full" }, `want "cart is full"`},
		{"an answer where none may be", func(all []call) { all[0].answer = "" }, "must fail"},
		{"no answer where one must be", func(all []call) { all[1].answer = "cart is empty" }, "the call failed"},
		{"another line outbound", func(all []call) { all[1].outbound = []string{"200 OK"} }, "node-a logged"},
		{"another line inbound", func(all []call) { all[2].inbound = []string{"all is well"} }, "node-b logged"},
		{"another trace", func(all []call) { all[1].texts = []string{"policy_allowed"} }, `lacks "policy_allowed"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			all := calls()
			test.tamper(all)
			if err := run(limited(t), Options{Out: io.Discard}, newWorld(), all); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestDemoEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, Options{Out: io.Discard}, newWorld(), calls()); err == nil {
		t.Error("it went well without any time")
	}
}

func TestKeep(t *testing.T) {
	w, shown := newWorld(), &screen{}
	ctx, cancel := context.WithCancel(limited(t))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, Options{Out: shown, Keep: true}, w, calls()) }()
	defer func() {
		cancel()
		<-ended
	}()
	shown.await(t, "", "The nodes stay up until you interrupt them")

	through, err := proxy.SOCKS5("tcp", netip.AddrPortFrom(w.client, socksPort).String(), nil,
		&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(w.client, 0))})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []struct {
		name, url, want string
		dial            func(ctx context.Context, network, addr string) (net.Conn, error)
	}{
		{"own traffic", "http://" + netip.AddrPortFrom(w.vip, shopPort).String(), "cart is empty", through.(proxy.ContextDialer).DialContext},
		{"dump", "http://" + w.client.String() + ":15000/config_dump", `"proxyWorkloadInformation"`, nil},
		{"metrics", "http://" + w.client.String() + ":15020/metrics", "istio_tcp_connections_opened_total", nil},
	} {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: page.dial}, Timeout: demoLimit}
		response, err := client.Get(page.url)
		if err != nil {
			t.Fatalf("%s: %v", page.name, err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), page.want) {
			t.Errorf("%s: status %d, %v; want %q in %s", page.name, response.StatusCode, err, page.want, body)
		}
	}
	for _, want := range []string{`direction="outbound"`, `direction="inbound"`, "trace ", "tunnel.close"} {
		shown.await(t, "has counted", want) // what became of our own traffic comes after the help
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the end by an interrupt is an error: %v", err)
	}
	ended <- nil
}
