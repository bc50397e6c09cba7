package trace

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// EnvError says which variable can't be used, and what would be right.
type EnvError struct{ Name, Value, Want string }

// Error names all three.
func (e *EnvError) Error() string {
	return fmt.Sprintf("environment variable %s=%q: want %s", e.Name, e.Value, e.Want)
}

// environ reads variables and remembers the first that can't be used. Empty ones count as not set, as OpenTelemetry's
// specification says.
type environ struct {
	values map[string]string
	err    error
}

func newEnviron(list []string) *environ {
	e := &environ{values: make(map[string]string)}
	for _, entry := range list {
		name, value, ok := strings.Cut(entry, "=")
		if ok && strings.HasPrefix(name, "OTEL_") && value != "" {
			e.values[name] = strings.TrimSpace(value)
		}
	}
	return e
}

func (e *environ) refuse(name, want string) {
	if e.err == nil {
		e.err = &EnvError{name, e.values[name], want}
	}
}

// first is the first of the names that is set.
func (e *environ) first(names ...string) (name, value string) {
	for _, n := range names {
		if v := e.values[n]; v != "" {
			return n, v
		}
	}
	return "", ""
}

// traces looks for a variable of the traces signal and then for the one of all signals.
func (e *environ) traces(suffix string) (name, value string) {
	return e.first("OTEL_EXPORTER_OTLP_TRACES_"+suffix, "OTEL_EXPORTER_OTLP_"+suffix)
}

func (e *environ) bool(name, value string) bool {
	switch strings.ToLower(value) {
	case "":
	case "true":
		return true
	case "false":
	default:
		e.refuse(name, "true or false")
	}
	return false
}

// count is a number from 1 to most; 0 when not set.
func (e *environ) count(name string, most int) int {
	v := e.values[name]
	if v == "" {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > most {
		e.refuse(name, fmt.Sprintf("a whole number from 1 to %d", most))
		return 0
	}
	return n
}

// maxMillis is an hour.
const maxMillis = 3_600_000

// millis is a time in milliseconds; 0 when not set.
func (e *environ) millis(name string) time.Duration {
	v := e.values[name]
	if v == "" {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxMillis {
		e.refuse(name, fmt.Sprintf("milliseconds, a whole number from 1 to %d", maxMillis))
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// pairs is a list of the form key=value,key=value with percent-encoded values.
func (e *environ) pairs(name, value string) map[string]string {
	if value == "" {
		return nil
	}
	out := make(map[string]string)
	for entry := range strings.SplitSeq(value, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		k, v, ok := strings.Cut(entry, "=")
		decoded, err := url.PathUnescape(strings.TrimSpace(v))
		if k = strings.TrimSpace(k); !ok || k == "" || err != nil {
			e.refuse(name, "key=value pairs with commas between them and values percent-encoded")
			return nil
		}
		out[k] = decoded
	}
	return out
}

// oneOf refuses values that are not among the allowed; def is returned when not set.
func (e *environ) oneOf(name, value, def string, allowed ...string) string {
	if value == "" {
		return def
	}
	for _, a := range allowed {
		if value == a {
			return value
		}
	}
	e.refuse(name, "one of "+strings.Join(allowed, ", "))
	return def
}
