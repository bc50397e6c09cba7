package messages

// The texts of verdicts and decisions (spec/dataplane.md §7.4).
const (
	textDenied         = "explicitly denied by: "
	textNotAllowed     = "allow policies exist, but none allowed"
	textDeny           = "deny policy match"
	textAllow          = "allow policy match"
	textDryRunDeny     = "dry-run: deny policy match"
	textDryRunAllow    = "dry-run: allow policy match"
	textDryRunNoAllow  = "dry-run: no allow policies match"
	textNoAllowPolicy  = "no allow policies, allow"
	textNoAllowMatched = "no allow policies matched"
)

// Evaluate says whether the policies that apply allow c: dry-run denials are noted, then the first denial decides, then
// dry-run allowances are noted, and at last, where there is any enforced allowance, one of them must match
// (spec/dataplane.md §7.4). It does not allocate when nothing matched and nothing decided.
func Evaluate(policies []*Authorization, c *Connection) Verdict {
	e := evaluation{subject: subject{conn: c}, v: Verdict{Allowed: true, Rule: -1}}
	e.dryRunDenials(policies)
	if e.denials(policies); !e.v.Allowed {
		return e.v
	}
	e.allowances(policies)
	if !e.v.Allowed {
		// A connection that is denied anyway was not denied by a dry run.
		e.v.DryRunDenied = false
	}
	return e.v
}

type evaluation struct {
	subject
	v Verdict
}

func (e *evaluation) note(p *Authorization, rule int, field, text string) {
	e.v.Decisions = append(e.v.Decisions, Decision{Policy: p, Rule: rule, Field: field, Text: text})
}

func (e *evaluation) dryRunDenials(policies []*Authorization) {
	for _, p := range policies {
		if !p.DryRun || p.Action != ActionDeny {
			continue
		}
		if rule, field, ok := e.matches(p); ok {
			e.note(p, rule, field, textDryRunDeny)
			e.v.DryRunDenied = true
		}
	}
}

func (e *evaluation) denials(policies []*Authorization) {
	for _, p := range policies {
		if p.DryRun || p.Action != ActionDeny {
			continue
		}
		if rule, field, ok := e.matches(p); ok {
			e.note(p, rule, field, textDeny)
			e.v.Allowed, e.v.Policy, e.v.Rule = false, p, rule
			e.v.Text, e.v.DryRunDenied = textDenied+p.String(), false
			return
		}
	}
}

// allowances settles what no policy denied. A dry-run denial by default, that is dry-run allowances none of which
// matched and no enforced one, is told as well.
func (e *evaluation) allowances(policies []*Authorization) {
	var enforced, dryRuns, dryRunMatched bool
	for _, p := range policies {
		switch {
		case p.Action != ActionAllow:
		case !p.DryRun:
			enforced = true
		default:
			dryRuns = true
			if rule, field, ok := e.matches(p); ok {
				dryRunMatched = true
				e.note(p, rule, field, textDryRunAllow)
			}
		}
	}
	if dryRuns && !enforced && !dryRunMatched {
		e.note(nil, -1, "", textDryRunNoAllow)
		e.v.DryRunDenied = true
	}
	if !enforced {
		// The absence of policies is noted only where something else was: the ordinary case stays free.
		if e.v.Decisions != nil {
			e.note(nil, -1, "", textNoAllowPolicy)
		}
		return
	}
	for _, p := range policies {
		if p.DryRun || p.Action != ActionAllow {
			continue
		}
		if rule, field, ok := e.matches(p); ok {
			e.note(p, rule, field, textAllow)
			e.v.Policy, e.v.Rule = p, rule
			return
		}
	}
	e.note(nil, -1, "", textNoAllowMatched)
	e.v.Allowed, e.v.Text = false, textNotAllowed
}
