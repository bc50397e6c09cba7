package trace

// What the tracing itself counts. All of it says unstable: the reference has none of these.
var (
	spansExportedHead   = ownCounter("troupe_trace_spans_exported", "The total number of spans handed to every exporter (unstable).")
	spansDroppedHead    = ownCounter("troupe_trace_spans_dropped", "The total number of spans lost before they were exported (unstable).", "where")
	recordsCutHead      = ownCounter("troupe_trace_records_cut", "The total number of connections whose spans were not kept because of a limit (unstable).", "limit")
	unknownPoliciesHead = ownCounter("troupe_policy_unknown", "The total number of look-ups of policies that are not known (unstable).")
	overflowHead        = ownCounter("troupe_metrics_series_overflow", "The total number of look-ups that found no room for a new label set (unstable).")
)

func ownCounter(name, help string, labels ...string) head {
	return head{name: name, help: help, kind: kindCounter, labels: labels}
}

func (m *Metrics) writeOwn(e *exposition) {
	m.writeActors(e)
	m.actorFaults.write(e)
	m.policyClosed.write(e)
	m.failures.write(e)
	m.writeTunnels(e)
	m.writeWatched(e)
	e.head(&unknownPoliciesHead)
	e.counter(&unknownPoliciesHead, nil, m.policiesUnknown.Value())
	e.head(&overflowHead)
	e.counter(&overflowHead, nil, m.traffic.overflowed.Value())
	if m.provider == nil {
		return
	}
	e.head(&spansExportedHead)
	e.counter(&spansExportedHead, nil, m.provider.exported.Value())
	e.head(&spansDroppedHead)
	e.counter(&spansDroppedHead, []string{"recorder"}, m.marksCut.Value())
	e.counter(&spansDroppedHead, []string{"queue"}, m.provider.dropped.Value())
	e.counter(&spansDroppedHead, []string{"exporter"}, m.provider.failed.Value())
	e.head(&recordsCutHead)
	e.counter(&recordsCutHead, []string{"worker"}, m.jobsCut.Value())
	e.counter(&recordsCutHead, []string{"peer"}, m.forcedCut.Value())
	e.counter(&recordsCutHead, []string{"segments"}, m.followsCut.Value())
	for c := causeNone + 1; c < causeCount; c++ {
		e.counter(&recordsCutHead, []string{c.String()}, m.lateCut[c].Value())
	}
}
