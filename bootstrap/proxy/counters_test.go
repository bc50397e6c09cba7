package proxy

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// stable are the metrics whose help does not say unstable (spec/ops.md §6.1).
var stable = []string{
	"istio_build", "istio_tcp_connections_opened", "istio_tcp_connections_closed", "istio_tcp_received_bytes", "istio_tcp_sent_bytes",
	"process_open_fds", "process_max_fds", "tokio_num_workers", "tokio_num_alive_tasks",
}

func TestStatsSayWhatIsStable(t *testing.T) {
	w := newWorld(t)
	serveEcho(t, w.tunneled)
	w.start("tunneled", w.tunneled)
	client := w.start("source", w.source, "ISTIO_META_ISTIO_VERSION=1.31.0")
	conn := client.open(w.tunneled.String(), echoPort)
	roundTrip(t, conn, []byte("something to count"))
	_ = conn.Close()
	closed := func() bool {
		return slices.Equal(samples(client.metrics(), "istio_tcp_connections_closed_total"), []string{"1"})
	}
	eventually(t, "the count of the closed connection", closed)

	metrics := client.metrics()
	if got := samples(metrics, "istio_build", `component="ztunnel"`, `tag="1.31.0"`); !slices.Equal(got, []string{"1"}) {
		t.Errorf("istio_build: %q", got)
	}
	var named []string
	for line := range strings.Lines(metrics) {
		help, ok := strings.CutPrefix(strings.TrimSpace(line), "# HELP ")
		if !ok {
			continue
		}
		name, text, _ := strings.Cut(help, " ")
		named = append(named, name)
		if slices.Contains(stable, name) == strings.Contains(text, "unstable") {
			t.Errorf("%s: help %q", name, text)
		}
	}
	for _, want := range append(stable, "troupe_actors_live", "troupe_hbone_limits", "troupe_store_limits",
		"troupe_certificate_fetches", "troupe_certificates", "troupe_relay_pipes_refused", "troupe_log_lines_failed",
		"troupe_endpoint_connections_refused") {
		if !slices.Contains(named, want) {
			t.Errorf("there is no %s", want)
		}
	}
	for sample, want := range map[string][]string{
		"troupe_certificate_fetches_total": samples(metrics, "troupe_certificate_fetches_total", `result="issued"`),
		"troupe_certificates":              samples(metrics, "troupe_certificates", `state="held"`),
	} {
		if !slices.Equal(want, []string{"1"}) { // the client's own
			t.Errorf("%s: %q, want 1", sample, want)
		}
	}
}

func TestConnectionMetrics(t *testing.T) {
	w := newWorld(t)
	serveEcho(t, w.tunneled)
	server := w.start("tunneled", w.tunneled)
	client := w.start("source", w.source)
	conn := client.open(w.tunneled.String(), echoPort)
	roundTrip(t, conn, []byte("x"))
	sides := []struct {
		proxy    *running
		reporter string
	}{{client, "source"}, {server, "destination"}}
	for _, side := range sides {
		labels := []string{`reporter="` + side.reporter + `"`, `connection_security_policy="mutual_tls"`, `response_flags="-"`}
		eventually(t, "the count of the open connection", func() bool {
			return slices.Equal(samples(side.proxy.metrics(), "istio_tcp_connections_opened_total", labels...), []string{"1"})
		})
		if got := samples(side.proxy.metrics(), "istio_tcp_connections_closed_total", labels...); len(got) > 0 && got[0] != "0" {
			t.Errorf("%s: closed %q while it is open", side.reporter, got)
		}
	}
	_ = conn.Close()
	for _, side := range sides {
		eventually(t, "the count of the closed connection", func() bool {
			return slices.Equal(samples(side.proxy.metrics(), "istio_tcp_connections_closed_total"), []string{"1"})
		})
	}
}

func TestByteMetrics(t *testing.T) {
	w := newWorld(t)
	serveEcho(t, w.plain)
	serveEcho(t, w.tunneled)
	server := w.start("tunneled", w.tunneled)
	for _, call := range []struct {
		name    string
		host    string
		reports func(client *running) []*running
	}{
		{"tcp", w.plain.String(), func(client *running) []*running { return []*running{client} }},
		{"hbone", w.tunneled.String(), func(client *running) []*running { return []*running{client, server} }},
	} {
		t.Run(call.name, func(t *testing.T) {
			client := w.start("source", w.source)
			sent := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
			want := []string{strconv.Itoa(len(sent))}
			conn := client.open(call.host, echoPort)
			roundTrip(t, conn, sent)
			_ = conn.Close()
			for _, p := range call.reports(client) {
				eventually(t, "the count of bytes", func() bool {
					m := p.metrics()
					return slices.Equal(samples(m, "istio_tcp_received_bytes_total"), want) &&
						slices.Equal(samples(m, "istio_tcp_sent_bytes_total"), want)
				})
			}
			if err := <-client.end(); err != nil {
				t.Error(err)
			}
		})
	}
}
