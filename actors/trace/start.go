package trace

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// Start begins the record of an accepted socket: ids, start, head decision, and counts it as open. Exactly one of
// Closed and EarlyDenied must follow.
func (t *Telemetry) Start(r *messages.Record) {
	t.StartStream(r)
	r.CountsSocket = true
	t.SocketOpened(r.Direction)
}

// StartStream is Start for a stream of a tunnel, whose socket is counted by SocketOpened.
func (t *Telemetry) StartStream(r *messages.Record) {
	if r.Start.IsZero() {
		r.Start = time.Now()
	}
	t.ids.fill(&r.Recorder)
	r.Sampled = t.provider != nil && t.provider.sampler.root(r.TraceID)
}

// SocketOpened counts an accepted socket that no record stands for, such as a tunnel's.
func (t *Telemetry) SocketOpened(d messages.Direction) { t.metrics.socket(d, 1) }

// SocketClosed takes back SocketOpened.
func (t *Telemetry) SocketClosed(d messages.Direction) { t.metrics.socket(d, -1) }

func (t *Telemetry) socketEnded(r *messages.Record) {
	if r.CountsSocket {
		r.CountsSocket = false
		t.SocketClosed(r.Direction)
	}
}
