package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// drainSoon is how long a proxy that has nothing left to wait for may take to end.
const drainSoon = 5 * time.Second

func TestShutdown(t *testing.T) {
	w := newWorld(t)
	p := w.start("source", w.source)
	if err := await(t, "the end", drainSoon, p.end()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`shutdown complete	component="inbound"`, `component="inbound passthrough"`, `component="outbound"`, `component="socks5"`,
	} {
		if !strings.Contains(p.log.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	for _, port := range []uint16{15000, 15001, 15006, 15008, 15020, 15021, 15080} {
		l, err := net.Listen("tcp", netip.AddrPortFrom(w.source, port).String())
		if err != nil {
			t.Errorf("port %d is not free: %v", port, err)
			continue
		}
		_ = l.Close()
	}
}

func TestShutdownByTheAdminPage(t *testing.T) {
	w := newWorld(t)
	signals := CatchSignals()
	defer signals.Release()
	p := w.start("source", w.source)
	ended := make(chan error, 1)
	go p.once.Do(func() { ended <- signals.Run(p.Proxy) })
	if status, _ := p.get(http.MethodGet, 15000, "/quitquitquit"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", status)
	}
	if status, body := p.get(http.MethodPost, 15000, "/quitquitquit"); status != http.StatusOK || body != "shutdown now\n" {
		t.Errorf("status %d, %q", status, body)
	}
	if err := await(t, "the end", drainSoon, ended); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.log.String(), "received explicit shutdown signal") {
		t.Error("the log does not say why")
	}
}

// draining waits until a proxy lets nobody in any more.
func (r *running) draining() {
	r.t.Helper()
	eventually(r.t, "the closing of the doors", func() bool {
		conn, err := net.Dial("tcp", netip.AddrPortFrom(r.ip, 15080).String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}

func TestDrainWaitsForConnections(t *testing.T) {
	for _, drained := range []string{"source", "tunneled"} {
		t.Run("of "+drained, func(t *testing.T) {
			w := newWorld(t)
			serveEcho(t, w.tunneled)
			const patience = "CONNECTION_TERMINATION_DEADLINE=30s"
			proxies := map[string]*running{
				"tunneled": w.start("tunneled", w.tunneled, patience), "source": w.start("source", w.source, patience),
			}
			conn := proxies["source"].open(w.tunneled.String(), echoPort)
			roundTrip(t, conn, []byte("before"))
			ended := proxies[drained].end()
			proxies[drained].draining()
			roundTrip(t, conn, []byte("while it drains"))
			select {
			case err := <-ended:
				t.Fatalf("the proxy ended under an open connection: %v", err)
			default:
			}
			_ = conn.Close()
			if err := await(t, "the end", drainSoon, ended); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(proxies[drained].log.String(), "drain duration expired") {
				t.Error("the connection was cut")
			}
		})
	}
}

func TestDrainEndsConnectionsAtItsDeadline(t *testing.T) {
	for _, drained := range []string{"source", "tunneled"} {
		t.Run("of "+drained, func(t *testing.T) {
			w := newWorld(t)
			serveEcho(t, w.tunneled)
			const patience = "CONNECTION_TERMINATION_DEADLINE=100ms"
			proxies := map[string]*running{
				"tunneled": w.start("tunneled", w.tunneled, patience), "source": w.start("source", w.source, patience),
			}
			conn := proxies["source"].open(w.tunneled.String(), echoPort)
			roundTrip(t, conn, []byte("before"))
			if err := await(t, "the end", drainSoon, proxies[drained].end()); err != nil {
				t.Fatal(err)
			}
			if n, err := conn.Read(make([]byte, 1)); err == nil {
				t.Errorf("read %d bytes from a connection that was cut", n)
			}
			const want = "drain duration expired with pending connections, forcefully shutting down"
			if !strings.Contains(proxies[drained].log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, proxies[drained].log)
			}
		})
	}
}

func TestReadiness(t *testing.T) {
	w := newWorld(t)
	p := w.start("source", w.source)
	if status, body := p.get(http.MethodGet, 15021, "/healthz/ready"); status != http.StatusOK {
		t.Errorf("ready: status %d, %q", status, body)
	}
	if !strings.Contains(p.log.String(), "marking server ready") {
		t.Error("the log does not say that the server is ready")
	}
}

func TestTheFirstRequestToEndCounts(t *testing.T) {
	w := newWorld(t)
	signals := CatchSignals()
	defer signals.Release()
	p := w.start("source", w.source)
	p.RequestShutdown("the first reason")
	p.RequestShutdown("the second reason") // nobody waits yet: this must not block
	ended := make(chan error, 1)
	go p.once.Do(func() { ended <- signals.Run(p.Proxy) })
	if err := await(t, "the end", drainSoon, ended); err != nil {
		t.Fatal(err)
	}
	if log := p.log.String(); !strings.Contains(log, "the first reason") || strings.Contains(log, "the second reason") {
		t.Errorf("the log gives another reason:\n%s", log)
	}
}
