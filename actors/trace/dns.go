package trace

import (
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/messages"
)

// DNSResult is how a query ended, in the words of the query log (spec/control.md §6.7).
type DNSResult uint8

// The results.
const (
	DNSFailed        DNSResult = iota // before it was known who answers
	DNSSuccess                        // the mesh answered
	DNSNoRecords                      // the mesh answered that there are none
	DNSUnsupported                    // the mesh answered that there are none of this family
	DNSForwarded                      // a name server answered
	DNSForwardFailed                  // a name server had no answer
)

var dnsResults = [...]string{
	"failed", "success", "no records", "service does not support this record type", "forwarded", "forwarding failed",
}

// DNSQuery is a pod's question as it ended. A time that was not reached is zero.
type DNSQuery struct {
	// Question is what was asked; its texts are only made where they are needed.
	Question interface {
		Domain() string
		TypeName() string
	}
	// Protocol is udp or tcp.
	Protocol string
	// Local is the workload that asked; nil when it is not known.
	Local *messages.Workload
	// Asked is the name as the client means it; empty for what was not looked for in the mesh.
	Asked messages.HostQuestion
	// Held is how long the workload was waited for.
	Held time.Duration
	// Start is when the question came, Resolved when the mesh had said who answers, ForwardedAt when name servers were
	// asked, Answered when they had answered.
	Start, Resolved, ForwardedAt, Answered time.Time
	// Service answered, under the name Alias; nil for none.
	Service *messages.Service
	Alias   string
	// Forwarded says that name servers were asked; Server is which one said it. Cached says that the cache had it, Shared
	// that the question was under way already.
	Forwarded, Cached, Shared bool
	Server                    netip.AddrPort
	// Result and Text are what the log says, Rcode is the response code, Addrs what was answered, Endpoints how many records.
	Result    DNSResult
	Text      string
	Rcode     int
	Addrs     []netip.Addr
	Endpoints int
	// Failure is why there is no answer of anybody.
	Failure *messages.Failure
}

// DNSSeries are the metrics of queries that are alike: of one type, by one protocol, from one workload. They are one actor's.
type DNSSeries struct {
	labels                      []string
	requests, forwarded, failed *Counter
	took                        *Histogram
}

// DNSSeries are the metrics of queries like q.
func (t *Telemetry) DNSSeries(q *DNSQuery) *DNSSeries {
	labels := q.labels()
	return &DNSSeries{labels: labels, requests: t.metrics.DNSRequests.With(labels...)}
}

func (q *DNSQuery) labels() []string {
	service, revision := unknown, unknown
	if w := q.Local; w != nil {
		service, revision = orString(w.CanonicalName, unknown), orString(w.CanonicalRevision, unknown)
	}
	return []string{q.Question.TypeName(), q.Protocol, service, revision}
}

// DNSAnswered tells of a query, which is about to be answered: metrics, the query log and, where it is kept, its trace.
// series is what DNSSeries returned for one like it.
func (t *Telemetry) DNSAnswered(q *DNSQuery, series *DNSSeries) {
	series.requests.Add(1)
	if q.Forwarded {
		t.countForwarded(q, series)
	}
	t.logQuery(q)
	t.traceQuery(q)
}

// countForwarded counts like the reference: an answer that there is none is a failure too. What has no sample yet is not
// made: it would be written.
func (t *Telemetry) countForwarded(q *DNSQuery, s *DNSSeries) {
	if s.forwarded == nil {
		s.forwarded = t.metrics.DNSUpstreamRequests.With(s.labels...)
		s.took = t.metrics.DNSUpstreamDuration.With(s.labels...)
	}
	s.forwarded.Add(1)
	if q.Result == DNSForwardFailed {
		if s.failed == nil {
			s.failed = t.metrics.DNSUpstreamFailures.With(s.labels...)
		}
		s.failed.Add(1)
	}
	s.took.Observe(q.Answered.Sub(q.ForwardedAt))
}

// logQuery writes the line of a query (spec/ops.md §7.5). Without its workload there is none.
func (t *Telemetry) logQuery(q *DNSQuery) {
	if q.Local == nil {
		return
	}
	line := t.queries.Debug("")
	if line == nil {
		return
	}
	result := dnsResults[q.Result]
	if q.Result == DNSForwardFailed || q.Result == DNSFailed {
		result += " (" + q.Text + ")"
	}
	line.Str(messages.FieldSrcWorkload, q.Local.Name).
		Str(messages.FieldSrcNamespace, q.Local.Namespace).
		Str(messages.FieldQuery, strings.ToUpper(q.Question.TypeName())).
		Str(messages.FieldDomain, q.Question.Domain()).
		Str(messages.FieldResult, result).
		Int(messages.FieldEndpoints, int64(q.Endpoints)).
		Send()
}

