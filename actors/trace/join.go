package trace

import "github.com/troupe-mesh/troupe/messages"

// marker is the tracestate member by which nodes know that the peer exports its spans (TRACING §5.1).
const marker = "troupe=1"

// Outgoing is the context that a CONNECT carries: the client's CONNECT span as parent, flagged only when the head
// decision was to sample. The tracestate marks the peer as one that exports its spans; it is empty, and must then not
// be sent, when tracing is off.
func (t *Telemetry) Outgoing(r *messages.Record) (parent, state string) {
	if t.provider == nil {
		return formatParent(r.TraceID, r.ConnectID, false), ""
	}
	return formatParent(r.TraceID, r.ConnectID, r.Sampled), marker
}

// Join puts a record under the context that its CONNECT carried. A peer of ours, known by its mark and believed only
// over mutual TLS, becomes the parent and its flag is honoured, within a limit per peer. Everybody else's context names
// a span that nobody exports: the record keeps its own trace, which links to it (TRACING §5.1, §7). What can't be read
// is ignored. It must be called between Start and the first mark; the record's identities should be set. A record that
// joins is a stream of a tunnel: if Start counted it as a socket, that is taken back, the tunnel's is the socket.
func (t *Telemetry) Join(r *messages.Record, parent string, state []string, overMTLS bool) {
	t.socketEnded(r)
	if t.provider == nil || parent == "" || !overMTLS {
		return
	}
	p, ok := parseParent(parent)
	if !ok {
		return
	}
	if !marked(state) {
		r.RemoteTraceID, r.RemoteSpanID = p.trace, p.span
		return
	}
	r.TraceID, r.ParentID = p.trace, p.span
	r.Sampled = p.sampled && t.provider.sampler.honours(p.trace)
	switch {
	case r.Sampled && !t.peers.allow(peerOf(r), r.Start):
		t.metrics.forcedCut.Add(1)
		r.Sampled = false
	case !p.sampled:
		r.Keep = t.provider.sampler.overrules(p.trace)
	}
}
