package trace

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/relay"
)

func TestNothingButTheBuildIsWrittenOnAFreshStart(t *testing.T) {
	n := newNode(t, nodeOptions{off: true, telemetry: Options{Tag: "1.30"}})
	const want = `# HELP istio_build Istio component build info.
# TYPE istio_build gauge
istio_build{component="ztunnel",tag="1.30"} 1
`
	if got := n.exposition(t); !strings.HasPrefix(got, want) || strings.Contains(got, "istio_tcp") {
		t.Errorf("got\n%s\nwant it to begin with\n%s", got, want)
	}
}

func TestTrafficMetricsAreWrittenAsTheReferenceDoes(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	r := outboundRecord()
	n.Start(r)
	s := n.Opened(r)
	c := relay.Counters{LiveReceived: s.Received(), LiveSent: s.Sent()}
	c.AddReceived(84)
	c.AddSent(358)
	r.Failure = messages.Fail(messages.ReasonRelayFailed, "receive: broken")
	n.SetupEnded(r)
	n.Closed(r, s, &c)

	const before = `{reporter="source",source_workload="cart",source_canonical_service="cart",source_canonical_revision="v1",` +
		`source_workload_namespace="shop",source_principal="spiffe://cluster.local/ns/shop/sa/cart",source_app="cart",source_version="v1",` +
		`source_cluster="Kubernetes",destination_service="pay.shop.svc.cluster.local",destination_service_namespace="shop",` +
		`destination_service_name="pay",destination_workload="pay",destination_canonical_service="pay",destination_canonical_revision="v2",` +
		`destination_workload_namespace="shop",destination_principal="spiffe://cluster.local/ns/shop/sa/pay",destination_app="pay",` +
		`destination_version="v2",destination_cluster="Kubernetes",request_protocol="tcp",response_flags="`
	const after = `",connection_security_policy="mutual_tls",source_region="eu",source_zone="eu-1",destination_region="eu",destination_zone="eu-2"} `
	want := `# HELP istio_tcp_connections_opened The total number of TCP connections opened.
# TYPE istio_tcp_connections_opened counter
istio_tcp_connections_opened_total` + before + "-" + after + `1
# HELP istio_tcp_connections_closed The total number of TCP connections closed.
# TYPE istio_tcp_connections_closed counter
istio_tcp_connections_closed_total` + before + "CONNECT" + after + `1
# HELP istio_tcp_received_bytes The size of total bytes received during request in case of a TCP connection.
# TYPE istio_tcp_received_bytes counter
istio_tcp_received_bytes_total` + before + "-" + after + `84
# HELP istio_tcp_sent_bytes The size of total bytes sent during response in case of a TCP connection.
# TYPE istio_tcp_sent_bytes counter
istio_tcp_sent_bytes_total` + before + "-" + after + `358
# HELP istio_tcp_connections_failed The total number of TCP connections that failed to establish (unstable).
# TYPE istio_tcp_connections_failed counter
istio_tcp_connections_failed_total` + before + "CONNECT" + after + `1
# HELP istio_tcp_sockets_open The current number of open TCP sockets (unstable).
# TYPE istio_tcp_sockets_open gauge
istio_tcp_sockets_open{reporter="source"} 0
`
	if got := n.exposition(t); !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant it to contain\n%s", got, want)
	}
}

func TestEarlyDenialTouchesOnlyTheSocketGauge(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	r := outboundRecord()
	n.Start(r)
	if got := n.exposition(t); !strings.Contains(got, `istio_tcp_sockets_open{reporter="source"} 1`) {
		t.Errorf("an accepted socket is not counted:\n%s", got)
	}
	r.Failure = messages.Fail(messages.ReasonLoopRejected, "attempted recursive call to ourselves")
	n.EarlyDenied(r)
	got := n.exposition(t)
	if strings.Contains(got, "istio_tcp_connections") || !strings.Contains(got, `istio_tcp_sockets_open{reporter="source"} 0`) {
		t.Errorf("got\n%s", got)
	}
}

func TestAStreamIsNoSocket(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	n.SocketOpened(messages.Inbound)
	for _, start := range []func(*messages.Record){n.StartStream, n.Start} {
		r := inboundRecord()
		start(r)
		n.Join(r, "", nil, true)
		if got := n.metrics.socketsOpen[messages.Inbound].Value(); got != 1 {
			t.Errorf("%d sockets open while a stream lives, want 1", got)
		}
		n.EarlyDenied(r)
	}
	n.SocketClosed(messages.Inbound)
	if got := n.metrics.socketsOpen[messages.Inbound].Value(); got != 0 {
		t.Errorf("%d sockets open in the end, want 0", got)
	}
}

