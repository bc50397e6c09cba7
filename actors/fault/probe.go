package fault

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// maxProbes is how many probes there may be at a time, of each sort.
const maxProbes = 256

// maxOthers is how many types of other messages a probe tells apart.
const maxOthers = 32

// watcher is a probe of any type.
type watcher interface {
	see(to kit.Target, msg any)
}

// Probe sees the messages of one type that reach the handlers of some actors, in order: those that were not dropped or
// held on the way, each as often as it arrives, before it is handled.
type Probe[T any] struct {
	faults *Faults
	what   string
	actors pattern
	seen   *inbox[*T]

	mu     sync.Mutex
	others map[string]int // what else those actors handled, by type
}

// Watch begins to look for messages of type T, or *T, at the actors whose role or whole name matches the pattern; see
// On. Close ends it. It panics when faults is nil, the pattern can't be read, or 256 probes look already.
func Watch[T any](faults *Faults, actors string) *Probe[T] {
	what := fmt.Sprintf("Watch[%s](%q)", typeName[T](), actors)
	if faults == nil {
		misuse("%s: faults is nil", what)
	}
	pattern, err := newPattern(actors)
	if err != nil {
		misuse("%s: %v", what, err)
	}
	p := &Probe[T]{faults: faults, what: what, actors: pattern, seen: newInbox[*T](), others: make(map[string]int)}
	if !faults.probes.add(p, maxProbes) {
		misuse("%s: %d probes look already; close those that are not needed", what, maxProbes)
	}
	faults.active.Add(1)
	return p
}

func (p *Probe[T]) see(to kit.Target, msg any) {
	if !p.actors.matchesActor(to.Role, to.PID) {
		return
	}
	if m, ok := as[T](msg); ok {
		p.seen.put(m)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if name := nameOf(msg); p.others[name] > 0 || len(p.others) < maxOthers {
		p.others[name]++
	}
}

// Expect returns the first message seen that no earlier call has returned, and waits up to timeout for it. The message is
// the actor's: it must not be changed. Without one it returns a *TimeoutError that says what the actors handled instead
// and what was injected.
func (p *Probe[T]) Expect(timeout time.Duration) (*T, error) {
	if m, ok := p.seen.next(timeout); ok {
		return m, nil
	}
	return nil, &TimeoutError{
		Awaited: fmt.Sprintf("no %s reached %q", typeName[T](), p.actors.text), Within: timeout, Instead: p.instead(),
	}
}

// MustExpect is Expect that ends the test when there is no such message.
func (p *Probe[T]) MustExpect(t TB, timeout time.Duration) *T {
	t.Helper()
	m, err := p.Expect(timeout)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return m
}

// Close ends the probe. What it has seen can still be asked for.
func (p *Probe[T]) Close() {
	if p.faults.probes.remove(p) {
		p.faults.active.Add(-1)
	}
}

func (p *Probe[T]) instead() []string {
	p.mu.Lock()
	lines := make([]string, 0, len(p.others)+1)
	for name, n := range p.others {
		lines = append(lines, fmt.Sprintf("it handled %d of %s", n, name))
	}
	p.mu.Unlock()
	slices.Sort(lines)
	if len(lines) == 0 {
		lines = append(lines, "it handled nothing else")
	}
	if n := p.seen.lost(); n > 0 {
		lines = append(lines, fmt.Sprintf("%d more were seen than could be kept", n))
	}
	return append(lines, p.faults.struck())
}

// maxStruck is how many rules a failure text names.
const maxStruck = 8

// struck says in one line which rules have struck.
func (f *Faults) struck() string {
	var lines []string
	for _, r := range f.Report().Rules {
		if r.Injected > 0 {
			lines = append(lines, fmt.Sprintf("%d by %s", r.Injected, r.Rule))
		}
	}
	if len(lines) == 0 {
		return "no fault was injected"
	}
	if n := len(lines) - maxStruck; n > 0 {
		lines = append(lines[:maxStruck], fmt.Sprintf("others by %d more rules", n))
	}
	return "faults injected: " + strings.Join(lines, ", ")
}
