package fault

import (
	"fmt"
	"strings"
	"time"
)

// Injection is one fault that was injected.
type Injection struct {
	At time.Time
	// Since is the time from when the Faults were made.
	Since time.Duration
	// Rule is the number of the rule, Fault what it did.
	Rule  int
	Fault Kind
	// Role and Actor are who did not get the message as it was sent, Sender who waits for an answer to it; empty for
	// nobody.
	Role, Actor, Sender string
	// Message is the message's type; empty for the start of an actor.
	Message string
}

// String is the injection as one line.
func (i Injection) String() string {
	over := i.Message
	if over == "" {
		over = "start"
	}
	line := fmt.Sprintf("+%s #%d %s %s to %s", i.Since, i.Rule, i.Fault, over, i.Actor)
	if i.Sender != "" {
		line += " from " + i.Sender
	}
	return line
}

// RuleReport is what became of one rule.
type RuleReport struct {
	// Number is the rule's, 1 for the first that was made; Rule is the rule as it is written.
	Number int
	Rule   string
	Fault  Kind
	// Matched counts the messages that it was about, Injected how often it struck, TooMany the faults that were not
	// injected because MaxWaiting was reached.
	Matched, Injected, TooMany uint64
	// Held is how many messages it holds or delays now, Ended that it is not in force any more.
	Held  int
	Ended bool
}

// String is the rule as one line.
func (r RuleReport) String() string {
	line := fmt.Sprintf("#%d %s: matched %d, injected %d", r.Number, r.Rule, r.Matched, r.Injected)
	if r.TooMany > 0 {
		line += fmt.Sprintf(", too many waiting for %d", r.TooMany)
	}
	if r.Held > 0 {
		line += fmt.Sprintf(", holding %d", r.Held)
	}
	if r.Ended {
		line += ", ended"
	}
	return line
}

// Report is what was injected so far.
type Report struct {
	// Rules are in the order in which they were made, the first 1024 of them; RulesUnlisted counts the others.
	Rules         []RuleReport
	RulesUnlisted int
	// Injections are in the order in which they happened, the first MaxInjections of them; Unlisted counts the others.
	Injections []Injection
	Unlisted   uint64
}

// Report takes a snapshot.
func (f *Faults) Report() Report {
	j := &f.journal
	j.mu.Lock()
	rules := append([]*Rule(nil), j.rules...)
	r := Report{
		Injections: append([]Injection(nil), j.injections...), Unlisted: j.unlisted, RulesUnlisted: j.made - len(j.rules),
	}
	j.mu.Unlock()
	for _, rule := range rules {
		r.Rules = append(r.Rules, rule.report())
	}
	return r
}

func (r *Rule) report() RuleReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	return RuleReport{
		Number: r.number, Rule: r.String(), Fault: r.kind, Matched: r.matched, Injected: r.injected, TooMany: r.tooMany,
		Held: len(r.parked), Ended: r.ended,
	}
}

// Count is how many listed injections are of a kind.
func (r Report) Count(k Kind) int {
	n := 0
	for _, i := range r.Injections {
		if i.Fault == k {
			n++
		}
	}
	return n
}

// String is the report as text: a line for each rule, then one for each injection.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d faults injected by %d rules\n", uint64(len(r.Injections))+r.Unlisted, len(r.Rules)+r.RulesUnlisted)
	for _, rule := range r.Rules {
		fmt.Fprintf(&b, "  %s\n", rule)
	}
	for _, i := range r.Injections {
		fmt.Fprintf(&b, "  %s\n", i)
	}
	if r.Unlisted > 0 {
		fmt.Fprintf(&b, "  and %d more\n", r.Unlisted)
	}
	return b.String()
}
