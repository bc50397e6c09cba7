package dns

import (
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

// maxSeries bounds the metrics that a resolver has at hand: pods ask for few types.
const maxSeries = 8

// series are metrics that are at hand for queries that are alike.
type series struct{ all []bound }

type bound struct {
	local    *messages.Workload
	kind     uint16
	protocol string
	metrics  *trace.DNSSeries
}

// of are the metrics of a query.
func (s *series) of(t *trace.Telemetry, q *wireQuery) *trace.DNSSeries {
	local, kind, protocol := q.entry.Local, q.request.Type, q.entry.Protocol
	for i := range s.all {
		if b := &s.all[i]; b.local == local && b.kind == kind && b.protocol == protocol {
			return b.metrics
		}
	}
	if len(s.all) == maxSeries {
		s.all = s.all[:0]
	}
	s.all = append(s.all, bound{local, kind, protocol, t.DNSSeries(&q.entry)})
	return s.all[len(s.all)-1].metrics
}
