package trace

import (
	"encoding/hex"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
)

// parentContext is a W3C traceparent.
type parentContext struct {
	trace   messages.TraceID
	span    messages.SpanID
	sampled bool
}

// The parts of a traceparent lie at fixed places: version-traceid-spanid-flags. Later versions may append to it.
const (
	traceAt, spanAt, flagsAt = 3, 36, 53
	parentLen                = 55
)

func formatParent(t messages.TraceID, s messages.SpanID, sampled bool) string {
	b := make([]byte, parentLen)
	copy(b, "00-")
	hex.Encode(b[traceAt:], t[:])
	b[spanAt-1] = '-'
	hex.Encode(b[spanAt:], s[:])
	copy(b[flagsAt-1:], "-00")
	if sampled {
		b[parentLen-1] = '1'
	}
	return string(b)
}

// parseParent reads a traceparent; what is malformed, of a version that can't exist or without ids is refused.
func parseParent(h string) (p parentContext, ok bool) {
	if len(h) < parentLen || h[traceAt-1] != '-' || h[spanAt-1] != '-' || h[flagsAt-1] != '-' {
		return p, false
	}
	if len(h) > parentLen && (h[:2] == "00" || h[parentLen] != '-') {
		return p, false
	}
	for i := range parentLen {
		if c := h[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return p, false
		}
	}
	var version, flags [1]byte
	for _, part := range []struct {
		into []byte
		text string
	}{
		{version[:], h[:traceAt-1]},
		{p.trace[:], h[traceAt : spanAt-1]},
		{p.span[:], h[spanAt : flagsAt-1]},
		{flags[:], h[flagsAt:parentLen]},
	} {
		if _, err := hex.Decode(part.into, []byte(part.text)); err != nil {
			return parentContext{}, false
		}
	}
	if version[0] == 0xff || p.trace.IsZero() || p.span.IsZero() {
		return parentContext{}, false
	}
	p.sampled = flags[0]&1 != 0
	return p, true
}

// marked reports whether a tracestate, which may come as several header lines, has our mark. Only the first members
// count that the standard lets a list have.
func marked(state []string) bool {
	const maxMembers = 32
	n := 0
	for _, line := range state {
		for member := range strings.SplitSeq(line, ",") {
			if n++; n > maxMembers {
				return false
			}
			if strings.Trim(member, " \t") == marker {
				return true
			}
		}
	}
	return false
}
