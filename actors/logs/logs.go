package logs

import (
	"context"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// Format is how lines look.
type Format uint8

// The formats.
const (
	// Plain is tab-separated text (spec/ops.md §7.1).
	Plain Format = iota
	// JSON is one object a line (spec/ops.md §7.2).
	JSON
)

// Logs is a node's log. It is safe for concurrent use.
type Logs struct {
	queue   *queue    // nil for Discard
	out     io.Writer // takes whole lines: the queue
	format  Format
	zero    zerolog.Logger
	lines   sync.Pool
	initial *Filter
	filter  atomic.Pointer[Filter]

	changing sync.Mutex // serialises changes of the filter

	mu     sync.Mutex // guards scopes; held for map operations and for telling them a new filter
	scopes map[string]*scope
}

// scope is one target with what the filter in force says of it.
type scope struct {
	target string
	state  atomic.Pointer[scoped]
}

// New starts a log that writes to out, which must bear calls from one goroutine at a time. Close ends it.
func New(out io.Writer, format Format, filter *Filter) *Logs {
	q := newQueue(out)
	l := newLogs(q, format, filter)
	l.queue = q
	return l
}

func newLogs(out io.Writer, format Format, filter *Filter) *Logs {
	l := &Logs{out: out, format: format, zero: zerolog.New(out), initial: filter, scopes: map[string]*scope{}}
	l.lines.New = func() any { return &Line{} }
	l.filter.Store(filter)
	return l
}

// Discard is a log that refuses every line; it needs no Close. It is for tests and for parts used alone.
func Discard() *Logs { return newLogs(io.Discard, Plain, &Filter{}) }

// Scope is the logger of a scope. The name is the full one, ztunnel:: included.
func (l *Logs) Scope(target string) *Logger {
	return &Logger{logs: l, scope: l.scopeOf(target)}
}

func (l *Logs) scopeOf(target string) *scope {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.scopes[target]
	if s == nil {
		s = &scope{target: target}
		state := l.filter.Load().scope(target)
		s.state.Store(&state)
		l.scopes[target] = s
	}
	return s
}

// apply puts a filter in force.
func (l *Logs) apply(f *Filter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.filter.Store(f)
	for s := range maps.Values(l.scopes) {
		state := f.scope(s.target)
		s.state.Store(&state)
	}
}

// Filter lists the directives in force, the most specific first.
func (l *Logs) Filter() string { return l.filter.Load().String() }

// Flush waits until every line sent so far is written; it fails when ctx ends first.
func (l *Logs) Flush(ctx context.Context) error {
	if l.queue == nil {
		return nil
	}
	if err := l.queue.flush(ctx); err != nil {
		return fmt.Errorf("flush log: %w", err)
	}
	return nil
}

// Close flushes and ends the writer; it fails when ctx ends first. Lines sent later are written at once.
func (l *Logs) Close(ctx context.Context) error {
	if l.queue == nil {
		return nil
	}
	if err := l.queue.close(ctx); err != nil {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}

// Failed counts the lines that the output refused.
func (l *Logs) Failed() uint64 {
	if l.queue == nil {
		return 0
	}
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	return l.queue.failed
}