func TestSeriesAreBoundedAndTrafficBeyondIsStillCounted(t *testing.T) {
	n := newNode(t, nodeOptions{off: true, telemetry: Options{MaxSeries: 3}})
	for i := range 10 {
		w := *cart
		w.WorkloadName = "w" + strconv.Itoa(i)
		r := outboundRecord()
		r.Source = &w
		n.Start(r)
		s := n.Opened(r)
		s.Received().Add(1)
		n.SetupEnded(r)
		n.Closed(r, s, nil)
	}
	if got := len(n.metrics.traffic.order); got != 4 {
		t.Errorf("%d label sets, want 3 and one shared", got)
	}
	if got := n.metrics.traffic.overflowed.Value(); got != 7 {
		t.Errorf("%d look-ups overflowed, want 7", got)
	}
	var opened, closed, received uint64
	for _, s := range n.metrics.traffic.order {
		opened, closed, received = opened+s.opened.Value(), closed+s.closed.Value(), received+s.received.Value()
	}
	if opened != 10 || closed != 10 || received != 10 {
		t.Errorf("opened %d, closed %d, received %d; want 10 of each", opened, closed, received)
	}
}

func TestConnectionsOfOneLabelSetShareTheirSeries(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	a, b, c := outboundRecord(), outboundRecord(), inboundRecord()
	sa, sb, sc := n.Opened(a), n.Opened(b), n.Opened(c)
	if sa != sb || sa == sc {
		t.Errorf("series %p, %p (same labels) and %p (others)", sa, sb, sc)
	}
	if got := sa.opened.Value(); got != 2 {
		t.Errorf("opened %d, want 2", got)
	}
}

func TestEveryHelpBeyondTheStableListSaysUnstable(t *testing.T) {
	n := newNode(t, nodeOptions{name: "a", ratio: 1})
	fillEverything(n)
	stable := []string{
		"istio_build", "istio_tcp_connections_opened", "istio_tcp_connections_closed", "istio_tcp_received_bytes",
		"istio_tcp_sent_bytes", "process_open_fds", "process_max_fds", "tokio_num_workers", "tokio_num_alive_tasks",
	}
	var b strings.Builder
	if err := n.WriteMetrics(&b); err != nil {
		t.Fatal(err)
	}
	helps := 0
	for line := range strings.Lines(b.String()) {
		rest, ok := strings.CutPrefix(line, "# HELP ")
		if !ok {
			continue
		}
		helps++
		name, help, _ := strings.Cut(strings.TrimSpace(rest), " ")
		isStable := false
		for _, s := range stable {
			isStable = isStable || s == name
		}
		if !isStable && !strings.HasSuffix(help, "(unstable).") {
			t.Errorf("%s: help %q does not say unstable", name, help)
		}
	}
	if helps < 30 {
		t.Errorf("only %d families were written", helps)
	}
}

// fillEverything gives every family a sample.
func fillEverything(n *testNode) {
	m := n.Metrics()
	r := outboundRecord()
	n.Start(r)
	s := n.Opened(r)
	r.Failure = messages.Fail(messages.ReasonTimedOut, "late")
	n.SetupEnded(r)
	n.Closed(r, s, nil)
	m.DNSOnDemand(r, `odd"host\name`+"\n")
	m.XDSTerminations.With("Reconnect").Add(1)
	m.XDSMessages.With("type.googleapis.com/istio.workload.Address").Add(2)
	m.XDSBytes.With("type.googleapis.com/istio.workload.Address").Add(2000)
	for _, v := range []CounterVec{m.DNSRequests, m.DNSUpstreamRequests, m.DNSUpstreamFailures} {
		v.With("a", "udp", "cart", "v1").Add(1)
	}
	m.DNSUpstreamDuration.With("a", "udp", "cart", "v1").Observe(2 * time.Millisecond)
	m.PodsActive.With().Set(2)
	m.PodsPending.With().Set(0)
	m.PodsStarted.With().Add(3)
	m.PodsStopped.With().Add(1)
	n.ActorEvent(kit.Restarted{Role: "flow", Failure: &kit.Failure{Role: "flow"}})
	n.WatchActors(func() kit.Stats { return kit.Stats{Roles: []kit.RoleStats{{Role: "flow"}, {Role: "services"}}} })
	n.WatchTunnels(&hbone.Stats{})
	m.CRLRejected(messages.Outbound)
	m.CRLUntracked(messages.Inbound)
}
