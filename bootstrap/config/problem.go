package config

import (
	"fmt"
	"strings"
)

// VarError is one environment variable that can't be used.
type VarError struct {
	Name, Value string
	// Reason says what is wrong and what would be right.
	Reason string
}

// Error has the reference's form: invalid env var NAME=VALUE (reason).
func (e *VarError) Error() string {
	return fmt.Sprintf("invalid env var %s=%s (%s)", e.Name, e.Value, e.Reason)
}

// StateError is a combination of settings that can't work together.
type StateError struct {
	Reason string
}

// Error has the reference's form: invalid configuration: reason.
func (e *StateError) Error() string { return "invalid configuration: " + e.Reason }

// ProxyConfigError is a mesh configuration file, PROXY_CONFIG or resulting proxy setting that can't be used.
type ProxyConfigError struct {
	Err error
}

// Error has the reference's form: error parsing proxy config: cause.
func (e *ProxyConfigError) Error() string { return "error parsing proxy config: " + e.Err.Error() }

// Unwrap is the cause.
func (e *ProxyConfigError) Unwrap() error { return e.Err }

// Problems is everything that is wrong with the configuration, in the order it was found; never empty.
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
