package trace

import (
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/traceparent"
)

// Outgoing is the context that a CONNECT carries: the client's CONNECT span as parent, flagged only when the head
// decision was to sample. The tracestate marks the peer as one that exports its spans; it is empty, and must then not
// be sent, when tracing is off.
func (t *Telemetry) Outgoing(r *messages.Record) (parent, state string) {
	p := traceparent.Parent{TraceID: r.TraceID, SpanID: r.ConnectID}
	if t.provider == nil {
		return p.String(), ""
	}
	p.Sampled = r.Sampled
	return p.String(), traceparent.Mark
}

// Join puts a record under the context that its CONNECT carried. A peer of ours, known by its mark and believed only
// over mutual TLS, becomes the parent and its flag is honoured, within a limit per peer. Everybody else's context names
// a span that nobody exports: the record keeps its own trace, which links to it (TRACING §5.1, §7). What can't be read
// is ignored. It must be called between Start and the first mark; the record's identities should be set. A record that
// joins is a stream of a tunnel: if Start counted it as a socket, that is taken back, the tunnel's is the socket.
func (t *Telemetry) Join(r *messages.Record, parent string, state []string, overMTLS bool) {
	t.socketEnded(r)
	p, ok := traceparent.Parse(parent)
	if !ok || !overMTLS {
		return
	}
	if t.provider == nil { // only for the ids in the log, which follow a connection across nodes
		r.TraceID = p.TraceID
		return
	}
	if !traceparent.HasMark(state...) {
		r.RemoteTraceID, r.RemoteSpanID = p.TraceID, p.SpanID
		return
	}
	r.TraceID, r.ParentID = p.TraceID, p.SpanID
	r.Sampled = p.Sampled && t.provider.sampler.honours(r.TraceID)
	switch {
	case r.Sampled && !t.peers.allow(peerOf(r), r.Start):
		t.metrics.forcedCut.Add(1)
		r.Sampled = false
	case !p.Sampled:
		r.Keep = t.provider.sampler.overrules(r.TraceID)
	}
}
