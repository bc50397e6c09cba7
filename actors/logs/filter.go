package logs

import (
	"fmt"
	"slices"
	"strings"
)

// maxDirectives bounds a filter, which the admin endpoint can make grow.
const maxDirectives = 1000

// Filter decides which lines pass: the most specific directive that matches a line's scope alone decides, and without
// one the line is refused (spec/ops.md §7.5). It is immutable.
type Filter struct {
	directives []directive
}

// ParseFilter reads a comma-separated list of directives, each LEVEL, TARGET=LEVEL, TARGET or TARGET[{field}]=LEVEL.
// A later one replaces an earlier one of the same target. The error is a [*FilterError].
func ParseFilter(s string) (*Filter, error) {
	f := &Filter{}
	for clause := range strings.SplitSeq(s, ",") {
		d, err := parseDirective(clause)
		if err != nil {
			return nil, err
		}
		at, found := slices.BinarySearchFunc(f.directives, d, directive.compare)
		switch {
		case found:
			f.directives[at] = d
		case len(f.directives) == maxDirectives:
			return nil, &FilterError{clause, fmt.Sprintf("a filter has at most %d directives", maxDirectives)}
		default:
			f.directives = slices.Insert(f.directives, at, d)
		}
	}
	return f, nil
}

// quietPrefix is what the reference puts before RUST_LOG; it shows in the list of levels.
const quietPrefix = "hickory_server::server=off,"

// DefaultFilter is the filter that RUST_LOG asks for; nil means that it is unset: info.
func DefaultFilter(rustLog *string) (*Filter, error) {
	if rustLog == nil {
		return ParseFilter(quietPrefix + "info")
	}
	return ParseFilter(quietPrefix + *rustLog)
}

// String lists the directives, the most specific first, in the form that ParseFilter reads.
func (f *Filter) String() string {
	all := make([]string, len(f.directives))
	for i, d := range f.directives {
		all[i] = d.String()
	}
	return strings.Join(all, ",")
}

// scoped is what a filter says of one scope: the most talkative level that any line of it may have, and, where that
// depends on a line's fields, the directives to ask.
type scoped struct {
	level      Level
	directives []directive
}

// scope works out what f says of a scope.
func (f *Filter) scope(target string) scoped {
	var s scoped
	for _, d := range f.directives {
		if !d.bare && !strings.HasPrefix(target, d.target) {
			continue
		}
		s.level = max(s.level, d.level)
		if d.field == "" {
			if s.directives != nil {
				s.directives = append(s.directives, d)
			}
			return s
		}
		s.directives = append(s.directives, d)
	}
	return s
}

// passes reports whether a line with these field names passes.
func (s *scoped) passes(level Level, keys []string) bool {
	if s.directives == nil {
		return level <= s.level
	}
	for _, d := range s.directives {
		if d.has(keys) {
			return level <= d.level
		}
	}
	return false
}
