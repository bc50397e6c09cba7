package flow

import (
	"strings"

	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/baggage"
	"github.com/troupe-mesh/troupe/transport/forwarded"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/proxyproto"
)

// Names of headers that tunnels carry besides baggage and forwarded.
const (
	headerTraceparent      = "traceparent"
	headerTracestate       = "tracestate"
	headerForwardedNetwork = "x-forwarded-network"
)

// connectHeaders are the headers of an outbound CONNECT (spec/dataplane.md §2.7). Metadata that can't stand in a header
// is an error that fails the flow: the reference panics over it.
func (p *passage) connectHeaders() ([]hbone.Header, *messages.Failure) {
	metadata, err := describe(p.local).Value()
	if err != nil {
		return nil, messages.FailWith(messages.ReasonInvalidRequest, "", err)
	}
	host := ""
	if p.request.Service != nil {
		host = p.request.Service.Hostname
	}
	client, err := forwarded.Value(p.entry.Peer, host)
	if err != nil {
		return nil, messages.FailWith(messages.ReasonInvalidRequest, "", err)
	}
	parent, state := p.Telemetry.Outgoing(&p.rec)
	headers := make([]hbone.Header, 0, 5)
	headers = append(headers, hbone.Header{Name: baggage.Header, Value: metadata},
		hbone.Header{Name: forwarded.Header, Value: client}, hbone.Header{Name: headerTraceparent, Value: parent})
	if state != "" {
		headers = append(headers, hbone.Header{Name: headerTracestate, Value: state})
	}
	return headers, nil
}

// answerHeaders are the headers of a 200: the local workload's baggage, and whether the peer is to keep its spans.
func (p *passage) answerHeaders() ([]hbone.Header, *messages.Failure) {
	var headers []hbone.Header
	if p.Settings.ResponseBaggage {
		metadata, err := describe(p.local).Value()
		if err != nil {
			return nil, messages.FailWith(messages.ReasonInvalidRequest, "", err)
		}
		headers = append(headers, hbone.Header{Name: baggage.Header, Value: metadata})
	}
	if p.Telemetry.WantsKeep(&p.rec) {
		headers = append(headers, hbone.Header{Name: trace.KeepHeader, Value: trace.KeepValue})
	}
	return headers, nil
}

// proxyHeader is what a PROXY application tunnel is told before the first byte; nothing for all others.
func (p *passage) proxyHeader() []byte {
	if !p.inbound.TunnelTarget.IsValid() {
		return nil
	}
	identity := ""
	if !p.entry.Identity.IsZero() {
		identity = p.entry.Identity.String()
	}
	return proxyproto.Header(p.entry.Peer, p.inbound.TunnelTarget, identity)
}

// keeps reports whether the peer keeps its spans of the connection.
func keeps(answer *hbone.Response) bool {
	value, _ := answer.Get(trace.KeepHeader)
	return value == trace.KeepValue
}

// describe is what baggage says of a workload.
func describe(w *messages.Workload) baggage.Baggage {
	kind := strings.ToLower(w.WorkloadType)
	if kind == "" {
		kind = "deployment"
	}
	return baggage.Baggage{
		ClusterName: w.ClusterID, Namespace: w.Namespace, WorkloadType: kind, WorkloadName: w.WorkloadName,
		CanonicalName: w.CanonicalName, Revision: w.CanonicalRevision, Region: w.Locality.Region, Zone: w.Locality.Zone,
	}
}

// readForwarding reads what an HBONE peer tells in its headers; baggage only where it is to be believed.
func readForwarding(s *hbone.ServerStream, believeBaggage bool) forwarding {
	var f forwarding
	if line, ok := s.Get(forwarded.Header); ok {
		f.host = forwarded.Host(line)
	}
	f.network, f.hasNetwork = s.Get(headerForwardedNetwork)
	if believeBaggage {
		if b, ok := baggage.Parse(s.All(baggage.Header)...); ok && !b.IsZero() {
			f.baggage = derived(b)
		}
	}
	return f
}

// derivedFrom is what the answer of a double HBONE's far end says of it; an undecodable header says nothing.
func derivedFrom(line string, identity messages.Identity) *messages.DerivedWorkload {
	b, ok := baggage.Parse(line)
	if !ok {
		return nil
	}
	d := derived(b)
	d.Identity = identity
	return d
}

func derived(b baggage.Baggage) *messages.DerivedWorkload {
	return &messages.DerivedWorkload{
		Workload: b.WorkloadName, CanonicalName: b.CanonicalName, CanonicalRevision: b.Revision, Namespace: b.Namespace,
		Cluster: b.ClusterName, Region: b.Region, Zone: b.Zone,
	}
}

func joinIdentities(ids []messages.Identity) string {
	if len(ids) == 1 {
		return ids[0].String()
	}
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(id.String())
	}
	return b.String()
}
