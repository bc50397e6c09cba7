package matrix

import (
	"slices"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// Rows is the matrix.
func Rows() []Row {
	return slices.Concat(nodeRows(), storeRows(), controlRows(), revocationRows(), podsRows(), dnsRows(), podRows(), flowRows(), poolRows())
}

// cells are a row's.
type cells = map[Fault]Cell

// part is something that is seen.
type part func(*Seen)

// quiet is a cell of which nobody notices anything.
var quiet = Cell{}

// sees is a cell of which one sees something.
func sees(parts ...part) Cell {
	var c Cell
	for _, p := range parts {
		p(&c.Seen)
	}
	return c
}

// elsewhere is a cell that the bubble can't show: a test that can, "package/path.TestName", and what is seen there.
func elsewhere(test, says string) Cell { return Cell{Test: test, Says: says} }

// everywhere are the cells of a row whose faults one test proves elsewhere.
func everywhere(test, says string) cells {
	c := cells{}
	for _, f := range Faults() {
		c[f] = elsewhere(test, says)
	}
	return c
}

func went(o Outcome, names []string) part {
	return func(s *Seen) {
		if s.Calls == nil {
			s.Calls = map[string]Outcome{}
		}
		for _, name := range names {
			s.Calls[name] = o
		}
	}
}

// failed are calls that fail at once, failedAfter those that fail after a time.
func failed(r messages.Reason, names ...string) part { return went(Outcome{Reason: r}, names) }

func failedAfter(d time.Duration, r messages.Reason, names ...string) part {
	return went(Outcome{After: d, Reason: r}, names)
}

// late are calls that are answered after a time.
func late(d time.Duration, names ...string) part {
	return went(Outcome{Answered: true, After: d}, names)
}

// lost are calls that fail at once and are in no trace.
func lost(names ...string) part { return went(Outcome{Unknown: true}, names) }

// unready is a readiness page that says no at once, or after a time.
func unready(after time.Duration) part { return went(Outcome{After: after}, []string{Ready}) }

// ends are lasting connections that are cut.
func ends(r messages.Reason, names ...string) part {
	return func(s *Seen) {
		if s.Cut == nil {
			s.Cut = map[string]messages.Reason{}
		}
		for _, name := range names {
			s.Cut[name] = r
		}
	}
}

// heals is when everything goes well again.
func heals(d time.Duration) part { return func(s *Seen) { s.Heals = d } }
