package trace

import (
	"encoding/binary"

	"github.com/troupe-mesh/troupe/messages"
)

// sampler is the head decision. It is a function of the trace id, the same one as the OpenTelemetry SDK's
// TraceIDRatioBased, so that nodes with equal ratios agree (TRACING §5.1).
type sampler struct {
	bound uint64 // of the low 63 bits of the trace id's second half
	// honour says that a parent's flag decides, where there is a parent.
	honour bool
}

const ratioScale = 1 << 63

func ratioSampler(ratio float64, honour bool) sampler {
	switch {
	case ratio >= 1:
		return sampler{bound: ratioScale, honour: honour}
	case ratio <= 0:
		return sampler{honour: honour}
	}
	return sampler{bound: uint64(ratio * ratioScale), honour: honour}
}

// root decides for a trace that begins here.
func (s sampler) root(id messages.TraceID) bool {
	return binary.BigEndian.Uint64(id[8:])>>1 < s.bound
}

// honours decides for a trace that a peer of ours samples.
func (s sampler) honours(id messages.TraceID) bool { return s.honour || s.root(id) }

// overrules reports whether a trace that a peer of ours does not sample is kept all the same; the peer is then told.
func (s sampler) overrules(id messages.TraceID) bool { return !s.honour && s.root(id) }
