package matrix

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/e2e/bubble"
)

// spot is an actor's role and the type of a message that it handles.
type spot struct{ role, kind string }

// spots takes down what the actors of a node handle, and what of it at the start.
type spots struct {
	mu           sync.Mutex
	seen, starts map[spot]bool
}

// started is called when the node has started.
func (s *spots) started() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts = maps.Clone(s.seen)
}

var _ kit.FaultHook = (*spots)(nil)

// Post lets a message pass.
func (*spots) Post(_ kit.Target, msg any, deliver func(any)) { deliver(msg) }

// Handling takes a message down.
func (s *spots) Handling(to kit.Target, msg any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[spot{to.Role, kindOf(msg)}] = true
}

// whatever is every message of a type by its name.
func whatever(kind string) Message {
	return Message{name: kind, strike: func(faults *fault.Faults, role string, f Fault, late time.Duration) *fault.Rule {
		on := fault.On[any](faults, role).Where(func(m *any) bool { return kindOf(*m) == kind })
		switch f {
		case Drop:
			return on.Once().Drop()
		case Delay:
			return on.Once().Delay(late)
		case Duplicate:
			return on.Duplicate()
		default:
			return on.Once().LoseReply()
		}
	}}
}

var sweepAll = flag.Bool("sweep", false, "TestSweep delays and doubles every message, too, and loses every reply")

// own are the ends of what actors left to goroutines of their own. The kit delivers them once, whatever happens, so that
// nobody makes up for one that is dropped. The listeners of an HTTP endpoint come once, too: who drops them closes them.
var own = map[spot]bool{
	{"node", "admin.Serve"}:             true,
	{"admin", "admin.Serve"}:            true,
	{"dns-cache", "state.resolved"}:     true,
	{"peer", "pool.tunnelDialed"}:       true,
	{"session", "pod.secured"}:          true,
	{"tunnel", "messages.Finished"}:     true,
	{"certificates", "identity.signed"}: true,
}

// TestSweep does to every message of every actor what can happen on its way. What users see of it is not told here, but
// everything goes well again, and what must hold whatever is broken does. (Crashes over every message: e2e/bubble.)
func TestSweep(t *testing.T) {
	if testing.Short() && !*sweepAll {
		t.Skip("it takes long")
	}
	all := []Fault{Drop}
	if *sweepAll {
		all = []Fault{Drop, Delay, Duplicate, LoseReply}
	}
	for _, side := range []Side{Client, Server} {
		seen := &spots{seen: map[spot]bool{}, starts: map[spot]bool{}}
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t, &Row{Node: side, Before: func(_ *Scene, o *bubble.Options) { o.Faults = seen }})
			defer s.World.Close()
			s.start(Client)
			s.start(Server)
			seen.started()
			s.openLasting()
			s.launch(stagger).wait()
			s.verify()
		})
		sweep(t, seen.starts, side, true, all)
		sweep(t, seen.seen, side, false, all)
	}
}

// sweep does the faults to the messages of a node, from its start on or when it has long started.
func sweep(t *testing.T, seen map[spot]bool, side Side, atStart bool, all []Fault) {
	for _, at := range slices.SortedFunc(maps.Keys(seen), func(a, b spot) int { return strings.Compare(a.role+a.kind, b.role+b.kind) }) {
		for _, f := range all {
			if own[at] && f == Drop {
				continue
			}
			row := &Row{Role: at.role, Node: side, Over: whatever(at.kind), AtStart: atStart, mayMiss: true}
			t.Run(heading(row)+"/"+f.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newScene(t, row)
					defer s.World.Close()
					seen := s.play(f)
					if seen.Heals == Never {
						t.Errorf("it does not heal: %s", seen)
					}
					s.verify()
				})
			})
		}
	}
}
