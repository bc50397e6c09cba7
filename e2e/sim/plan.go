package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/memnet"
)

// What draws from a life's seed: each has a stream of its own, so that one that draws more does not change the others.
const (
	chooses = iota + 1
	plans
	skews
	talks
	serves
	governs
)

// The world of every life: three workloads with a node each, one without, a host outside, and a service.
const (
	plainWorkload = "old"
	outsideHost   = "out"
	service       = "ns/svc.ns"
	vip           = "10.9.0.1"
)

var (
	meshed    = []string{"a", "b", "c"}
	addresses = map[string]string{"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.3", plainWorkload: "10.0.0.4", outsideHost: "10.1.0.1"}
)

// The ports, by what the application behind them does.
const (
	portEcho    = 8080 // sends back what it gets, and ends when its client does
	portBanner  = 8081 // speaks first, then is an echo
	portSource  = 8082 // sends much, ends its side, and reads to the end
	portSlow    = 8083 // reads slowly, and answers when all is read
	portResets  = 8084 // resets after a while
	portNobody  = 8085 // nobody listens
	portService = 80   // of the service: portEcho
)

var servicePorts = messages.PortMap{portService: portEcho, portBanner: portBanner, portSource: portSource}

// trouble are the kinds of trouble of a life.
type trouble struct{ network, actors, drain, pods bool }

func (t trouble) String() string {
	var all []string
	for _, kind := range []struct {
		is   bool
		name string
	}{{t.network, "bad network"}, {t.actors, "faulty actors"}, {t.drain, "a drain"}, {t.pods, "pods that come and go"}} {
		if kind.is {
			all = append(all, kind.name)
		}
	}
	if len(all) == 0 {
		return "calm"
	}
	return strings.Join(all, ", ")
}

// circumstances are what a life takes place in.
type circumstances struct {
	latency time.Duration
	buffer  int // bytes of a connection that may wait to be read
	streams int // that a tunnel carries
	unused  time.Duration
	panics  float64 // the chance of a message to be one over which an actor crashes
	losses  float64 // and to get lost, to be late or to come twice
	slow    bool    // messages may come much too late
}

func drawCircumstances(r *rand.Rand) circumstances {
	return circumstances{
		latency: pick(r, []time.Duration{100 * time.Microsecond, time.Millisecond, 20 * time.Millisecond}),
		buffer:  pick(r, []int{8 << 10, 64 << 10, memnet.DefaultBuffer}),
		streams: pick(r, []int{1, 3, 100}),
		unused:  pick(r, []time.Duration{time.Second, 5 * time.Minute}),
		panics:  pick(r, []float64{0, 0.001, 0.004}),
		losses:  pick(r, []float64{0.001, 0.005, 0.03}),
		slow:    r.IntN(4) == 0,
	}
}

// habit is how a client behaves.
type habit uint8

const (
	talker   habit = iota // says all, ends its side, reads to the end
	listener              // ends its side at once
	lingerer              // says a part, waits long, says the rest
	deaf                  // does not read for a while
	quitter               // resets in the middle
	habits
)

func (h habit) String() string {
	return [...]string{"talker", "listener", "lingerer", "deaf", "quitter"}[h]
}

// call is one connection of a client.
type call struct {
	id    int
	at    time.Duration
	from  string
	to    netip.AddrPort
	socks bool
	habit habit
	size  int
	wait  time.Duration
}

func (c *call) String() string {
	via := ""
	if c.socks {
		via = " by SOCKS"
	}
	return fmt.Sprintf("call %d from %s to %s%s at %v (%v, %d bytes, waits %v)", c.id, c.from, c.to, via, c.at, c.habit, c.size, c.wait)
}

// step is something that happens at a time.
type step struct {
	at   time.Duration
	what string
	do   func(l *life)
}

// Plan is what happens in one life.
type Plan struct {
	circumstances
	government
	revocation
	trouble trouble
	// shared says that the nodes are in shared mode: a CNI agent tells them of their pods.
	shared bool
	calls  []*call
	// changes are made to a node's state one after another, weather to the network.
	changes map[string][]change
	weather []step
	first   *state
}

