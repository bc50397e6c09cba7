package localconfig

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
)

// FieldError is one field that can't be used.
type FieldError struct {
	// Line is where it stands, counted from 1.
	Line int
	// Field is its path, such as workloads[0].protocol.
	Field string
	// Value is what it says, shortened.
	Value string
	// Reason is what is wrong and what would be right.
	Reason string
}

// Error names line, field, value and reason.
func (e *FieldError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("line %d: %s: %s", e.Line, e.Field, e.Reason)
	}
	return fmt.Sprintf("line %d: %s: %s: %s", e.Line, e.Field, e.Value, e.Reason)
}

// byLine orders problems as the file is read; a remark without a line comes last.
func byLine(a, b error) int {
	return cmp.Compare(lineOf(a), lineOf(b))
}

func lineOf(err error) int {
	if f, ok := errors.AsType[*FieldError](err); ok {
		return f.Line
	}
	return math.MaxInt
}

// Problems is everything that is wrong with a file, in its order; never empty.
type Problems []error //nolint:errname // it is a list of errors

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, err := range p {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As look at each problem.
func (p Problems) Unwrap() []error { return p }
