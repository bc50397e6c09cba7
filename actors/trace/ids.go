package trace

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"

	"github.com/troupe-mesh/troupe/messages"
)

// idSource draws trace and span ids: from the runtime's per-thread source, or from a seed when they must repeat.
type idSource struct {
	mu     sync.Mutex
	seeded *rand.Rand
}

func newIDSource(seed *[2]uint64) *idSource {
	if seed == nil {
		return &idSource{}
	}
	return &idSource{seeded: rand.New(rand.NewPCG(seed[0], seed[1]))}
}

func (s *idSource) uint64() uint64 {
	if s.seeded == nil {
		return rand.Uint64()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seeded.Uint64()
}

// trace is a new trace id, never zero.
func (s *idSource) trace() (id messages.TraceID) {
	for id.IsZero() {
		binary.BigEndian.PutUint64(id[:8], s.uint64())
		binary.BigEndian.PutUint64(id[8:], s.uint64())
	}
	return id
}

// span is a new span id, never zero.
func (s *idSource) span() (id messages.SpanID) {
	for id.IsZero() {
		binary.BigEndian.PutUint64(id[:], s.uint64())
	}
	return id
}

// fill gives a recorder the ids that it lacks.
func (s *idSource) fill(r *messages.Recorder) {
	if r.TraceID.IsZero() {
		r.TraceID = s.trace()
	}
	if r.RootID.IsZero() {
		r.RootID = s.span()
	}
	if r.ConnectID.IsZero() {
		r.ConnectID = s.span()
	}
}
