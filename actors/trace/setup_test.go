package trace

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func TestConnectionSetup(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	refused := messages.FailWith(messages.ReasonConnectionRefused, "io error: ", errors.New("refused"))
	handshake := messages.Fail(messages.ReasonTLSHandshake, "io error: invalid peer certificate")
	h2 := messages.Fail(messages.ReasonH2Handshake, "http2 handshake failed: eof")
	identity := messages.Fail(messages.ReasonIdentityUnavailable, "identity error: none")
	for _, tt := range []struct {
		name  string
		setup TunnelSetup
		want  []string
	}{
		{"ready", TunnelSetup{Connected: at(1), Secured: at(3), End: at(4)}, []string{"hbone.connection_setup 4ms ", "socket.connect 1ms ", "tls.handshake 2ms ", "h2.settings 1ms "}},
		{"refused", TunnelSetup{Connected: at(1), End: at(1), Failure: refused}, []string{"hbone.connection_setup 1ms connection_refused", "socket.connect 1ms connection_refused"}},
		{"handshake", TunnelSetup{Connected: at(1), Secured: at(3), End: at(4), Failure: handshake}, []string{"hbone.connection_setup 4ms tls_handshake_failed", "socket.connect 1ms ", "tls.handshake 2ms tls_handshake_failed"}},
		{"h2", TunnelSetup{Connected: at(1), Secured: at(3), End: at(4), Failure: h2}, []string{"hbone.connection_setup 4ms h2_handshake_failed", "socket.connect 1ms ", "tls.handshake 2ms ", "h2.settings 1ms h2_handshake_failed"}},
		{"never dialled", TunnelSetup{End: at(2), Failure: identity}, []string{"hbone.connection_setup 2ms identity_unavailable"}},
	} {
		n := newNode(t, nodeOptions{})
		tt.setup.Peer, tt.setup.Start = payTunnel, start
		trace, span := n.ConnectionSetup(tt.setup)
		spans := n.exported(t)
		checkSpans(t, spans)
		var got []string
		for _, s := range spans {
			got = append(got, s.Name()+" "+s.EndTime().Sub(s.StartTime()).String()+" "+value(s, messages.AttrErrorType))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if sc := spans[0].SpanContext(); sc.TraceID() != [16]byte(trace) || sc.SpanID() != [8]byte(span) || value(spans[0], messages.AttrServerPort) != "15008" {
			t.Errorf("%s: root %v is not %s %s", tt.name, sc, trace, span)
		}
	}
	off := newNode(t, nodeOptions{off: true})
	if trace, span := off.ConnectionSetup(TunnelSetup{Start: start, End: at(1)}); !trace.IsZero() || !span.IsZero() {
		t.Error("with tracing off a set-up has ids to link to")
	}
}

func TestRootTracesAreLimited(t *testing.T) {
	n := newNode(t, nodeOptions{telemetry: Options{LatePerSec: 5}})
	for range 20 {
		r := messages.Recorder{}
		n.StartRecorder(&r)
		r.Begin(messages.SpanDrain, messages.NoSpan)
		n.RootTrace(&r, nil, messages.IntAttr(messages.AttrDuration, 1))
	}
	if got := len(n.exported(t)); got < 5 || got > 6 {
		t.Errorf("%d traces, want 5", got)
	}
}
