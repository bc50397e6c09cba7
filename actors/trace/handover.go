package trace

import "github.com/troupe-mesh/troupe/messages"

// Moved ends a record whose connection another process carries on: that one counts and tells of its end.
func (t *Telemetry) Moved(r *messages.Record) {
	if t.provider != nil {
		t.follows.end(r)
	}
	t.socketEnded(r)
}

// Adopted begins the record of a connection that another process has set up. It counts as open and not as opened a second
// time; its spans go on in the same trace. Closed must follow.
func (t *Telemetry) Adopted(r *messages.Record) *Series {
	r.CountsSocket = true
	t.SocketOpened(r.Direction)
	return t.metrics.traffic.of(r)
}
