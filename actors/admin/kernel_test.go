package admin

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// TestKernelSockets serves all three endpoints on real sockets to Go's own client.
func TestKernelSockets(t *testing.T) {
	out := &lines{}
	filter, err := logs.DefaultFilter(nil)
	if err != nil {
		t.Fatal(err)
	}
	log := logs.New(out, logs.JSON, filter)
	sys := kit.NewSystem(kit.Config{})
	pid, err := sys.SpawnRoot(Spec(Deps{Log: log, Start: time.Now()}), "admin")
	if err != nil {
		t.Fatal(err)
	}
	serve := func(name string, h http.Handler) string {
		e, err := Bind(t.Context(), socket.New(socket.Config{}), name, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")})
		if err != nil {
			t.Fatal(err)
		}
		url := "http://" + e.Addrs()[0].String()
		sys.Send(pid, &Serve{Endpoint: e, Handler: h})
		return url
	}
	ready := serve("readiness", nil)
	stats := serve("stats", StatsHandler(func(w io.Writer) error {
		_, err := fmt.Fprint(w, strings.Repeat("x_total 1\n", 100_000), "# EOF\n")
		return err
	}))
	page := serve("admin", Handler(Controls{Log: log, Quit: func() {}}, fullSources()))

	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	get := func(url string) string {
		t.Helper()
		r, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		text, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d, %v", url, r.StatusCode, err)
		}
		return string(text)
	}
	if got := get(ready + "/healthz/ready"); got != "ready\n" {
		t.Errorf("got %q", got)
	}
	if got := get(stats + "/stats/prometheus"); len(got) != 1_000_006 || !strings.HasSuffix(got, "# EOF\n") {
		t.Errorf("got %d bytes of metrics", len(got))
	}
	if got := get(page + "/config_dump"); !strings.HasPrefix(got, "{\n  \"certificates\": [") {
		t.Errorf("got %.100q", got)
	}
	if _, err := kit.AskFor[*messages.Drained](t.Context(), sys, pid, &messages.Drain{Deadline: 5 * time.Second}, 10*time.Second); err != nil {
		t.Error(err)
	}
	if _, err := client.Get(ready + "/healthz/ready"); err == nil {
		t.Error("a drained endpoint answers")
	}
	client.CloseIdleConnections()
	if err := sys.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := log.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.text.String(), `"scope":"ztunnel::hyper_util","message":"listener established","address":"127.0.0.1:`) {
		t.Errorf("log: %s", out.text.String())
	}
}
