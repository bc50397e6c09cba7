package logs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// directive is one clause of a filter: lines whose scope starts with target, and which have the field, pass up to
// level.
type directive struct {
	// bare says that there is no target at all; it is less specific than an empty one.
	bare   bool
	target string
	field  string // empty: none is asked for
	level  Level
}

// parseDirective reads LEVEL, TARGET=LEVEL, TARGET or TARGET[{field}]=LEVEL. Blanks count.
func parseDirective(s string) (directive, error) {
	left, right, ok := strings.Cut(s, "=")
	if !ok {
		if level, ok := parseLevel(s); ok {
			return directive{bare: true, level: level}, nil
		}
		if strings.Contains(s, "[{") {
			return directive{}, &FilterError{s, "a list of fields holds one field and needs a level"}
		}
		return directive{target: s, level: Trace}, nil
	}
	if strings.Contains(right, "=") {
		return directive{}, &FilterError{s, "too many '=' in filter directive, expected 0 or 1"}
	}
	d := directive{target: left}
	if target, fields, ok := strings.Cut(left, "[{"); ok {
		if strings.Contains(fields, "[{") {
			return directive{}, &FilterError{s, "too many '[{' in filter directive, expected 0 or 1"}
		}
		if !strings.HasSuffix(fields, "}]") {
			return directive{}, &FilterError{s, "expected fields list to end with '}]'"}
		}
		d.target, d.field = target, strings.TrimSuffix(fields, "}]")
	}
	if d.level, ok = parseLevel(right); !ok {
		return directive{}, &FilterError{s, fmt.Sprintf("%q is no level", right)}
	}
	return d, nil
}

// compare orders directives by how specific they are, the most specific first; 0 means that one replaces the other.
func (d directive) compare(o directive) int {
	return -cmp.Or(
		cmp.Compare(d.rank(), o.rank()),
		cmp.Compare(min(len(d.field), 1), min(len(o.field), 1)),
		cmp.Compare(d.target, o.target),
		cmp.Compare(d.field, o.field),
	)
}

// rank is the target's length, with no target below an empty one.
func (d directive) rank() int {
	if d.bare {
		return -1
	}
	return len(d.target)
}

// has reports whether a line with these field names has the field of d.
func (d directive) has(keys []string) bool { return d.field == "" || slices.Contains(keys, d.field) }

// String is the clause in the form that parseDirective reads.
func (d directive) String() string {
	s := d.target
	if d.field != "" {
		s += "[{" + d.field + "}]"
	}
	if d.bare {
		return d.level.String()
	}
	return s + "=" + d.level.String()
}

// FilterError is a clause of a filter that can't be understood.
type FilterError struct {
	Clause, Reason string
}

// Error says which clause is wrong, and what would be right.
func (e *FilterError) Error() string {
	return fmt.Sprintf("invalid filter directive %q: %s; write LEVEL or TARGET=LEVEL with a level of error, warn, info, "+
		"debug, trace or off", e.Clause, e.Reason)
}
