package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// environment is the process environment under inspection. Its readers return the default for what is unset, and for
// what is wrong after noting the problem, so that one run finds every mistake.
type environment struct {
	vars     map[string]string
	problems Problems
	warnings []string
}

// newEnvironment takes NAME=VALUE entries. Of a name that occurs twice the first counts; entries that are not UTF-8 are
// skipped (spec/ops.md §12 no. 18).
func newEnvironment(entries []string) *environment {
	e := &environment{vars: make(map[string]string, len(entries))}
	for _, entry := range entries {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || !utf8.ValidString(entry) {
			continue
		}
		if _, dup := e.vars[name]; !dup {
			e.vars[name] = value
		}
	}
	return e
}

// names lists the variables with a prefix, sorted.
func (e *environment) names(prefix string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(e.vars)) {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}

func (e *environment) lookup(name string) (string, bool) {
	v, ok := e.vars[name]
	return v, ok
}

func (e *environment) isSet(name string) bool {
	_, ok := e.vars[name]
	return ok
}

// reject notes that a variable's value is unusable.
func (e *environment) reject(name, reason string) {
	e.problems = append(e.problems, &VarError{Name: name, Value: e.vars[name], Reason: reason})
}

// conflict notes that settings contradict each other.
func (e *environment) conflict(reason string) {
	e.problems = append(e.problems, &StateError{Reason: reason})
}

func (e *environment) warn(text string) { e.warnings = append(e.warnings, text) }

// text is a string variable; set but empty is a value.
func (e *environment) text(name, unset string) string {
	if v, ok := e.vars[name]; ok {
		return v
	}
	return unset
}

// boolean takes exactly true or false.
func (e *environment) boolean(name string, unset bool) bool {
	if b := e.tristate(name); b != nil {
		return *b
	}
	return unset
}

// tristate is a boolean that may be unset: nil.
func (e *environment) tristate(name string) *bool {
	v, ok := e.vars[name]
	if !ok {
		return nil
	}
	var b bool
	switch v {
	case "true":
		b = true
	case "false":
	default:
		e.reject(name, "provided string was not `true` or `false`; write exactly true or false")
		return nil
	}
	return &b
}

// unsigned takes a decimal integer of that many bits with an optional leading +.
func (e *environment) unsigned(name string, bits int, unset uint64) uint64 {
	v, ok := e.vars[name]
	if !ok {
		return unset
	}
	n, err := parseUnsigned(v, bits)
	if err != nil {
		e.reject(name, err.Error())
		return unset
	}
	return n
}

// ranged is an unsigned 32-bit integer with bounds.
func (e *environment) ranged(name string, unset, low, high uint32) uint32 {
	before := len(e.problems)
	n := uint32(e.unsigned(name, 32, uint64(unset)))
	if len(e.problems) == before && e.isSet(name) && (n < low || n > high) {
		e.reject(name, "out of range; write a number from "+strconv.FormatUint(uint64(low), 10)+
			" to "+strconv.FormatUint(uint64(high), 10))
		return unset
	}
	return n
}

// duration takes the grammar of [ParseDuration].
func (e *environment) duration(name string, unset time.Duration) time.Duration {
	v, ok := e.vars[name]
	if !ok {
		return unset
	}
	d, err := ParseDuration(v)
	if err != nil {
		e.reject(name, err.Error())
		return unset
	}
	return d
}

// choice takes one of a few words; the first is the default.
func (e *environment) choice(name string, words ...string) string {
	v, ok := e.vars[name]
	if !ok {
		return words[0]
	}
	if !slices.Contains(words, v) {
		e.reject(name, name+" must be one of "+strings.Join(words, ", "))
		return words[0]
	}
	return v
}
