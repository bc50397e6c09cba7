package trace

import (
	"net"
	"slices"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// placeOf is the node that a span comes from.
func placeOf(s sdktrace.ReadOnlySpan) string {
	found := ""
	for _, kv := range s.Resource().Attributes() {
		switch kv.Key {
		case "k8s.node.name":
			return kv.Value.AsString()
		case "service.instance.id":
			found = kv.Value.AsString()
		case "service.name":
			if found == "" {
				found = kv.Value.AsString()
			}
		}
	}
	return found
}

// inDetails are the attributes that the lines "from" and "to" show, or that say nothing to a reader of the text.
var inDetails = []string{
	messages.AttrSourceAddress, messages.AttrSourcePort, messages.AttrSourceWorkload, messages.AttrSourceNamespace,
	messages.AttrSourcePrincipal, messages.AttrSourceCluster, messages.AttrSourcePeerClaimed,
	messages.AttrDestinationAddress, messages.AttrDestinationPort, messages.AttrDestWorkload, messages.AttrDestNamespace,
	messages.AttrDestPrincipal, messages.AttrDestCluster, messages.AttrDestService, messages.AttrDestPeerClaimed,
	messages.AttrServerAddress, messages.AttrServerPort, messages.AttrErrorType, messages.AttrNetworkTransport,
	messages.AttrNetworkType, messages.AttrNetworkProtocol, messages.AttrHTTPMethod, messages.AttrDirection,
	messages.AttrConnectionID, messages.AttrServicePeerName, messages.AttrServicePeerNamespace,
}

// summary is what stands at the end of a span's line: where it went, its attributes, and a mark when it failed.
func (r *rendering) summary(n *node) string {
	s := n.span
	var parts []string
	if s.Status().Code == codes.Error {
		parts = append(parts, "✗ "+r.failure(s))
	}
	if server := r.socket(s, messages.AttrServerAddress, messages.AttrServerPort); server != "" {
		parts = append(parts, "→ "+server)
	}
	for _, kv := range s.Attributes() {
		if !slices.Contains(inDetails, string(kv.Key)) {
			parts = append(parts, r.pair(kv))
		}
	}
	return strings.Join(parts, "  ")
}

// failure is the error.type and, where it says more, the description.
func (r *rendering) failure(s sdktrace.ReadOnlySpan) string {
	kind, text := value(s, messages.AttrErrorType), s.Status().Description
	if text == "" || text == kind {
		return kind
	}
	return kind + ": " + text
}

// details are the lines below a span: its two ends, its links, its events.
func (r *rendering) details(n *node) []string {
	s := n.span
	var lines []string
	if n.orphan {
		parent := ""
		if !r.normal {
			parent = " " + s.Parent().SpanID().String()
		}
		lines = append(lines, "below span"+parent+" of another node")
	}
	if from := r.endpoint(s, false); from != "" {
		lines = append(lines, "from  "+from)
	}
	if to := r.endpoint(s, true); to != "" {
		lines = append(lines, "to    "+to)
	}
	for _, l := range s.Links() {
		lines = append(lines, "link  "+r.link(s, l))
	}
	for _, e := range s.Events() {
		lines = append(lines, r.event(s, e))
	}
	return lines
}

func (r *rendering) link(s sdktrace.ReadOnlySpan, l sdktrace.Link) string {
	switch {
	case l.SpanContext.TraceID() == s.SpanContext().TraceID():
		return "an earlier span of this trace"
	case r.normal:
		return "another trace"
	default:
		return "trace " + l.SpanContext.TraceID().String()
	}
}

func (r *rendering) event(s sdktrace.ReadOnlySpan, e sdktrace.Event) string {
	parts := []string{"•"}
	if !r.normal {
		parts = append(parts, "+"+formatTook(max(0, e.Time.Sub(s.StartTime()))))
	}
	parts = append(parts, e.Name)
	for _, kv := range e.Attributes {
		if kv.Value.String() != "" {
			parts = append(parts, r.pair(kv))
		}
	}
	return strings.Join(parts, " ")
}

// endpoint describes one end of a connection: names first, then address, then identity.
func (r *rendering) endpoint(s sdktrace.ReadOnlySpan, destination bool) string {
	addressKey, portKey, workload, namespace, principal, claimed := messages.AttrSourceAddress, messages.AttrSourcePort,
		messages.AttrSourceWorkload, messages.AttrSourceNamespace, messages.AttrSourcePrincipal, messages.AttrSourcePeerClaimed
	var parts []string
	if destination {
		addressKey, portKey, workload, namespace, principal, claimed = messages.AttrDestinationAddress, messages.AttrDestinationPort,
			messages.AttrDestWorkload, messages.AttrDestNamespace, messages.AttrDestPrincipal, messages.AttrDestPeerClaimed
		parts = append(parts, value(s, messages.AttrDestService))
	}
	if name := value(s, workload); name != "" {
		parts = append(parts, join(value(s, namespace), "/", name))
	}
	parts = append(parts, r.socket(s, addressKey, portKey), value(s, principal))
	if value(s, claimed) == "true" {
		parts = append(parts, "(claimed by the peer)")
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	return strings.Join(parts, "  ")
}

func join(a, sep, b string) string {
	if a == "" {
		return b
	}
	return a + sep + b
}

// socket is address:port; in normal form a source's port, which differs each time, is not told.
func (r *rendering) socket(s sdktrace.ReadOnlySpan, addressKey, portKey string) string {
	address, port := value(s, addressKey), value(s, portKey)
	if address == "" {
		return ""
	}
	if r.normal && portKey == messages.AttrSourcePort {
		port = "<port>"
	}
	return net.JoinHostPort(address, port)
}

// pair is key=value with the prefix of our own keys left out; what differs each time is not told in normal form.
func (r *rendering) pair(kv attribute.KeyValue) string {
	key, v := string(kv.Key), kv.Value.String()
	if r.normal && (strings.HasSuffix(key, "_us") || strings.HasSuffix(key, "_ms") || key == messages.AttrRemoteTraceID ||
		key == messages.AttrStoreVersion) {
		v = "<" + kv.Value.Type().String() + ">"
	}
	if strings.ContainsAny(v, " \t\n\"") {
		v = `"` + strings.NewReplacer("\n", `\n`, `"`, `\"`, "\t", `\t`).Replace(v) + `"`
	}
	return strings.TrimPrefix(key, "troupe.") + "=" + v
}

// value is an attribute of a span as text.
func value(s sdktrace.ReadOnlySpan, key string) string {
	for _, kv := range s.Attributes() {
		if string(kv.Key) == key {
			return kv.Value.String()
		}
	}
	return ""
}
