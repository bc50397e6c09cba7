package trace

import (
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// exposition writes OpenMetrics text the way the reference does (spec/ops.md §6.1): no _total in the head of a counter,
// labels in the order of the family, histograms as sum, count, buckets.
type exposition struct {
	w   io.Writer
	buf []byte
	err error
}

const flushAt = 32 << 10

func (e *exposition) flush() {
	if e.err == nil && len(e.buf) > 0 {
		_, e.err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
}

func (e *exposition) str(parts ...string) {
	for _, p := range parts {
		e.buf = append(e.buf, p...)
	}
}

func (e *exposition) head(h *head) {
	e.str("# HELP ", h.name, " ", h.help, "\n# TYPE ", h.name, " ", string(h.kind), "\n")
	if h.unit != "" {
		e.str("# UNIT ", h.name, " ", h.unit, "\n")
	}
}

// labels writes {a="b",…}, with extra as a last one, and nothing where there is none.
func (e *exposition) labels(names, values []string, extra ...string) {
	if len(names) == 0 && len(extra) == 0 {
		return
	}
	sep := byte('{')
	for i, n := range names {
		e.label(sep, n, values[i])
		sep = ','
	}
	if len(extra) == 2 {
		e.label(sep, extra[0], extra[1])
	}
	e.buf = append(e.buf, '}')
}

func (e *exposition) label(sep byte, name, value string) {
	e.buf = append(e.buf, sep)
	e.str(name, `="`)
	if !utf8.ValidString(value) { // a peer's baggage may be anything
		value = strings.ToValidUTF8(value, "\uFFFD")
	}
	start := 0
	for i := 0; i < len(value); i++ {
		var esc string
		switch value[i] {
		case '\\':
			esc = `\\`
		case '"':
			esc = `\"`
		case '\n':
			esc = `\n`
		default:
			continue
		}
		e.str(value[start:i], esc)
		start = i + 1
	}
	e.str(value[start:], `"`)
}

func (e *exposition) uint(v uint64) {
	e.buf = append(e.buf, ' ')
	e.buf = append(strconv.AppendUint(e.buf, v, 10), '\n')
	e.roll()
}

func (e *exposition) int(v int64) {
	e.buf = append(e.buf, ' ')
	e.buf = append(strconv.AppendInt(e.buf, v, 10), '\n')
	e.roll()
}

func (e *exposition) float(v float64) {
	e.str(" ", formatFloat(v), "\n")
	e.roll()
}

func (e *exposition) roll() {
	if len(e.buf) >= flushAt {
		e.flush()
	}
}

// formatFloat is the shortest decimal that reads back the same, with at least one digit after the point.
func formatFloat(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	for i := range len(s) {
		if s[i] == '.' {
			return s
		}
	}
	return s + ".0"
}

func (e *exposition) counter(h *head, values []string, v uint64) {
	e.str(h.name, "_total")
	e.labels(h.labels, values)
	e.uint(v)
}

func (e *exposition) gauge(h *head, values []string, v int64) {
	e.str(h.name)
	e.labels(h.labels, values)
	e.int(v)
}

// histogram writes counts, of which there is one more than bounds, and a sum in nanoseconds.
func (e *exposition) histogram(h *head, values []string, bounds []float64, counts []uint64, nanos uint64) {
	var total uint64
	for _, n := range counts {
		total += n
	}
	e.str(h.name, "_sum")
	e.labels(h.labels, values)
	e.float(float64(nanos) / float64(time.Second))
	e.str(h.name, "_count")
	e.labels(h.labels, values)
	e.uint(total)
	var seen uint64
	for i, n := range counts {
		le := "+Inf"
		if i < len(bounds) {
			le = formatFloat(bounds[i])
		}
		seen += n
		e.str(h.name, "_bucket")
		e.labels(h.labels, values, "le", le)
		e.uint(seen)
	}
}

func (v CounterVec) write(e *exposition) {
	for i, c := range v.snapshot() {
		if i == 0 {
			e.head(&v.head)
		}
		e.counter(&v.head, c.values, c.value.Value())
	}
}

func (v GaugeVec) write(e *exposition) {
	for i, c := range v.snapshot() {
		if i == 0 {
			e.head(&v.head)
		}
		e.gauge(&v.head, c.values, c.value.Value())
	}
}

func (v HistogramVec) write(e *exposition) {
	for i, c := range v.snapshot() {
		if i == 0 {
			e.head(&v.head)
		}
		counts, nanos := c.value.read()
		e.histogram(&v.head, c.values, c.value.bounds, counts, nanos)
	}
}
