package logs

import (
	"fmt"
	"strings"
)

// LevelError is a requested level that the admin endpoint does not accept.
type LevelError struct {
	Level string
}

// Error names what was asked for.
func (e *LevelError) Error() string { return fmt.Sprintf("level %q is invalid", e.Level) }

// Change adds directives to the filter in force, or, with reset, to the one the node started with; with reset and no
// level it goes back to that one. Each clause is a lower-case level, TARGET=LEVEL or TARGET:LEVEL; a bare target is
// refused (spec/ops.md §5.2). The error is a [*LevelError] for what is refused before it is tried.
func (l *Logs) Change(reset bool, level string) error {
	added, err := directivesOf(level)
	if err != nil {
		return err
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	base := l.filter.Load()
	if reset {
		base = l.initial
	}
	next := base.String()
	if next != "" && added != "" {
		next += ","
	}
	next += added
	filter, err := ParseFilter(next)
	if err != nil {
		return err
	}
	l.Scope("ztunnel::telemetry").Info("new log filter is " + filter.String()).Send()
	l.apply(filter)
	return nil
}

// directivesOf turns the admin endpoint's clauses into a filter's.
func directivesOf(level string) (string, error) {
	if level == "" {
		return "", nil
	}
	clauses := strings.Split(level, ",")
	for i, clause := range clauses {
		if at := lastSingleColon(clause); at >= 0 && !strings.Contains(clause, "=") {
			clauses[i] = clause[:at] + "=" + clause[at+1:]
		} else if isLevelWord(clause) {
			continue
		}
		if _, err := parseDirective(clauses[i]); err != nil || !strings.Contains(clauses[i], "=") {
			return "", &LevelError{level}
		}
	}
	return strings.Join(clauses, ","), nil
}

func isLevelWord(s string) bool {
	for _, name := range levelNames {
		if s == name {
			return true
		}
	}
	return false
}

// lastSingleColon finds the last colon that is not part of a ::, or -1.
func lastSingleColon(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] != ':' {
			continue
		}
		if i > 0 && s[i-1] == ':' {
			i--
			continue
		}
		return i
	}
	return -1
}
