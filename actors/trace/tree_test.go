package trace

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func TestATreeForgetsTheOldestTraces(t *testing.T) {
	tree := NewTree(&strings.Builder{})
	n := newNode(t, nodeOptions{ratio: 1, tree: tree, telemetry: Options{LatePerSec: 1 << 30}})
	denyMany(n, maxTreeTraces/2)
	n.exported(t)
	first := tree.Traces()[0]
	for range 3 {
		denyMany(n, maxTreeTraces/2)
		n.exported(t)
	}
	if got := len(tree.Traces()); got != maxTreeTraces {
		t.Errorf("%d traces held, want %d", got, maxTreeTraces)
	}
	if err := tree.Print(first); err == nil || !strings.Contains(err.Error(), first.String()) {
		t.Errorf("printing a forgotten trace: %v", err)
	}
}

func TestATreeCutsEndlessTraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		tree := NewTree(&out)
		n := newNode(t, nodeOptions{ratio: 1, tree: tree})
		for range maxTreeSpans + 7 {
			r := inboundRecord()
			n.StartStream(r)
			n.Join(r, sampledParent, []string{"troupe=1"}, true)
			r.Begin(messages.SpanConnect, messages.NoSpan)
			n.EarlyDenied(r)
			pass(time.Second / forcedPerSec)
			n.exported(t)
		}
		id := tree.Traces()[0]
		if got := tree.Spans(id); got != maxTreeSpans {
			t.Errorf("%d spans held, want %d", got, maxTreeSpans)
		}
		if err := tree.Print(id); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "… and 7 more spans") || !strings.Contains(out.String(), "below span b7ad6b7169203331 of another node") {
			t.Errorf("got %s", out.String()[:500])
		}
		if tree.Spans(id) != 0 || len(tree.Traces()) != 0 {
			t.Error("a printed trace is still held")
		}
	})
}

// text is a writer that may be read while it is written.
type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (w *text) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *text) traces() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count("\n"+w.b.String(), "\ntrace ")
}

func TestALiveTreePrintsQuietTracesAndTheRestAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &text{}
		tree := NewLiveTree(out, time.Second)
		n := newNode(t, nodeOptions{ratio: 1, tree: tree})
		denyMany(n, 1)
		pass(900 * time.Millisecond)
		if got := out.traces(); got != 0 {
			t.Errorf("%d traces printed before they were quiet", got)
		}
		pass(400 * time.Millisecond)
		synctest.Wait()
		if got := out.traces(); got != 1 {
			t.Errorf("%d traces printed, want 1", got)
		}
		denyMany(n, 2)
		if err := n.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := out.traces(); got != 3 {
			t.Errorf("%d traces printed in the end, want 3", got)
		}
	})
}

func TestATreeReportsItsWriter(t *testing.T) {
	tree := NewTree(&brokenWriter{})
	n := newNode(t, nodeOptions{ratio: 1, tree: tree})
	denyMany(n, 1)
	n.exported(t)
	if err := tree.PrintAll(); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("printing to a writer that fails: %v", err)
	}
}

func TestDurationsShowThreeDigits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1: "<1µs", 999 * time.Nanosecond: "<1µs", 1500 * time.Nanosecond: "1µs", 123456: "123µs", 4210000: "4.21ms",
		421 * time.Millisecond: "421ms", 1234 * time.Millisecond: "1.23s", 61500 * time.Millisecond: "1m2s",
	} {
		if got := formatTook(d); got != want {
			t.Errorf("%d shown as %s, want %s", d, got, want)
		}
	}
}
