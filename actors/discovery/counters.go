package discovery

import (
	"sync/atomic"

	"github.com/troupe-mesh/troupe/transport/xds"
)

// Counters count what the control plane did, for metrics (spec/control.md §2.11).
type Counters struct {
	// Terminations are the streams that ended, by how.
	Terminations [xds.Endings]atomic.Uint64
	// Messages are the responses by kind, Bytes the sizes of their resources, Rejected the resources that were NACKed.
	Messages, Bytes, Rejected [xds.Kinds]atomic.Uint64
	// Held are the resources that are held, by kind, now.
	Held [xds.Kinds]atomic.Uint64
	// Connected is 1 while a stream is open that has answered.
	Connected atomic.Uint64
	// Demands are the look-ups on demand by outcome (messages.DemandOutcome).
	Demands [5]atomic.Uint64
}
