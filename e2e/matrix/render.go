package matrix

import (
	"fmt"
	"strings"
)

// Render is the matrix as Markdown: MATRIX.md beside it is this, and a test holds it to that.
func Render(rows []Row) string {
	var b strings.Builder
	b.WriteString(preface)
	b.WriteString("\n| actor | over | node |")
	for _, f := range Faults() {
		fmt.Fprintf(&b, " %s |", f)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(Faults())) + "\n")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(&b, "| [%s](#%s) | `%s` | %s |", r.Role, anchor(r), r.Over.name, r.Node)
		for _, f := range Faults() {
			fmt.Fprintf(&b, " %s |", r.Cells[f].short())
		}
		b.WriteString("\n")
	}
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(&b, "\n## %s\n\n", heading(r))
		fmt.Fprintf(&b, "Of the %s's node. Its reply is %s.%s\n\n", r.Node, r.Over.reply, r.when())
		b.WriteString("| fault | what users see |\n|---|---|\n")
		for _, f := range Faults() {
			c := r.Cells[f]
			fmt.Fprintf(&b, "| %s | %s%s |\n", f, c, c.proof())
		}
	}
	return b.String()
}

const preface = `# The fault matrix

What users see when an actor is broken. Written by ` + "`go test ./e2e/matrix -update`" + ` from the rows of this package, which
` + "`go test ./e2e/matrix`" + ` proves: it breaks two nodes in virtual time, cell by cell, and compares. Don't edit.

While an actor is broken, these calls are made: **mesh** (to a service, by HBONE from node to node), **plain out** (to a workload
without a node), **plain in** (from it), **SOCKS** (by the SOCKS5 door, to a host name), **denied mesh** and **denied plain** (which a policy
denies), **readiness** (the page of the node that is broken), and **next mesh**. Three connections of the first three kinds were open before:
**lasting mesh**, **lasting plain out**, **lasting plain in**; where a policy comes, so was **doomed**, which it denies, and where a revocation list comes, **revoked**, in a tunnel
of a peer that it names. A cell names those that went otherwise than they should, with the reason code
(` + "`error.type`" + ` of the trace) at the node that the call reached first, and when everything went well again. All others went well, at
once. A crash-loop lasts 30 s, and the calls that it is about are made in the midst of it.

Whatever is broken, every cell proves as well: no denied call gets a byte through; a policy that comes afterwards ends every connection that
it denies; each connection ends in one line of the access log and in the counters, opened = closed; no actor, goroutine, socket, stream or
registered connection is left, while the nodes live and when they have ended; every span has ended, and has its parent.

A message within a node is not lost unless its receiver crashes or is full, and then its sender hears of it: "drop a message" and "lose the
reply" show what would happen if nobody did.

` + "`·`" + ` nobody notices, ` + "`late`" + ` answered late, ` + "`hangs`" + ` not taken, ` + "`cuts`" + ` open connections are cut, ` + "`unready`" + ` only the page says no; otherwise the reasons.
`

func heading(r *Row) string {
	over := fmt.Sprintf("%s over %s at the %s", r.Role, r.Over.name, r.Node)
	switch {
	case r.Occasion != "":
		over += ", " + r.Occasion
	case r.AtStart:
		over += ", at its start"
	case r.When != nil:
		over += ", when a policy comes"
	}
	return over
}

// anchor is the heading's, as GitHub makes it.
func anchor(r *Row) string {
	h := strings.ToLower(heading(r))
	return strings.ReplaceAll(strings.ReplaceAll(h, ",", ""), " ", "-")
}

func (r *Row) when() string {
	if r.AtStart {
		return " The fault is there when the node starts."
	}
	return ""
}

func (c Cell) proof() string {
	if c.Test == "" {
		return ""
	}
	return " (`" + c.Test + "`)"
}

// short is the cell in the overview.
func (c Cell) short() string {
	if c.Test != "" {
		return "elsewhere"
	}
	var words []string
	add := func(word string) {
		for _, w := range words {
			if w == word {
				return
			}
		}
		words = append(words, word)
	}
	for _, name := range Names() {
		o, is := c.Calls[name]
		switch {
		case !is:
		case name == Ready:
			if len(c.Calls) == 1 {
				add("unready")
			}
		case o.Hangs:
			add("hangs")
		case o.Answered:
			add("late")
		case o.Unknown:
			add("untraced")
		case name == Denied || name == DeniedPlain: // it must fail
		default:
			add("`" + o.Reason.String() + "`")
		}
	}
	if len(c.Cut) > 0 {
		add("cuts")
	}
	if c.Heals == Never {
		add("**stays**")
	}
	if len(words) == 0 {
		return "·"
	}
	return strings.Join(words, ", ")
}