// traceQuery makes the spans of a query that is sampled, failed or was slow.
func (t *Telemetry) traceQuery(q *DNSQuery) {
	if t.provider == nil {
		return
	}
	record := messages.Record{Failure: q.Failure}
	record.Start, record.TraceID = q.Start, t.ids.trace()
	if !t.provider.sampler.root(record.TraceID) {
		c := t.causeOf(&record, time.Since(q.Start))
		if c == causeNone || !t.allowLate(c) {
			return
		}
	}
	t.ids.fill(&record.Recorder)
	q.mark(&record.Recorder, record.Reason())
	t.submit(&record, t.materialiseRoot)
	record.Release()
}

// mark records dns.query with what it went through.
func (q *DNSQuery) mark(r *messages.Recorder, reason messages.Reason) {
	root := r.BeginAt(messages.SpanDNSQuery, messages.NoSpan, 0)
	q.attributes(func(a messages.Attr) { r.Attr(root, a) })
	end := q.Resolved
	switch {
	case !end.IsZero():
	case q.Forwarded:
		end = q.ForwardedAt
	default:
		end = time.Now()
	}
	resolve := r.Span(messages.SpanDNSResolve, root, 0, end.Sub(q.Start))
	if q.Held > 0 {
		r.Span(messages.SpanWorkloadWait, resolve, 0, q.Held)
	}
	if names := q.tried(); names != "" {
		r.Attr(resolve, messages.StringAttr(messages.AttrDNSTried, names))
	}
	if !q.Forwarded {
		r.Blame(resolve, reason)
	} else {
		q.markForward(r, root, reason)
	}
	r.End(root)
}

func (q *DNSQuery) markForward(r *messages.Recorder, root messages.SpanRef, reason messages.Reason) {
	forward := r.BeginAt(messages.SpanDNSForward, root, q.ForwardedAt.Sub(q.Start))
	if q.Server.IsValid() {
		r.Attr(forward, messages.StringAttr(messages.AttrServerAddress, q.Server.Addr().String()))
		r.Attr(forward, messages.IntAttr(messages.AttrServerPort, int64(q.Server.Port())))
	}
	r.Attr(forward, messages.BoolAttr(messages.AttrDNSCached, q.Cached))
	r.Attr(forward, messages.BoolAttr(messages.AttrDNSShared, q.Shared))
	r.Fail(forward, reason)
}

func (q *DNSQuery) attributes(add func(messages.Attr)) {
	add(messages.StringAttr(messages.AttrDNSQuestion, q.Question.Domain()))
	add(messages.StringAttr(messages.AttrDNSType, strings.ToUpper(q.Question.TypeName())))
	add(messages.StringAttr(messages.AttrNetworkTransport, q.Protocol))
	add(messages.StringAttr(messages.AttrDNSRcode, dns.RcodeToString[q.Rcode]))
	add(messages.StringAttr(messages.AttrDNSResult, dnsResults[q.Result]))
	add(messages.StringAttr(messages.AttrDNSAnsweredBy, q.answeredBy()))
	if w := q.Local; w != nil {
		add(messages.StringAttr(messages.AttrSourceWorkload, w.Name))
		add(messages.StringAttr(messages.AttrSourceNamespace, w.Namespace))
	}
	if s := q.Service; s != nil {
		add(messages.StringAttr(messages.AttrDestService, s.Hostname))
		add(messages.StringAttr(messages.AttrDestNamespace, s.Namespace))
	}
	if len(q.Addrs) > 0 {
		add(messages.StringAttr(messages.AttrDNSAnswers, listed(len(q.Addrs), func(i int) string { return q.Addrs[i].String() })))
	}
}

// answeredBy says whose word the answer is.
func (q *DNSQuery) answeredBy() string {
	switch {
	case q.Failure != nil:
		return "nobody"
	case q.Service != nil:
		return "mesh"
	case q.Cached:
		return "cache"
	case q.Server.IsValid():
		return "name server"
	}
	return "proxy"
}

// maxListed bounds what a list in an attribute shows.
const maxListed = 16

func listed(n int, item func(int) string) string {
	var b strings.Builder
	for i := range min(n, maxListed) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(item(i))
	}
	if n > maxListed {
		b.WriteString(" …")
	}
	return b.String()
}

// tried are the names that were looked for in the mesh, up to the one that hit.
func (q *DNSQuery) tried() string {
	if q.Asked.Name == "" {
		return ""
	}
	var names []string
	q.Asked.Aliases(func(a messages.Alias) bool {
		names = append(names, a.Name)
		return a.Name != q.Alias
	})
	return listed(len(names), func(i int) string { return names[i] })
}
