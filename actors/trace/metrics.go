package trace

import (
	"io"
	"sync/atomic"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
)

// Metrics are all metrics of a node. The exported families are for those who count something that is no connection;
// their names, helps and labels are those of spec/ops.md §6, and what is ours beyond that says unstable in its help.
type Metrics struct {
	// OnDemandDNS counts look-ups of workloads that are known by host name only; see Telemetry.OnDemandDNS.
	OnDemandDNS CounterVec
	// XDSTerminations counts by reason (ConnectionError, Error, Reconnect, Complete), XDSMessages and XDSBytes by type
	// URL.
	XDSTerminations, XDSMessages, XDSBytes CounterVec
	// DNS families have the labels request_query_type, request_protocol, source_canonical_service and
	// source_canonical_revision.
	DNSRequests, DNSUpstreamRequests, DNSUpstreamFailures CounterVec
	DNSUpstreamDuration                                   HistogramVec
	// Pods are the in-pod manager's.
	PodsActive, PodsPending  GaugeVec
	PodsStarted, PodsStopped CounterVec

	traffic      *traffic
	socketsOpen  [2]Gauge
	socketsSeen  [2]atomic.Bool
	crlRejected  CounterVec
	crlUntracked CounterVec
	build        GaugeVec
	provider     *Provider
	actors       atomic.Pointer[func() kit.Stats]
	tunnels      atomic.Pointer[hbone.Stats]
	actorFaults  CounterVec
	// policyClosed counts live connections that a policy closed, by its name; empty where no policy was left that allows.
	policyClosed CounterVec
	// failures counts connections that failed, early denials too, by the reason that log and trace give.
	failures CounterVec
	watched  []watched

	// forcedCut counts contexts whose flag was not honoured, lateCut late keeps that were refused, marksCut spans and
	// events beyond a record's bounds, jobsCut records that found the worker's queue full, followsCut connections
	// without segments.
	forcedCut, marksCut, jobsCut, followsCut Counter
	// policiesUnknown counts look-ups of policies that the store does not have.
	policiesUnknown Counter
	lateCut         [causeCount]Counter
}

var dnsLabels = []string{"request_query_type", "request_protocol", "source_canonical_service", "source_canonical_revision"}

var sourceLabels = trafficLabels[1:9]

func newMetrics(tag string, maxSeries int) *Metrics {
	if tag == "" {
		tag = unknown
	}
	m := &Metrics{
		OnDemandDNS: newCounterVec("istio_on_demand_dns", "The total number of requests that used on-demand DNS (unstable).",
			append(sourceLabels[:len(sourceLabels):len(sourceLabels)], "hostname")...),
		XDSTerminations: newCounterVec("istio_xds_connection_terminations",
			"The total number of completed connections to xds server (unstable).", "reason"),
		XDSMessages: newCounterVec("istio_xds_message", "Total number of messages received (unstable).", "url"),
		XDSBytes:    newCounterVec("istio_xds_message_bytes", "Total number of bytes received (unstable).", "url"),
		DNSRequests: newCounterVec("istio_dns_requests", "Total number of DNS requests (unstable).", dnsLabels...),
		DNSUpstreamRequests: newCounterVec("istio_dns_upstream_requests",
			"Total number of DNS requests forwarded to upstream (unstable).", dnsLabels...),
		DNSUpstreamFailures: newCounterVec("istio_dns_upstream_failures",
			"Total number of DNS requests that failed to forward upstream (unstable).", dnsLabels...),
		DNSUpstreamDuration: newHistogramVec("istio_dns_upstream_request_duration_seconds",
			"Total time in seconds Istio takes to get DNS response from upstream (unstable).", "seconds",
			[]float64{0.0005, 0.001, 0.01, 0.1, 1, 5}, dnsLabels...),
		PodsActive: newGaugeVec("workload_manager_active_proxy_count",
			"The total number current workloads with active proxies (unstable)."),
		PodsPending: newGaugeVec("workload_manager_pending_proxy_count",
			"The total number current workloads with pending proxies (unstable)."),
		PodsStarted: newCounterVec("workload_manager_proxies_started",
			"The total number of proxies that were started (unstable)."),
		PodsStopped: newCounterVec("workload_manager_proxies_stopped",
			"The total number of proxies that were stopped (unstable)."),
		traffic: newTraffic(maxSeries),
		policyClosed: newCounterVec("troupe_policy_closed",
			"The total number of live connections that were closed because they are not allowed any more (unstable).", "policy"),
		failures: newCounterVec("troupe_connection_failures",
			"The total number of connections that failed or were refused, by the reason that logs and traces give (unstable).",
			"reporter", "reason"),
		actorFaults: newCounterVec("troupe_actor_faults",
			"The total number of failures of actors by what their supervisor did (unstable).", "role", "directive"),
		crlRejected: newCounterVec("istio_crl_policy_rejections",
			"The total number of connections rejected due to CRL certificate revocation (unstable).", "reporter"),
		crlUntracked: newCounterVec("istio_crl_untracked_connections",
			"The total number of connections not tracked for CRL enforcement (unstable).", "reporter"),
		build: newGaugeVec("istio_build", "Istio component build info.", "component", "tag"),
	}
	m.XDSBytes.unit = "bytes"
	m.build.With("ztunnel", tag).Set(1)
	return m
}