// change changes what a node is told.
type change struct {
	at   time.Duration
	make func(s *state)
}

// traffic is the time in which calls begin and things change.
const traffic = 6 * time.Second

// draw makes a plan from a seed.
func draw(seed uint64) *Plan {
	r := rand.New(rand.NewPCG(seed, plans))
	p := &Plan{changes: map[string][]change{}, first: firstState(r)}
	p.circumstances = drawCircumstances(r)
	switch r.IntN(6) {
	case 2:
		p.trouble.network = true
	case 3, 4:
		p.trouble.actors = true
	case 5:
		p.trouble.network, p.trouble.actors = true, true
	}
	if r.IntN(5) == 0 {
		p.trouble.drain = true
		p.weather = append(p.weather, drawDrain(r))
	}
	for id := range 8 + r.IntN(40) {
		p.calls = append(p.calls, drawCall(r, id))
	}
	for _, node := range meshed {
		for range r.IntN(24) {
			p.changes[node] = append(p.changes[node], drawChange(r))
		}
		slices.SortFunc(p.changes[node], func(a, b change) int { return int(a.at - b.at) })
	}
	if p.trouble.network {
		for range 1 + r.IntN(4) {
			p.weather = append(p.weather, drawWeather(r))
		}
	}
	if p.shared = r.IntN(3) == 0; p.shared && r.IntN(2) == 0 {
		p.trouble.pods = true
		for range 1 + r.IntN(4) {
			p.weather = append(p.weather, drawPod(r))
		}
	}
	drawGovernment(seed, p)
	drawRevocation(seed, p)
	return p
}

// shorten leaves what begins before a time.
func (p *Plan) shorten(end time.Duration) {
	p.calls = slices.DeleteFunc(p.calls, func(c *call) bool { return c.at >= end })
	for i, c := range p.calls {
		c.id = i
	}
	p.weather = slices.DeleteFunc(p.weather, func(s step) bool { return s.at >= end })
	for node, changes := range p.changes {
		p.changes[node] = slices.DeleteFunc(changes, func(c change) bool { return c.at >= end })
	}
}

// script is the plan as lines, but for the changes, which are many.
func (p *Plan) script() []string {
	lines := []string{fmt.Sprintf("%s, shared %v: %+v, %+v, %+v", p.trouble, p.shared, p.circumstances, p.government, p.revocation)}
	for _, c := range p.calls {
		lines = append(lines, c.String())
	}
	for _, w := range p.weather {
		lines = append(lines, fmt.Sprintf("%v: %s", w.at, w.what))
	}
	return lines
}

func firstState(r *rand.Rand) *state {
	s := &state{workloads: map[string]*workload{}, policies: map[string]*policy{}}
	for _, name := range append(slices.Clone(meshed), plainWorkload) {
		s.workloads[name] = &workload{name: name, ip: addresses[name], plain: name == plainWorkload, behind: name == "b" || name == "c"}
	}
	for range r.IntN(3) {
		p := drawPolicy(r)
		s.policies[p.key] = p
	}
	return s
}

// instant is a time up to most, never the same for two in practice.
func instant(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most)))
}

func drawCall(r *rand.Rand, id int) *call {
	c := &call{id: id, at: instant(r, traffic), habit: pick(r, []habit{talker, talker, listener, lingerer, lingerer, lingerer, lingerer, lingerer, deaf, quitter})}
	c.from = pick(r, []string{"a", "a", "b", "c", plainWorkload})
	c.socks = c.from != plainWorkload && r.IntN(4) == 0
	c.size = []int{0, 1, 100, 5_000, 70_000, 400_000}[r.IntN(6)]
	c.wait = time.Duration(r.Int64N(int64(3 * time.Second)))
	if c.habit == lingerer {
		c.wait *= 12
	}
	if c.from != plainWorkload && r.IntN(3) == 0 {
		c.to = netip.AddrPortFrom(netip.MustParseAddr(vip), pick(r, []uint16{portService, portService, portBanner, portSource}))
		return c
	}
	var others []string
	for _, name := range []string{"a", "b", "c", plainWorkload, outsideHost} {
		if name != c.from && !(c.from == plainWorkload && !slices.Contains(meshed, name)) {
			others = append(others, name)
		}
	}
	port := pick(r, []uint16{portEcho, portEcho, portBanner, portSource, portSlow, portResets, portNobody})
	c.to = netip.AddrPortFrom(netip.MustParseAddr(addresses[pick(r, others)]), port)
	return c
}

