package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/transport/memnet"
)

// Life is what became of one seed.
type Life struct {
	Seed uint64
	// Trouble says which kinds of faults there were.
	Trouble string
	// History is every delivery, Access the access log of each node.
	History *History
	Access  map[string][]string
	// Calls counts the connections that clients opened, Went those that went well, Faults what was injected.
	Calls, Went, Faults int
	// Ends counts how connections ended, by what the access logs say of it.
	Ends map[string]int
	// Script is what the seed made up.
	Script []string
	// Problems are what must not be; empty when all is well.
	Problems []string
}

// life is a Life under way.
type life struct {
	seed     uint64
	plan     *Plan
	begun    time.Time
	world    *bubble.World
	nodes    map[string]*bubble.Node
	faults   map[string]*fault.Faults
	director *Director
	model    *Model
	apps     applications
	entered  *entrances
	spoken   []*spoken
	storms   []storm
	drained  map[string]time.Time // when a drain of a node began
	planes   map[string]*bubble.Plane
	ca       *authority // nil where certificates outlive the life
	// registrar is the CA of a life with revocation lists, nil in others.
	registrar *registrar
	out       *Life

	mu sync.Mutex
}

func (l *life) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.Problems = append(l.out.Problems, fmt.Sprintf(format, args...))
}

// Run plays the life of a seed in a bubble of its own. It must not run in parallel with anything that draws from crypto.
func Run(t *testing.T, seed uint64) *Life {
	t.Helper()
	return run(t, seed, draw(seed))
}

// RunBriefly is Run of a life with the same circumstances and kinds of trouble, in which only what begins in the first
// quarter of the traffic happens.
func RunBriefly(t *testing.T, seed uint64) *Life {
	t.Helper()
	p := draw(seed)
	p.shorten(traffic / 4)
	return run(t, seed, p)
}

func run(t *testing.T, seed uint64, p *Plan) *Life {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed)
	out := &Life{Seed: seed, Ends: map[string]int{}}
	synctest.Test(t, func(t *testing.T) {
		l := &life{
			seed: seed, plan: p, begun: time.Now(), nodes: map[string]*bubble.Node{}, faults: map[string]*fault.Faults{},
			director: NewDirector(seed), model: &Model{nodes: map[string][]told{}}, entered: &entrances{}, out: out,
			drained: map[string]time.Time{}, planes: map[string]*bubble.Plane{},
		}
		out.Trouble, out.History = l.plan.trouble.String(), l.director.history
		out.Script = l.plan.script()
		l.build(t)
		l.live()
		l.end()
	})
	return out
}

func (l *life) build(t *testing.T) {
	l.world = bubble.NewOn(t, l.plan.first.mesh(), memnet.Options{
		Link: memnet.Link{Latency: l.plan.latency}, Buffer: l.plan.buffer,
		Skew: func(number uint64, at time.Time) time.Duration {
			r := rand.New(rand.NewPCG(l.seed<<8|skews, number<<40^uint64(at.UnixNano()))) // of the order of the latency
			return time.Duration(1 + r.Int64N(int64(l.plan.latency)))
		},
	})
	l.world.AddHost(outsideHost, addresses[outsideHost])
	l.director.delivered = l.entered.note
	if l.plan.renewals {
		var err error
		if l.ca, err = newAuthority(); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range meshed {
		l.model.tell(name, l.plan.first)
		l.model.applied(name)
		l.faults[name] = fault.Seeded(l.seed*16 + uint64(i))
		o := bubble.Options{
			Scheduler: l.director.Of(name), Seed: l.seed*16 + uint64(i) + 1, Faults: l.faults[name],
			Pod:    func(c *pod.Config) { c.Pool.MaxStreams, c.Pool.Unused = l.plan.streams, l.plan.unused },
			Source: func() discovery.State { return l.model.now(name).mesh().State() },
		}
		if l.plan.shared {
			l.nodes[name] = l.world.StartShared(o, name)
		} else {
			l.govern(name, &o)
			l.heed(&o)
			l.nodes[name] = l.world.StartWith(name, o)
		}
	}
	for _, host := range []string{"a", "b", "c", plainWorkload, outsideHost} {
		l.open(host)
	}
}

// live lets everything of the plan happen.
func (l *life) live() {
	var all sync.WaitGroup
	over := make(chan struct{})
	go func() {
		defer close(over)
		<-time.After(time.Second) // the nodes have their state and their doors are open
		l.warm()
		l.begun = time.Now()
		if l.plan.trouble.actors {
			for _, name := range meshed {
				mishaps(l.faults[name], l.plan.circumstances)
			}
		}
		l.spoken = make([]*spoken, len(l.plan.calls))
		for i, c := range l.plan.calls {
			all.Go(func() {
				<-time.After(c.at)
				l.spoken[i] = l.talk(c)
			})
		}
		for _, name := range meshed {
			all.Go(func() { l.control(name) })
		}
		for _, w := range l.plan.weather {
			all.Go(func() {
				<-time.After(w.at)
				w.do(l)
			})
		}
		all.Wait()
		for _, name := range meshed {
			l.out.Faults += len(l.faults[name].Report().Injections)
			l.faults[name].Release()
		}
		// What is still on its way ends. An application that its client has left may take all of its patience for it: when
		// both ways were full, nobody reads what it wants to say before (spec/dataplane.md §9).
		<-time.After(patience + time.Minute)
	}()
	l.director.Drive(over)
}

// end looks at everything, ends it, and looks at what is left.
func (l *life) end() {
	l.out.Access = map[string][]string{}
	for _, name := range meshed {
		l.out.Access[name] = l.nodes[name].Access()
	}
	l.checkCalls()
	l.checkPolicy()
	l.checkRevocation()
	l.checkLog()
	l.checkSpans()
	if !l.plan.trouble.actors {
		l.world.WantWholeTraces()
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		l.world.Close()
	}()
	l.director.Drive(over)
	l.checkLeft()
	if len(leftover()) > 0 { // the bubble ends the process because of them
		fmt.Fprintln(os.Stderr, l.out.Complain())
	}
}

// caller is the name of the host that has an address.
func caller(addr netip.Addr) string {
	for name, a := range addresses {
		if a == addr.String() {
			return name
		}
	}
	return ""
}

// Replay is how to play the life again.
func (l *Life) Replay() string {
	return fmt.Sprintf("go test ./e2e/sim -run 'TestSeeds$' -v -seeds 1 -seed %d", l.Seed)
}

// Complain is all there is to say of a life that failed.
func (l *Life) Complain() string {
	return fmt.Sprintf("seed %d (%s): %d problems\n  %s\nplay it again: %s\nthe last deliveries:\n%s",
		l.Seed, l.Trouble, len(l.Problems), strings.Join(l.Problems, "\n  "), l.Replay(), l.History.Diagram(40))
}

// Differ says in what another life of the same seed was different; empty when in nothing.
func (l *Life) Differ(other *Life) string {
	if d := l.History.Differ(other.History); d != "" {
		return d
	}
	for _, name := range meshed {
		if !slices.Equal(l.Access[name], other.Access[name]) {
			return fmt.Sprintf("access log of %s is\n  %s\nand was\n  %s", name,
				strings.Join(other.Access[name], "\n  "), strings.Join(l.Access[name], "\n  "))
		}
	}
	return ""
}
