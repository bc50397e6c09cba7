package config

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hidden stands for a value that may be a secret.
const hidden = "<redacted>"

// variable is one setting of spec/ops.md §1.3 or of our own, by the name that sets it.
type variable struct {
	name string
	// show is the effective value as one would write it into the variable; false when it has none.
	show func(c *Config) (string, bool)
	// from are the variables that decide where this one is not set, the strongest first.
	from []string
}

// always shows a value that there always is.
func always(show func(c *Config) string) func(c *Config) (string, bool) {
	return func(c *Config) (string, bool) { return show(c), true }
}

func flag(read func(c *Config) bool) func(c *Config) (string, bool) {
	return always(func(c *Config) string { return strconv.FormatBool(read(c)) })
}

func number[T uint16 | uint32](read func(c *Config) T) func(c *Config) (string, bool) {
	return always(func(c *Config) string { return strconv.FormatUint(uint64(read(c)), 10) })
}

func span(read func(c *Config) time.Duration) func(c *Config) (string, bool) {
	return always(func(c *Config) string { return writeDuration(read(c)) })
}

// filled shows a string where it is not empty.
func filled(read func(c *Config) string) func(c *Config) (string, bool) {
	return func(c *Config) (string, bool) { return read(c), read(c) != "" }
}

// given shows a string where it is set.
func given(read func(c *Config) *string) func(c *Config) (string, bool) {
	return func(c *Config) (string, bool) {
		if p := read(c); p != nil {
			return *p, true
		}
		return "", false
	}
}

// word shows one of two words.
func word(read func(c *Config) bool, yes, no string) func(c *Config) (string, bool) {
	return always(func(c *Config) string {
		if read(c) {
			return yes
		}
		return no
	})
}

// writeDuration writes a duration so that [ParseDuration] reads it: in the largest unit that needs no fraction.
func writeDuration(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{
		{time.Hour, "h"},
		{time.Minute, "m"},
		{time.Second, "s"},
		{time.Millisecond, "ms"},
		{time.Microsecond, "us"},
	} {
		if d != 0 && d%u.size == 0 {
			return strconv.FormatInt(int64(d/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(d), 10) + "ns"
}

func writeRoot(r RootCert) (string, bool) {
	switch {
	case r.File != "":
		return r.File, true
	case r.System:
		return systemRoots, true
	case r.PEM != "":
		return hidden, true
	}
	return "", false
}

func writeToken(t AuthToken) (string, bool) {
	switch {
	case t.File != "":
		return t.File, true
	case t.HasStatic:
		return hidden, true
	}
	return "", false
}

func writeIP(a netip.Addr) (string, bool) {
	if !a.IsValid() {
		return "", false
	}
	return a.String(), true
}

func writeHeaders(all []Header, prefix string) []Setting {
	settings := make([]Setting, len(all))
	for i, h := range all {
		settings[i] = Setting{Name: prefix + h.Key, Value: hidden, Set: true, Source: FromEnvironment}
	}
	return settings
}

// metadata shows the node metadata that has no variable of its own.
func (l *loader) metadata(known map[string]bool) []Setting {
	var settings []Setting
	for _, key := range slices.Sorted(maps.Keys(l.cfg.ProxyMetadata)) {
		if name := metaPrefix + key; !known[name] {
			settings = append(settings, Setting{Name: name, Value: l.cfg.ProxyMetadata[key], Set: true, Source: l.source(name)})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.cfg.MetaJSON)) {
		settings = append(settings, Setting{
			Name: metaJSONPrefix + key, Value: string(l.cfg.MetaJSON[key]), Set: true, Source: FromEnvironment,
		})
	}
	return settings
}

// unread are variables that the chart or a user may set and nobody reads, each with the reason.
var unread = map[string]string{
	"INPOD_ENABLED":  "not read: PROXY_MODE decides, and shared is the default",
	"RUST_BACKTRACE": "not read: a Go program has no use for it",
}

// isOpenTelemetry says that OpenTelemetry's part reads a variable, isRuntime that Go's runtime does.
func isOpenTelemetry(name string) bool { return strings.HasPrefix(name, "OTEL_") }

func isRuntime(name string) bool {
	return slices.Contains([]string{"GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG", "GOTRACEBACK"}, name)
}
