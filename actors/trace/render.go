package trace

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/troupe-mesh/troupe/messages"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// node is one span in its place of the tree.
type node struct {
	span     sdktrace.ReadOnlySpan
	children []*node
	orphan   bool // has a parent that is not here
}

// row is one line of the text: a span, or something about the one above it.
type row struct {
	place, name, took, bar, text string
}

// rendering turns one trace into rows.
type rendering struct {
	normal     bool
	begin, end time.Time // of what the bars show
	rows       []row
	places     map[string]bool
}

// barWidth is how many cells the bar of the whole set-up has.
const barWidth = 24

// renderTrace is the text of one trace.
func renderTrace(t *traceText, normal bool) string {
	roots := buildTree(t.spans)
	r := &rendering{normal: normal, places: make(map[string]bool)}
	r.measure(t.spans)
	for _, root := range roots {
		r.span(root, "", "", "  ")
	}
	var b strings.Builder
	r.title(&b, t)
	r.table(&b)
	if t.cut > 0 {
		fmt.Fprintf(&b, "  … and %d more spans\n", t.cut)
	}
	b.WriteByte('\n')
	return b.String()
}

// buildTree puts spans under their parents, in the order in which they began.
func buildTree(spans []sdktrace.ReadOnlySpan) []*node {
	all := make(map[trace.SpanID]*node, len(spans))
	nodes := make([]*node, len(spans))
	for i, s := range spans {
		nodes[i] = &node{span: s}
		all[s.SpanContext().SpanID()] = nodes[i]
	}
	var roots []*node
	for _, n := range nodes {
		parent := n.span.Parent()
		above := all[parent.SpanID()]
		switch {
		case above != nil && above != n:
			above.children = append(above.children, n)
		default:
			n.orphan = parent.SpanID().IsValid()
			roots = append(roots, n)
		}
	}
	inOrder(roots)
	for _, n := range nodes {
		inOrder(n.children)
	}
	return roots
}

func inOrder(nodes []*node) {
	slices.SortStableFunc(nodes, func(a, b *node) int {
		return cmp.Or(
			a.span.StartTime().Compare(b.span.StartTime()),
			a.span.EndTime().Compare(b.span.EndTime()),
			cmp.Compare(rank(a.span.Name()), rank(b.span.Name())),
			strings.Compare(a.span.Name(), b.span.Name()))
	})
}

// rank is a span's place in the closed list, which follows the life of a connection.
func rank(name string) int {
	return slices.IndexFunc(messages.SpanNames(), func(n messages.SpanName) bool { return n.String() == name })
}

// isLater reports whether a span belongs to the life after set-up, which the bars do not show.
func isLater(name string) bool {
	return name == messages.SpanTunnelSegment.String() || name == messages.SpanTunnelClose.String()
}

func (r *rendering) measure(spans []sdktrace.ReadOnlySpan) {
	for _, s := range spans {
		if isLater(s.Name()) && len(spans) > 1 {
			continue
		}
		if r.begin.IsZero() || s.StartTime().Before(r.begin) {
			r.begin = s.StartTime()
		}
		if s.EndTime().After(r.end) {
			r.end = s.EndTime()
		}
	}
}

// span adds the rows of a span and of everything below it. lead is what stands before its name, below what stands
// before the names of its children, and pad before the lines about it.
func (r *rendering) span(n *node, lead, below, pad string) {
	place := placeOf(n.span)
	r.places[place] = true
	r.rows = append(r.rows, row{
		place: place,
		name:  lead + n.span.Name(),
		took:  r.took(n.span),
		bar:   r.bar(n.span),
		text:  r.summary(n),
	})
	if len(n.children) > 0 {
		pad = below + "│ "
	}
	for _, line := range r.details(n) {
		r.rows = append(r.rows, row{name: pad, text: line})
	}
	for i, child := range n.children {
		if i == len(n.children)-1 {
			r.span(child, below+"└─ ", below+"   ", below+"     ")
		} else {
			r.span(child, below+"├─ ", below+"│  ", below+"│    ")
		}
	}
}

func (r *rendering) took(s sdktrace.ReadOnlySpan) string {
	if r.normal || s.Name() == messages.SpanTunnelClose.String() {
		return ""
	}
	return formatTook(s.EndTime().Sub(s.StartTime()))
}

// formatTook shows three digits.
func formatTook(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return "<1µs"
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.2fms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.2fs", d.Seconds())
	default:
		return d.Round(time.Second).String()
	}
}

// bar shows when the span ran within the set-up; a later span shows how long after its beginning.
func (r *rendering) bar(s sdktrace.ReadOnlySpan) string {
	whole := r.end.Sub(r.begin)
	if r.normal || whole <= 0 {
		return ""
	}
	if s.StartTime().After(r.end) || isLater(s.Name()) {
		return "+" + formatTook(max(0, s.EndTime().Sub(r.begin)))
	}
	cell := func(t time.Time) int {
		return int(int64(barWidth) * int64(min(max(0, t.Sub(r.begin)), whole)) / int64(whole))
	}
	from := min(cell(s.StartTime()), barWidth-1)
	to := max(cell(s.EndTime()), from+1)
	return strings.Repeat("·", from) + strings.Repeat("█", to-from) + strings.Repeat("·", barWidth-to)
}

func (r *rendering) title(b *strings.Builder, t *traceText) {
	id := t.spans[0].SpanContext().TraceID().String()
	if r.normal {
		id = "<id>"
	}
	b.WriteString("trace " + id)
	fmt.Fprintf(b, " · %s · %s", plural(len(t.spans), "span"), plural(len(r.places), "node"))
	if whole := r.end.Sub(r.begin); !r.normal && whole > 0 {
		b.WriteString(" · " + formatTook(whole))
	}
	b.WriteByte('\n')
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// table writes the rows in columns as wide as they need.
func (r *rendering) table(b *strings.Builder) {
	var place, name, took int
	for _, w := range r.rows {
		place = max(place, width(w.place))
		took = max(took, width(w.took))
		if w.place != "" {
			name = max(name, width(w.name))
		}
	}
	for _, w := range r.rows {
		line := "  " + left(w.place, place) + "  "
		if w.place == "" {
			line += w.name + "   " + w.text
		} else {
			line += left(w.name, name)
			if !r.normal {
				line += "  " + right(w.took, took) + "  " + left(w.bar, barWidth)
			}
			line += "  " + w.text
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

func width(s string) int { return utf8.RuneCountInString(s) }

func left(s string, w int) string { return s + strings.Repeat(" ", max(0, w-width(s))) }

func right(s string, w int) string { return strings.Repeat(" ", max(0, w-width(s))) + s }
