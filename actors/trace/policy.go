package trace

import (
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
		for i := range v.Decisions {
			d := &v.Decisions[i]
			line := t.state.At(level, d.Text)
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
