package product

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// log keeps what a proxy prints. It is the process's standard output and error.
type log struct {
	mu    sync.Mutex
	part  []byte
	lines []string
}

func newLog() *log { return &log{} }

// Write takes output as it comes.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	for {
		line, rest, whole := bytes.Cut(l.part, []byte{'\n'})
		if !whole {
			return len(p), nil
		}
		l.lines = append(l.lines, string(line))
		l.part = rest
	}
}

func (l *log) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := slices.Clone(l.lines)
	if len(l.part) > 0 {
		lines = append(lines, string(l.part))
	}
	return lines
}

func (l *log) tail(n int) string {
	lines := l.all()
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Fields are those of one log line, all as text.
type Fields map[string]string

// Absent is the value of a field that must not be there.
const Absent = "\x00absent"

// has reports whether all of want are there.
func (f Fields) has(want Fields) bool {
	for name, value := range want {
		got, there := f[name]
		if there != (value != Absent) || there && got != value {
			return false
		}
	}
	return true
}

// parse reads a JSON log line; ok is false for other output.
func parse(line string) (f Fields, ok bool) {
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	var raw map[string]any
	if decoder.Decode(&raw) != nil {
		return nil, false
	}
	f = Fields{}
	for name, value := range raw {
		f[name] = fmt.Sprint(value)
	}
	return f, true
}

// AccessLog returns the access-log lines so far.
func (p *Proxy) AccessLog() []Fields {
	var found []Fields
	for _, line := range p.log.all() {
		if f, ok := parse(line); ok && f["scope"] == "access" {
			found = append(found, f)
		}
	}
	return found
}

// ExpectAccess waits for an access-log line with all of want and returns it.
func (p *Proxy) ExpectAccess(want Fields) Fields {
	p.tb.Helper()
	var found Fields
	if eventually(seeLimit, func() bool {
		for _, f := range p.AccessLog() {
			if f.has(want) {
				found = f
				return true
			}
		}
		return false
	}) {
		return found
	}
	var have strings.Builder
	for _, f := range p.AccessLog() {
		fmt.Fprintln(&have, f.text())
	}
	p.tb.Fatalf("proxy %s: no access-log line with\n%s\nwithin %v; it has\n%s", p.name, want.text(), seeLimit, have.String())
	return nil
}

// text is the fields in order of their names.
func (f Fields) text() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f)) {
		fmt.Fprintf(&b, "%s=%q ", name, f[name])
	}
	return b.String()
}

// Output is everything that the proxy has printed.
func (p *Proxy) Output() string { return strings.Join(p.log.all(), "\n") }