// CRLRejected counts a connection refused or ended because a certificate was revoked.
func (m *Metrics) CRLRejected(d messages.Direction) { m.crlRejected.With(d.Reporter()).Add(1) }

// CRLUntracked counts a connection that can't be watched for revocation.
func (m *Metrics) CRLUntracked(d messages.Direction) { m.crlUntracked.With(d.Reporter()).Add(1) }

// DNSOnDemand counts a look-up of hostname on behalf of a workload, which may be nil.
func (m *Metrics) DNSOnDemand(r *messages.Record, hostname string) {
	l := labelsOf(r)
	values := l.values(make([]string, 0, labelCount))
	m.OnDemandDNS.With(append(values[1:9:9], hostname)...).Add(1)
}

// WriteMetrics writes all metrics as OpenMetrics text in the order of spec/ops.md §6.1.
func (t *Telemetry) WriteMetrics(w io.Writer) error {
	e := &exposition{w: w, buf: make([]byte, 0, flushAt+4096)}
	t.metrics.write(e)
	e.str("# EOF\n")
	e.flush()
	return e.err
}

var socketsHead = head{
	name: "istio_tcp_sockets_open", kind: kindGauge, labels: []string{"reporter"},
	help: "The current number of open TCP sockets (unstable).",
}

func (m *Metrics) socket(d messages.Direction, n int64) {
	if !m.socketsSeen[d].Load() {
		m.socketsSeen[d].Store(true)
	}
	m.socketsOpen[d].Add(n)
}

func (m *Metrics) writeSockets(e *exposition) {
	first := true
	for d := range m.socketsOpen {
		if !m.socketsSeen[d].Load() {
			continue
		}
		if first {
			e.head(&socketsHead)
			first = false
		}
		e.gauge(&socketsHead, []string{messages.Direction(d).Reporter()}, m.socketsOpen[d].Value())
	}
}

func (m *Metrics) write(e *exposition) {
	writeProcess(e)
	writeTokio(e)
	m.build.write(e)
	m.XDSTerminations.write(e)
	m.XDSMessages.write(e)
	m.XDSBytes.write(e)
	m.traffic.write(e)
	m.writeSockets(e)
	m.OnDemandDNS.write(e)
	m.crlRejected.write(e)
	m.crlUntracked.write(e)
	m.DNSRequests.write(e)
	m.DNSUpstreamRequests.write(e)
	m.DNSUpstreamFailures.write(e)
	m.DNSUpstreamDuration.write(e)
	m.PodsActive.write(e)
	m.PodsPending.write(e)
	m.PodsStarted.write(e)
	m.PodsStopped.write(e)
	m.writeOwn(e)
}
