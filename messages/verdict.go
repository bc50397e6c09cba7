package messages

// Verdict is what the policies that apply say of a connection (spec/dataplane.md §7.4).
type Verdict struct {
	Allowed bool
	// Policy is the one that decided: the denying one, or the first that allowed; nil where none decided.
	Policy *Authorization
	// Rule is the index of the rule that matched, -1 where none did.
	Rule int
	// Text is the reference's wording of a denial; empty when allowed.
	Text string
	// Decisions are all policies that matched, dry runs too, in the order of evaluation.
	Decisions []Decision
	// DryRunDenied says that a dry-run policy would have denied an allowed connection.
	DryRunDenied bool
}

// Decision is one line of a verdict: what one policy said, or, with Policy nil, what the absence of one meant.
type Decision struct {
	Policy *Authorization
	Rule   int
	// Field is the attribute that matched, such as "principals"; empty for a rule without clauses.
	Field string
	// Text is the reference's log message, such as "deny policy match".
	Text string
}
