package trace

// Watched is a family whose values belong to somebody else, who is asked for them at every scrape. All of them are ours
// beyond the reference's, so that its help says unstable.
type Watched struct {
	// Name has no _total. Help is a sentence without its full stop.
	Name, Help string
	// Counter says that the values only grow; otherwise it is a gauge.
	Counter bool
	// Unit is the last part of Name where that is a unit, such as bytes; it may be empty.
	Unit string
	// Label is what tells the values apart; empty when there is one only, whose label value is then ignored.
	Label string
	// Read tells the values by their label value, of which it must have a bounded set. It is called by scrapes, also by
	// several at once, and must come back within a second.
	Read func(tell func(label string, value uint64))
}

// Watch makes the metrics show the families, in the order of the calls. It is called before the first scrape.
func (t *Telemetry) Watch(families ...Watched) {
	for _, f := range families {
		h := head{name: f.Name, help: f.Help + " (unstable).", kind: kindGauge, unit: f.Unit}
		if f.Counter {
			h.kind = kindCounter
		}
		if f.Label != "" {
			h.labels = []string{f.Label}
		}
		t.metrics.watched = append(t.metrics.watched, watched{head: h, read: f.Read})
	}
}

type watched struct {
	head
	read func(tell func(label string, value uint64))
}

func (m *Metrics) writeWatched(e *exposition) {
	for i := range m.watched {
		w, first := &m.watched[i], true
		w.read(func(label string, value uint64) {
			if first {
				e.head(&w.head)
				first = false
			}
			var values []string
			if len(w.labels) > 0 {
				values = []string{label}
			}
			if w.kind == kindCounter {
				e.counter(&w.head, values, value)
			} else {
				e.gauge(&w.head, values, int64(value))
			}
		})
	}
}