func drawPolicy(r *rand.Rand) *policy {
	p := &policy{
		key: fmt.Sprintf("ns/p%d", r.IntN(5)), deny: r.IntN(2) == 0, dryRun: r.IntN(8) == 0, empty: r.IntN(8) == 0,
		scope: pick(r, []messages.PolicyScope{messages.ScopeNamespace, messages.ScopeGlobal, messages.ScopeWorkloadSelector, messages.ScopeWorkloadSelector}),
	}
	who := func() []string {
		if r.IntN(3) > 0 {
			return nil
		}
		return []string{pick(r, meshed)}
	}
	p.from, p.notFrom = who(), who()
	if r.IntN(3) == 0 {
		p.ports = []uint16{pick(r, []uint16{portEcho, portBanner, portSource})}
	}
	if !p.deny && r.IntN(2) == 0 { // allowances that leave most of the traffic alive
		p.from, p.notFrom, p.ports = nil, nil, nil
	}
	return p
}

func drawChange(r *rand.Rand) change {
	c := change{at: instant(r, traffic)}
	switch r.IntN(8) {
	case 0, 1:
		p := drawPolicy(r)
		c.make = func(s *state) { s.policies[p.key] = p }
	case 2, 6, 7:
		key := fmt.Sprintf("ns/p%d", r.IntN(5))
		c.make = func(s *state) { delete(s.policies, key) }
	case 3:
		name, keys := pick(r, meshed), []string{fmt.Sprintf("ns/p%d", r.IntN(5)), fmt.Sprintf("ns/p%d", r.IntN(5))}
		c.make = alter(name, func(w *workload) { w.selected = keys[:1+len(keys)/2] })
	case 4:
		name := pick(r, meshed)
		c.make = alter(name, func(w *workload) { w.behind = !w.behind })
	case 5:
		// A plain workload comes and goes: nobody loses its own.
		c.make = func(s *state) {
			if s.workloads[plainWorkload] != nil {
				delete(s.workloads, plainWorkload)
			} else {
				s.workloads[plainWorkload] = &workload{name: plainWorkload, ip: addresses[plainWorkload], plain: true}
			}
		}
	}
	return c
}

func alter(name string, how func(w *workload)) func(*state) {
	return func(s *state) {
		w := *s.workloads[name]
		how(&w)
		s.workloads[name] = &w
	}
}

func drawDrain(r *rand.Rand) step {
	node, patience := pick(r, meshed), instant(r, 10*time.Second)
	return step{instant(r, traffic), "drain " + node, func(l *life) {
		l.drained[node] = time.Now()
		_, err := l.nodes[node].Drain(context.Background(), messages.DrainGraceful, patience)
		if err != nil && !l.plan.trouble.actors {
			l.fail("drain %s: %v", node, err)
		}
	}}
}

func drawWeather(r *rand.Rand) step {
	all := []string{"a", "b", "c"}
	x := pick(r, all)
	y := pick(r, slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == x }))
	at := instant(r, traffic)
	if r.IntN(2) == 0 {
		return step{at, "reset " + x + "-" + y, func(l *life) {
			l.storm(x, y, 0)
			l.world.Net().Reset(l.world.Host(x), l.world.Host(y))
		}}
	}
	long := instant(r, 8*time.Second)
	return step{at, fmt.Sprintf("cut %s-%s for %v", x, y, long), func(l *life) {
		l.storm(x, y, long)
		l.world.Net().Partition(l.world.Host(x), l.world.Host(y))
		<-time.After(long)
		l.world.Net().Heal(l.world.Host(x), l.world.Host(y))
	}}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
