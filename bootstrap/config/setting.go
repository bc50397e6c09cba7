package config

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// The places that a setting comes from, as [Setting.Source] names them.
const (
	FromDefault     = "default"
	FromEnvironment = "environment"
	fromProxyConfig = "PROXY_CONFIG"
	fromMeshFile    = meshConfigFile
)

// Fields of a ProxyConfig that have no variable, and that decide about one.
const (
	fieldDiscoveryAddress = "discoveryAddress"
	fieldConcurrency      = "concurrency"
	fieldAdminPort        = "proxyAdminPort"
	fieldStatsPort        = "statsPort"
)

// Setting is one effective setting and where it comes from.
type Setting struct {
	// Name is the variable's, or a ProxyConfig field's where no variable has it.
	Name string
	// Value is what is in force, as one would write it into the variable; secrets are hidden. Set is false where there is
	// none.
	Value string
	Set   bool
	// Source is the default, the environment, PROXY_CONFIG, the mesh configuration file, or the setting that decided in
	// this one's stead.
	Source string
	// Ignored says why a variable of the environment changes nothing; empty for all others.
	Ignored string
}

// Explain reads the configuration as [Load] does and says of every setting what is in force and why. The settings are
// there also when the error says that they can't be used; wrong ones show their default then.
func Explain(environ, args []string, host Host) ([]Setting, error) {
	l := newLoader(environ, args, host)
	err := l.load()
	return l.settings(), err
}

// settings lists the variables in the order of the specification, then headers and metadata, then what is not read.
func (l *loader) settings() []Setting {
	known := map[string]bool{}
	var all []Setting
	for _, v := range variables {
		known[v.name] = true
		value, set := v.show(l.cfg)
		s := Setting{Name: v.name, Value: value, Set: set, Source: l.sourceOf(v)}
		if !set && l.env.vars[v.name] != "" {
			s.Ignored = "without effect beside the other settings"
		}
		all = append(all, s)
		for _, from := range v.from {
			known[from] = true
		}
	}
	all = append(all, writeHeaders(l.cfg.XDSHeaders, "XDS_HEADER_")...)
	all = append(all, writeHeaders(l.cfg.CAHeaders, "CA_HEADER_")...)
	all = append(all, l.metadata(known)...)
	for _, name := range slices.Sorted(maps.Keys(l.env.vars)) {
		value := l.env.vars[name]
		switch reason, ok := unread[name]; {
		case ok:
			all = append(all, Setting{Name: name, Value: value, Set: true, Source: FromEnvironment, Ignored: reason})
		case isOpenTelemetry(name):
			if strings.Contains(name, "HEADERS") {
				value = hidden
			}
			all = append(all, Setting{Name: name, Value: value, Set: true, Source: FromEnvironment})
		case isRuntime(name):
			all = append(all, Setting{Name: name, Value: value, Set: true, Source: FromEnvironment})
		}
	}
	return all
}

// source is where a variable or field got its value.
func (l *loader) source(name string) string {
	if l.env.isSet(name) {
		return FromEnvironment
	}
	if place, ok := l.origins[name]; ok {
		return place
	}
	return FromDefault
}

// sourceOf is the same for a variable that others may decide.
func (l *loader) sourceOf(v variable) string {
	if place := l.source(v.name); place != FromDefault {
		return place
	}
	for _, name := range v.from {
		switch place := l.source(name); place {
		case FromDefault:
		case FromEnvironment:
			return name
		default:
			return place + " " + name
		}
	}
	return FromDefault
}

// WriteSettings prints settings as three columns: NAME=VALUE, the source, and what is to be said of it.
func WriteSettings(w io.Writer, all []Setting) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range all {
		line := s.Name + "=" + strings.ReplaceAll(s.Value, "\t", " ")
		if strings.ContainsAny(s.Value, "\n\r") {
			line = fmt.Sprintf("%s=%q", s.Name, s.Value)
		}
		if !s.Set {
			line = s.Name + " is unset"
		}
		if s.Ignored != "" {
			s.Source += ", " + s.Ignored
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\n", line, s.Source); err != nil {
			return fmt.Errorf("write settings: %w", err)
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

// Known says whether a variable of the environment is one that somebody knows: it is read here, by OpenTelemetry or by
// Go's runtime, or known to be read by nobody, with the reason.
func Known(name string) (ignored string, ok bool) {
	for _, v := range variables {
		if v.name == name || slices.Contains(v.from, name) {
			return "", true
		}
	}
	for _, prefix := range []string{metaPrefix, metaJSONPrefix, "XDS_HEADER_", "CA_HEADER_"} {
		if strings.HasPrefix(name, prefix) {
			return "", true
		}
	}
	if isOpenTelemetry(name) || isRuntime(name) || name == fromProxyConfig {
		return "", true
	}
	ignored, ok = unread[name]
	return ignored, ok
}
