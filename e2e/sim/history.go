package sim

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// outside is the cause of what no delivery caused: bytes that arrive, deadlines, the control plane.
const outside = "outside"

// Event is one delivery.
type Event struct {
	// At is the virtual time since the start.
	At time.Duration
	// From is whom the delivery was for that made somebody send this one, To whom it is for: "node/actor".
	From, To string
	// Message is its type.
	Message string
}

// String is the event as one line.
func (e Event) String() string { return fmt.Sprintf("%v %s -> %s: %s", e.At, e.From, e.To, e.Message) }

// History is all deliveries of one life, in order.
type History struct {
	mu  sync.Mutex
	all []Event
}

func (h *History) add(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, e)
}

// Events are the deliveries so far.
func (h *History) Events() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[:len(h.all):len(h.all)]
}

// Diagram shows the last n deliveries as a mermaid sequence diagram.
func (h *History) Diagram(n int) string {
	all := h.Events()
	all = all[max(0, len(all)-n):]
	var b strings.Builder
	b.WriteString("sequenceDiagram\n")
	names := map[string]string{}
	name := func(actor string) string {
		if names[actor] == "" {
			names[actor] = fmt.Sprintf("p%d", len(names))
			fmt.Fprintf(&b, "  participant %s as %s\n", names[actor], actor)
		}
		return names[actor]
	}
	for _, e := range all {
		name(e.From)
		name(e.To)
	}
	last := time.Duration(-1)
	for _, e := range all {
		if e.At != last {
			fmt.Fprintf(&b, "  Note over %s: +%v\n", name(all[0].From), e.At)
			last = e.At
		}
		fmt.Fprintf(&b, "  %s->>%s: %s\n", name(e.From), name(e.To), e.Message)
	}
	return b.String()
}

// Differ says where two histories part; empty when they are the same.
func (h *History) Differ(other *History) string {
	a, b := h.Events(), other.Events()
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("delivery %d is\n  %s\nand was\n  %s\nafter\n%s", i, b[i], a[i], (&History{all: a[:i]}).Diagram(20))
		}
	}
	if len(a) != len(b) {
		return fmt.Sprintf("%d deliveries, and were %d", len(b), len(a))
	}
	return ""
}
