package trace

import (
	"time"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
)

// The scopes of the lines written here (spec/ops.md §7).
const (
	scopeAccess = "access"
	scopeState  = "ztunnel::state"
	scopeActors = "ztunnel::actors"
	scopeTraces = "ztunnel::trace"
	scopeCRL    = "ztunnel::tls::revocation"
	scopeDNS    = "dns"
)

// logOpened writes the line of a connection whose stats were built (spec/ops.md §7.3).
func (t *Telemetry) logOpened(r *messages.Record, s *Series) {
	line := t.access.Debug("connection opened")
	if line == nil {
		return
	}
	writeEnds(line, r, s.labelsFor(r)).Send()
}

// logClosed writes the line of a connection that ended: info when it went well, error when it failed.
func (t *Telemetry) logClosed(r *messages.Record, s *Series, c *relay.Counters, took time.Duration) {
	level := logs.Info
	if r.Failure != nil {
		level = logs.Error
	}
	line := t.access.At(level, "connection complete")
	if line == nil {
		return
	}
	received, sent := totals(c)
	if r.Direction == messages.Outbound { // the line speaks from the client's point of view there
		received, sent = sent, received
	}
	line = writeEnds(line, r, s.labelsFor(r)).
		Uint(messages.FieldBytesSent, sent).
		Uint(messages.FieldBytesRecv, received).
		Millis(messages.FieldDuration, took)
	if r.Failure != nil {
		line = line.Str(messages.FieldError, r.Failure.Text)
	}
	line.OptStr(messages.FieldCutBy, r.CutBy).OptStr(messages.FieldReason, reasonOf(r)).Send() // ours, behind what the reference tells
}

// reasonOf is the reason of a failure as span and metric give it; empty for what went well.
func reasonOf(r *messages.Record) string { return r.Reason().ErrorType() }

// totals are the bytes received and sent so far; c may be nil.
func totals(c *relay.Counters) (received, sent uint64) {
	if c == nil {
		return 0, 0
	}
	return c.Received.Load(), c.Sent.Load()
}

// logDenied writes the line of a connection that was refused before its stats were built.
func (t *Telemetry) logDenied(r *messages.Record) {
	text := ""
	if r.Failure != nil {
		text = r.Failure.Text
	}
	t.access.Warn("connection failed").
		AddrPort(messages.FieldSrcAddr, r.Src).
		AddrPort(messages.FieldDstAddr, r.Dst).
		Str(messages.FieldDirection, r.Direction.String()).
		Str(messages.FieldError, text).
		OptStr(messages.FieldReason, reasonOf(r)).
		Send()
}

// writeEnds adds the fields from src.addr to direction; what is unknown is left out.
func writeEnds(line *logs.Line, r *messages.Record, l *labels) *logs.Line {
	src, dst := endsOf(r, l)
	line = line.AddrPort(messages.FieldSrcAddr, r.Src).
		OptStr(messages.FieldSrcWorkload, src.workload).
		OptStr(messages.FieldSrcNamespace, src.namespace).
		OptStr(messages.FieldSrcIdentity, src.identity).
		OptStr(messages.FieldSrcCluster, src.cluster).
		AddrPort(messages.FieldDstAddr, r.Dst)
	if !r.HBONEAddr.IsZero() {
		line = line.Display(messages.FieldDstHBONEAddr, r.HBONEAddr.String())
	}
	return line.OptStr(messages.FieldDstService, l.service).
		OptStr(messages.FieldDstWorkload, dst.workload).
		OptStr(messages.FieldDstNamespace, dst.namespace).
		OptStr(messages.FieldDstIdentity, dst.identity).
		OptStr(messages.FieldDstCluster, dst.cluster).
		Str(messages.FieldDirection, r.Direction.String())
}

// end is one end of a connection as logs and spans name it.
type end struct{ workload, namespace, identity, cluster string }

// endsOf names both ends: a workload of the store by its pod's name, one known from baggage by its canonical service,
// the far side of a gateway by the workload of its baggage. Identities are told only where TLS or our own certificates proved them.
func endsOf(r *messages.Record, l *labels) (src, dst end) {
	src = end{workload: l.source.service, namespace: l.source.namespace, cluster: l.source.cluster}
	dst = end{workload: l.destination.service, namespace: l.destination.namespace, cluster: l.destination.cluster}
	if r.Source != nil {
		src.workload = r.Source.Name
	}
	switch {
	case r.DerivedDestination != nil:
		dst.workload = r.DerivedDestination.Workload
	case r.Destination != nil:
		dst.workload = r.Destination.Name
	}
	if r.MutualTLS || r.Mode == messages.ModeLocal {
		src.identity = identityOf(l.source.principal, r.SrcIdentity)
		dst.identity = identityOf(l.destination.principal, r.DstIdentity)
	}
	return src, dst
}

func identityOf(principal string, proven messages.Identity) string {
	if principal == "" && !proven.IsZero() {
		return proven.String()
	}
	return principal
}
