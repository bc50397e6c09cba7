package trace

import (
	"time"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
)

// PolicyDecisions writes the line of each decision of a verdict (spec/dataplane.md §7.4) and, while the set-up is being
// recorded, marks each as an event of span. r may be nil, for evaluations that belong to no set-up.
func (t *Telemetry) PolicyDecisions(r *messages.Record, span messages.SpanRef, v *messages.Verdict) {
	level := logs.Debug
	if t.options.PolicyInfo {
		level = logs.Info
	}
	if t.state.Enabled(level) {
		log := t.stateOf(r)
		for i := range v.Decisions {
			d := &v.Decisions[i]
			line := log.At(level, d.Text)
			if d.Policy != nil {
				line = line.Str(messages.FieldPolicy, d.Policy.String())
			}
			line.Send()
		}
	}
	if r == nil || t.provider == nil {
		return
	}
	for i := range v.Decisions {
		d := &v.Decisions[i]
		if d.Policy == nil {
			r.Event(span, messages.EventPolicyDecision, messages.StringAttr(messages.AttrVerdict, d.Text))
			continue
		}
		r.Event(span, messages.EventPolicyDecision,
			messages.StringAttr(messages.AttrRuleName, d.Policy.String()),
			messages.StringAttr(messages.AttrRuleCategory, category(d.Policy)),
			messages.IntAttr(messages.AttrRuleIndex, int64(d.Rule)),
			messages.StringAttr(messages.AttrRuleField, d.Field),
			messages.StringAttr(messages.AttrVerdict, d.Text))
	}
}

// stateOf is the logger for what the state means for a connection: its lines say whose proxy and which connection, by the id
// of its trace, which both ends of a tunnel share (spec/ops.md §7.1). r may be nil, for no connection.
func (t *Telemetry) stateOf(r *messages.Record) *logs.Logger {
	if r == nil {
		return t.state
	}
	log, local := t.state, r.Source
	fields := []logs.Field{logs.Display("id", r.TraceID.String())}
	if r.Direction == messages.Inbound {
		local = r.Destination
		fields = append(fields, logs.Display("peer", r.Src.String()))
	}
	if local != nil {
		log = log.With("proxy", logs.Display("wl", local.Namespace+"/"+local.Name))
	}
	return log.With(r.Direction.String(), fields...)
}

// policyClosed counts the end of a connection that is not allowed any more.
func (t *Telemetry) policyClosed(r *messages.Record) {
	if r.Reason() != messages.ReasonPolicyChanged {
		return
	}
	name := ""
	if r.Verdict != nil && r.Verdict.Policy != nil {
		name = r.Verdict.Policy.String()
	}
	t.metrics.policyClosed.With(name).Add(1)
}

// UnknownPolicies warns of policies that a workload names and the policy store does not have; they count for nothing
// unless the node is told to deny then. Only the first in a second is written.
func (t *Telemetry) UnknownPolicies(r *messages.Record, keys []string) {
	if len(keys) == 0 {
		return
	}
	t.metrics.policiesUnknown.Add(uint64(len(keys)))
	if !t.state.Enabled(logs.Warn) || !t.unknownLines.allow(time.Now()) {
		return
	}
	line := t.stateOf(r).Warn("a workload names a policy that is not known").Str(messages.FieldPolicy, keys[0])
	if r != nil && r.Destination != nil {
		line = line.OptStr(messages.FieldDstWorkload, r.Destination.Name).OptStr(messages.FieldDstNamespace, r.Destination.Namespace)
	}
	line.Send()
}
