package matrix

import (
	"slices"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/troupe-mesh/troupe/messages"
)

// tale is what the traces tell about a connection.
type tale struct {
	first, closing string // the error.type of its first span and of its tunnel.close
	known          bool
}

// reason is why it ended.
func (t tale) reason() messages.Reason {
	text := t.first
	if text == "" {
		text = t.closing
	}
	for _, r := range messages.Reasons() {
		if r.ErrorType() == text && r != messages.ReasonPolicyDeniedByPeer { // both are policy_denied
			return r
		}
	}
	return messages.ReasonNone
}

// tales reads a node's spans by the address that the connection came from.
func tales(spans tracetest.SpanStubs) map[string]tale {
	closing := map[string]string{}
	for _, s := range spans {
		if s.Name == messages.SpanTunnelClose.String() {
			closing[s.SpanContext.TraceID().String()] = attributes(s)[messages.AttrErrorType]
		}
	}
	all := map[string]tale{}
	for _, s := range spans {
		stream := s.Name == messages.SpanConnect.String() && s.SpanKind == trace.SpanKindServer
		if s.Name != messages.SpanOutbound.String() && s.Name != messages.SpanInbound.String() && !stream {
			continue
		}
		a := attributes(s)
		from := a[messages.AttrSourceAddress] + ":" + a[messages.AttrSourcePort]
		all[from] = tale{first: a[messages.AttrErrorType], closing: closing[s.SpanContext.TraceID().String()], known: true}
	}
	return all
}

func attributes(s tracetest.SpanStub) map[string]string {
	all := map[string]string{}
	for _, a := range s.Attributes {
		all[string(a.Key)] = a.Value.String()
	}
	return all
}

// door is the node that a call reaches first.
func (c *call) door() Side {
	switch c.name {
	case PlainIn, DeniedPlain, LastingPlainIn, Doomed, Revoked:
		return Server
	default:
		return Client
	}
}

// read tells each call why it ended.
func (s *Scene) read() {
	told := [2]map[string]tale{tales(s.nodes[Client].Spans()), tales(s.nodes[Server].Spans())}
	one := func(c *call) {
		t := told[c.door()][c.from.String()]
		c.Reason, c.Unknown = t.reason(), !t.known
		if c.forbidden() && c.Reason == messages.ReasonPolicyChanged {
			c.Reason = messages.ReasonPolicyDenied // the policies came back while it waited: whoever was first says it
		}
	}
	for _, c := range s.calls {
		if c.name != Ready {
			one(c)
		}
	}
}

// unexpected are the calls that went otherwise than they should.
func (s *Scene) unexpected(made []*call) map[string]Outcome {
	calls := map[string]Outcome{}
	for _, c := range made {
		if c.asItShould() && c.traced() {
			continue
		}
		if c.Answered && c.Unknown {
			s.t.Errorf("%s from %s was answered and is in no trace", c.name, c.from)
		}
		calls[c.name] = c.Outcome
	}
	if len(calls) == 0 {
		return nil
	}
	return calls
}

// cut are the lasting connections that did not live on.
func (s *Scene) cut() map[string]messages.Reason {
	var cut map[string]messages.Reason
	for _, c := range s.lasting {
		if c.over && slices.Contains(lastingNames(), c.name) {
			if cut == nil {
				cut = map[string]messages.Reason{}
			}
			cut[c.name] = c.Reason
		}
	}
	return cut
}
