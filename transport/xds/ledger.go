package xds

// Ledger is what of each kind is held, name by name, with its version: what the next stream echoes. It outlives streams, and
// is changed only after what it says has been done. It is for one goroutine at a time.
type Ledger struct {
	held [Kinds]map[string]string
	// size is how many bytes the entries take in a request.
	size [Kinds]int
	// acknowledged are the kinds of which a response was taken in whole.
	acknowledged [Kinds]bool
}

// NewLedger makes an empty one.
func NewLedger() *Ledger {
	l := &Ledger{}
	for k := range l.held {
		l.held[k] = map[string]string{}
	}
	return l
}

// Holds reports whether something of that name is held.
func (l *Ledger) Holds(k Kind, name string) bool {
	_, ok := l.held[k][name]
	return ok
}

// First is the first name held that pleases, in their order, or empty.
func (l *Ledger) First(k Kind, pleases func(name string) bool) string {
	first := ""
	for name := range l.held[k] {
		if (first == "" || name < first) && pleases(name) {
			first = name
		}
	}
	return first
}

// Len is how many names are held.
func (l *Ledger) Len(k Kind) int { return len(l.held[k]) }

// Acknowledged reports whether a response of the kind was once taken in whole: the state is warm then.
func (l *Ledger) Acknowledged(k Kind) bool { return l.acknowledged[k] }

// Apply notes a batch that has been done: what was understood is held, what was removed is not. What was rejected keeps the
// version it had, so that the server sees the difference and sends it again.
func (l *Ledger) Apply(b *Batch) {
	if b.Kind >= unknownKind {
		return
	}
	for i := range b.Items {
		l.set(b.Kind, b.Items[i].Name, b.Items[i].Version)
	}
	for _, name := range b.Removed {
		l.forget(b.Kind, name)
	}
	if len(b.Rejected) == 0 {
		l.acknowledged[b.Kind] = true
	}
}

// entryOverhead is what an entry of the map takes on the wire besides its text: three tags and three lengths.
const entryOverhead = 9

func (l *Ledger) set(k Kind, name, version string) {
	l.forget(k, name)
	l.held[k][name] = version
	l.size[k] += len(name) + len(version) + entryOverhead
}

func (l *Ledger) forget(k Kind, name string) {
	if version, ok := l.held[k][name]; ok {
		delete(l.held[k], name)
		l.size[k] -= len(name) + len(version) + entryOverhead
	}
}
