package bubble

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/troupe-mesh/troupe/actors/trace"
)

// traces draws what the nodes of a world export as trees, without times, ids and ports: as golden files want them.
type traces struct {
	*trace.Tree
	text bytes.Buffer
}

func newTraces() *traces {
	t := &traces{}
	t.Tree = trace.NewTree(&t.text)
	t.Normal = true
	return t
}

// take draws every trace that has come since the last time, those with most spans first.
func (t *traces) take() string {
	type drawn struct {
		spans int
		text  string
	}
	var all []drawn
	for _, id := range t.Traces() {
		spans := t.Spans(id)
		t.text.Reset()
		_ = t.Print(id) // a buffer takes everything
		all = append(all, drawn{spans, t.text.String()})
	}
	slices.SortFunc(all, func(a, b drawn) int {
		return cmp.Or(cmp.Compare(b.spans, a.spans), strings.Compare(a.text, b.text))
	})
	var text strings.Builder
	for _, d := range all {
		text.WriteString(d.text)
	}
	return text.String()
}

// Traces are the traces of all nodes since it was last called, drawn as trees without times and ids. What goes on is
// drawn when it is over.
func (w *World) Traces() string {
	w.tb.Helper()
	for _, n := range w.nodes {
		if n.spans == nil || n.stopped {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		if err := n.telemetry.Flush(ctx); err != nil {
			w.tb.Errorf("traces of %s: %v", n.name, err)
		}
		cancel()
	}
	return w.traces.take()
}
