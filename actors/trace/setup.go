package trace

import (
	"net/netip"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// TunnelSetup is how one pooled tunnel came to be. A time that was not reached is zero.
type TunnelSetup struct {
	Peer netip.AddrPort
	// Start is when dialling began, Connected when the socket was, Secured when the TLS handshake, and End when
	// everything had ended, well or not.
	Start, Connected, Secured, End  time.Time
	TLSVersion, TLSCipher, TLSCurve string
	// Failure is nil for a tunnel that is ready; the last step reached failed for it.
	Failure *messages.Failure
}

// ConnectionSetup makes the trace of a tunnel's set-up: hbone.connection_setup with socket.connect, tls.handshake and
// h2.settings. It returns the ids of its root, for the links from the connections that the tunnel serves; they are zero
// when nothing is exported.
func (t *Telemetry) ConnectionSetup(s TunnelSetup) (messages.TraceID, messages.SpanID) {
	if t.provider == nil {
		return messages.TraceID{}, messages.SpanID{}
	}
	r := messages.Recorder{Start: s.Start}
	t.StartRecorder(&r)
	root := r.BeginAt(messages.SpanConnectionSetup, messages.NoSpan, 0)
	steps := [...]struct {
		name messages.SpanName
		end  time.Time
	}{
		{messages.SpanSocketConnect, s.Connected},
		{messages.SpanTLSHandshake, s.Secured},
		{messages.SpanH2Settings, s.End},
	}
	reason := messages.ReasonNone
	if s.Failure != nil {
		reason = s.Failure.Reason
	}
	from := s.Start
	for i, step := range steps {
		if step.end.IsZero() {
			break
		}
		ref := r.Span(step.name, root, from.Sub(s.Start), step.end.Sub(s.Start))
		if last := i == len(steps)-1 || steps[i+1].end.IsZero() || s.failedAt(step.end); last {
			r.Spans()[ref].Reason = reason
			break
		}
		from = step.end
	}
	r.Spans()[root].End = max(s.End.Sub(s.Start), 1)
	return t.RootTrace(&r, s.Failure, s.attrs()...)
}

// failedAt reports whether the step that ended then is the one that failed: nothing came after it but the end.
func (s *TunnelSetup) failedAt(step time.Time) bool {
	if s.Failure == nil {
		return false
	}
	last := s.Connected
	if !s.Secured.IsZero() {
		last = s.Secured
	}
	switch s.Failure.Reason {
	case messages.ReasonH2Handshake, messages.ReasonH2Failed:
		return false
	default:
		return step.Equal(last)
	}
}

func (s *TunnelSetup) attrs() []messages.Attr {
	a := []messages.Attr{
		messages.StringAttr(messages.AttrServerAddress, s.Peer.Addr().String()),
		messages.IntAttr(messages.AttrServerPort, int64(s.Peer.Port())),
	}
	for _, v := range [...]struct{ key, value string }{
		{messages.AttrTLSVersion, s.TLSVersion}, {messages.AttrTLSCipher, s.TLSCipher}, {messages.AttrTLSCurve, s.TLSCurve},
	} {
		if v.value != "" {
			a = append(a, messages.StringAttr(v.key, v.value))
		}
	}
	return a
}
