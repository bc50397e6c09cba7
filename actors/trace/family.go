package trace

import (
	"sync"
	"sync/atomic"
)

// Counter only grows. It satisfies relay.Adder.
type Counter struct{ n atomic.Uint64 }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Value is the sum so far.
func (c *Counter) Value() uint64 { return c.n.Load() }

// Gauge goes up and down.
type Gauge struct{ n atomic.Int64 }

// Add adds n, which may be negative.
func (g *Gauge) Add(n int64) { g.n.Add(n) }

// Set replaces the value.
func (g *Gauge) Set(n int64) { g.n.Store(n) }

// Value is the current value.
func (g *Gauge) Value() int64 { return g.n.Load() }

// maxChildren bounds the label sets of one labelled family; further ones share the set whose values are all overflow.
const maxChildren = 1024

const overflow = "overflow"

// kind is the type of a family.
type kind string

const (
	kindCounter   kind = "counter"
	kindGauge     kind = "gauge"
	kindHistogram kind = "histogram"
)

// head is what the two or three comment lines of a family say. The name has no _total. A family without samples writes
// not even its head (spec/ops.md §6.1).
type head struct {
	name, help string
	kind       kind
	unit       string
	labels     []string
}

// vec is a labelled family: T is Counter, Gauge or Histogram.
type vec[T any] struct {
	head
	mu       sync.RWMutex
	children map[string]*child[T]
	order    []*child[T]
	overflow *child[T]
	make     func() *T
}

type child[T any] struct {
	values []string
	value  *T
}

func newVec[T any](h head, make_ func() *T) *vec[T] {
	return &vec[T]{head: h, children: make(map[string]*child[T]), make: make_}
}

// With is the member of the family with these label values, in the family's order; it may be kept. Beyond the bound of
// the family all new label sets share one member.
func (v *vec[T]) With(values ...string) *T {
	if len(values) != len(v.labels) {
		panic("metric " + v.name + ": wrong number of label values")
	}
	var room [128]byte
	key := room[:0]
	for _, s := range values {
		key = append(append(key, s...), 0xff)
	}
	v.mu.RLock()
	c := v.children[string(key)]
	v.mu.RUnlock()
	if c != nil {
		return c.value
	}
	return v.add(string(key), values)
}

func (v *vec[T]) add(key string, values []string) *T {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.children[key]; c != nil {
		return c.value
	}
	if len(v.order) >= maxChildren {
		if v.overflow == nil {
			all := make([]string, len(v.labels))
			for i := range all {
				all[i] = overflow
			}
			v.overflow = &child[T]{values: all, value: v.make()}
			v.order = append(v.order, v.overflow)
		}
		return v.overflow.value
	}
	c := &child[T]{values: append([]string(nil), values...), value: v.make()}
	v.children[key] = c
	v.order = append(v.order, c)
	return c.value
}

// snapshot is the members so far, in the order they came.
func (v *vec[T]) snapshot() []*child[T] {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.order[:len(v.order):len(v.order)]
}

// CounterVec, GaugeVec and HistogramVec are labelled families.
type (
	CounterVec   struct{ *vec[Counter] }
	GaugeVec     struct{ *vec[Gauge] }
	HistogramVec struct{ *vec[Histogram] }
)

func newCounterVec(name, help string, labels ...string) CounterVec {
	h := head{name: name, help: help, kind: kindCounter, labels: labels}
	return CounterVec{newVec(h, func() *Counter { return new(Counter) })}
}

func newGaugeVec(name, help string, labels ...string) GaugeVec {
	h := head{name: name, help: help, kind: kindGauge, labels: labels}
	return GaugeVec{newVec(h, func() *Gauge { return new(Gauge) })}
}

func newHistogramVec(name, help, unit string, bounds []float64, labels ...string) HistogramVec {
	h := head{name: name, help: help, kind: kindHistogram, unit: unit, labels: labels}
	return HistogramVec{newVec(h, func() *Histogram { return newHistogram(bounds) })}
}
