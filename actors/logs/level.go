package logs

import (
	"strconv"
	"strings"
)

// Level is how much a line matters. As a filter it lets itself and everything more important pass.
type Level uint8

// The levels, from the filter that lets nothing pass to the most talkative.
const (
	Off Level = iota
	Error
	Warn
	Info
	Debug
	Trace
)

var levelNames = [...]string{"off", "error", "warn", "info", "debug", "trace"}

// String is the lower-case name.
func (l Level) String() string { return levelNames[l] }

// parseLevel reads a level of a filter: a name in any case, a number from 0 (off) to 5 (trace), or nothing for error.
func parseLevel(s string) (Level, bool) {
	if s == "" {
		return Error, true
	}
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && n <= uint64(Trace) {
		return Level(n), true
	}
	for i, name := range levelNames {
		if strings.EqualFold(s, name) {
			return Level(i), true
		}
	}
	return Off, false
}
