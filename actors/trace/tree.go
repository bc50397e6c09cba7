package trace

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// The bounds of a Tree: how many traces it holds, and how many spans of one.
const (
	maxTreeTraces = 1024
	maxTreeSpans  = 1024
)

// Tree is an exporter that prints traces as text, one tree for each, with the time each span took. Spans of one trace
// may come from several nodes, of one process or, by several Trees' writers, of more. It holds a bounded number of
// traces and forgets the oldest first. It is safe for concurrent use and never fails.
type Tree struct {
	w io.Writer
	// Normal makes output that is the same for each run: no times and no ids, equal siblings in order of name. It must
	// be set before the first span.
	Normal bool

	mu      sync.Mutex
	traces  map[oteltrace.TraceID]*traceText
	order   []oteltrace.TraceID
	dropped int

	quiet time.Duration
	quit  chan struct{}
	done  chan struct{}
	once  sync.Once
}

var _ Exporter = (*Tree)(nil)

// traceText are the spans of one trace so far.
type traceText struct {
	spans []sdktrace.ReadOnlySpan
	cut   int
	last  time.Time // when the last span came
}

// NewTree makes a Tree that prints when Print is called.
func NewTree(w io.Writer) *Tree {
	return &Tree{w: w, traces: make(map[oteltrace.TraceID]*traceText)}
}

// NewLiveTree makes a Tree that prints each trace once no span has come for quiet, and the rest at Shutdown, which must be
// called to end its goroutine. A trace that goes on after that is printed again, with what came later only.
func NewLiveTree(w io.Writer, quiet time.Duration) *Tree {
	t := NewTree(w)
	t.quiet, t.quit, t.done = quiet, make(chan struct{}), make(chan struct{})
	go t.run()
	return t
}

func (t *Tree) run() {
	defer close(t.done)
	tick := time.NewTicker(max(t.quiet/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-t.quit:
			return
		case now := <-tick.C:
			t.printQuiet(now)
		}
	}
}

func (t *Tree) printQuiet(now time.Time) {
	t.mu.Lock()
	var ids []oteltrace.TraceID
	for _, id := range t.order {
		if now.Sub(t.traces[id].last) >= t.quiet {
			ids = append(ids, id)
		}
	}
	t.mu.Unlock()
	for _, id := range ids {
		_ = t.Print(messages.TraceID(id)) // there is nobody to tell
	}
}

// ExportSpans takes spans in.
func (t *Tree) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range spans {
		id := s.SpanContext().TraceID()
		text := t.traces[id]
		if text == nil {
			text = t.add(id)
		}
		text.last = time.Now()
		if len(text.spans) >= maxTreeSpans {
			text.cut++
			continue
		}
		text.spans = append(text.spans, s)
	}
	return nil
}

func (t *Tree) add(id oteltrace.TraceID) *traceText {
	if len(t.order) >= maxTreeTraces {
		delete(t.traces, t.order[0])
		t.order = t.order[1:]
		t.dropped++
	}
	text := &traceText{}
	t.traces[id] = text
	t.order = append(t.order, id)
	return text
}

// Traces are the ids of the traces held, in the order in which they came.
func (t *Tree) Traces() []messages.TraceID {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := make([]messages.TraceID, len(t.order))
	for i, id := range t.order {
		ids[i] = messages.TraceID(id)
	}
	return ids
}

// Spans is how many spans of a trace are held.
func (t *Tree) Spans(id messages.TraceID) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := t.traces[oteltrace.TraceID(id)]; text != nil {
		return len(text.spans)
	}
	return 0
}

// Print writes a trace and forgets it. It fails when there is none, or with the writer's error.
func (t *Tree) Print(id messages.TraceID) error {
	text := t.take(oteltrace.TraceID(id))
	if text == nil {
		return fmt.Errorf("print trace %s: no span of it has come", id)
	}
	out := renderTrace(text, t.Normal)
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := io.WriteString(t.w, out); err != nil {
		return fmt.Errorf("print trace %s: %w", id, err)
	}
	return nil
}

func (t *Tree) take(id oteltrace.TraceID) *traceText {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.traces[id]
	if text == nil {
		return nil
	}
	delete(t.traces, id)
	for i, have := range t.order {
		if have == id {
			t.order = append(t.order[:i:i], t.order[i+1:]...)
			break
		}
	}
	return text
}

// PrintAll writes every trace held, in the order in which they came, and forgets them.
func (t *Tree) PrintAll() error {
	for _, id := range t.Traces() {
		if err := t.Print(id); err != nil {
			return err
		}
	}
	return nil
}

// Shutdown ends a live Tree and prints what it still holds; others it leaves as they are.
func (t *Tree) Shutdown(context.Context) error {
	if t.quit == nil {
		return nil
	}
	t.once.Do(func() { close(t.quit) })
	<-t.done
	return t.PrintAll()
}
