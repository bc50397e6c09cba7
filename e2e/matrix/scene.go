package matrix

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/admin"
	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/node"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// Looping is how long an actor crashes again and again, and loopingCalls when in that time the calls are made that the
// cell is about.
const (
	Looping      = 30 * time.Second
	loopingCalls = 5 * time.Second
)

// stagger is how long after one another the calls begin.
const stagger = 20 * time.Millisecond

// serverName is the server's host name as the SOCKS client knows it.
const serverName = "server.example"

// The deadlines of a flow: one timer serves its stages, so that the first is the shortest (actors/flow). socksDeadline is
// that of a flow of the SOCKS5 door, tunnelDeadline the last stage's.
var (
	settings       = flow.DefaultSettings()
	flowDeadline   = settings.StageDeadline + settings.WorkloadWait
	socksDeadline  = flowDeadline + settings.NegotiationDeadline
	tunnelDeadline = settings.StageDeadline + settings.ConnectDeadline
)

// Scene is a cell under way: two nodes, their applications, and a workload without a node.
type Scene struct {
	*bubble.World
	t      *testing.T
	row    *Row
	nodes  [2]*bubble.Node
	faults *fault.Faults
	calls  []*call // all that were made
	heals  time.Duration
	doomed atomic.Bool   // the state says so
	plane  *bubble.Plane // of the broken node, where it has one
	lists  *bubble.Lists // and these
	peer   *bubble.Peer  // whose certificate they name

	mu      sync.Mutex
	lasting []*call // those that stay open
}

// noJitter makes delays be exactly what they are on average.
func noJitter() float64 { return 0.5 }

// Broken is the node that suffers.
func (s *Scene) Broken() *bubble.Node { return s.nodes[s.row.Node] }

// mesh is what both nodes are told.
func mesh() bubble.Mesh {
	return bubble.Mesh{
		Workloads: []bubble.Workload{
			{Name: "client", IPs: "10.0.0.1"},
			{Name: "server", IPs: "10.0.0.2", Behind: map[string]messages.PortMap{"ns/server.ns": {80: 8080}}},
			{Name: "legacy", IPs: "10.0.0.3", TCP: true},
		},
		Services: []*messages.Service{bubble.Service("ns/server.ns", "10.9.0.2", messages.PortMap{80: 8080})},
		Policies: []*messages.Authorization{bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))},
	}
}

// names resolves the server's name.
type names struct{}

// Resolve knows one name.
func (names) Resolve(_ context.Context, host string) ([]netip.Addr, time.Duration, error) {
	if host != serverName {
		return nil, 0, errors.New("no such host")
	}
	return []netip.Addr{netip.MustParseAddr("10.0.0.2")}, time.Second, nil
}

// newScene sets the scene; the fault is not there yet.
func newScene(t *testing.T, row *Row) *Scene {
	s := &Scene{World: bubble.New(t, mesh()), t: t, row: row, faults: fault.New()}
	s.World.Serve(s.World.Host("legacy"), "10.0.0.3:8080", bubble.Echo)
	for _, addr := range []string{"10.0.0.2:7070", "10.0.0.2:8080", "10.0.0.2:9090"} {
		s.World.Serve(s.World.Host("server"), addr, bubble.Echo)
	}
	return s
}

// start starts a node.
func (s *Scene) start(side Side) {
	const task = "state manager"
	o := bubble.Options{Resolver: names{}, ReadyTasks: []string{task}, Seed: uint64(side) + 1, Chance: noJitter}
	if side == s.row.Node {
		o.Faults = s.faults
		if s.row.Before != nil {
			s.row.Before(s, &o)
		}
	}
	n := s.World.StartWith(side.String(), o)
	page, err := admin.Bind(context.Background(), n.Host, "readiness", []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:15021")})
	if err != nil {
		s.t.Fatal(err)
	}
	n.Serve(&admin.Serve{Endpoint: page})
	s.World.Settle()
	s.nodes[side] = n
}

// play goes through a cell and tells what was seen.
func (s *Scene) play(f Fault) Seen {
	s.t.Helper()
	s.start(Client + Server - s.row.Node)
	inject := func() *fault.Rule { return s.row.Over.inject(s.faults, s.row.Role, f, s.row.delay()) }
	var rule *fault.Rule
	if s.row.AtStart {
		rule = inject()
		s.start(s.row.Node)
	} else {
		s.start(s.row.Node)
		s.openLasting()
		rule = inject()
	}
	began := time.Now()
	if s.row.When != nil {
		s.row.When(s)
		s.World.Settle()
	}
	seen := s.launch(stagger)
	if f == CrashLoop {
		first := seen
		s.World.Pass(time.Until(began.Add(loopingCalls)))
		seen = s.launch(stagger)
		s.World.Pass(time.Until(began.Add(Looping)))
		rule.Release()
		first.wait()
	}
	seen.wait()
	rule.Release()
	if rule.Injected() == 0 && !s.row.mayMiss {
		s.t.Errorf("the fault was not injected: %s", s.faults.Report())
	}
	s.echoLasting()
	s.heals = s.heal()
	s.echoLasting()
	s.read()
	return Seen{Calls: s.unexpected(seen.calls), Cut: s.cut(), Heals: s.heals}
}

// burst are calls under way.
type burst struct {
	s     *Scene
	calls []*call
	all   sync.WaitGroup
}

// launch begins all calls, each a little after the other.
func (s *Scene) launch(stagger time.Duration) *burst {
	b := &burst{s: s}
	for _, name := range Names() {
		c := &call{name: name}
		b.calls, s.calls = append(b.calls, c), append(s.calls, c)
		b.all.Go(func() { c.make(s) })
		if stagger > 0 {
			s.World.Pass(stagger)
		}
	}
	return b
}

// wait waits until all calls are over.
func (b *burst) wait() {
	b.all.Wait()
	b.s.World.Settle()
}

// heal waits until everything goes well again.
func (s *Scene) heal() time.Duration {
	began := time.Now()
	for _, step := range Steps {
		if left := step - time.Since(began); left > 0 {
			s.World.Pass(left)
		}
		well := true
		b := s.launch(0)
		b.wait()
		for _, c := range b.calls {
			well = well && c.asItShould()
		}
		if well && !s.revokedLives() {
			return step
		}
	}
	return Never
}

// forbidden says that a call must fail.
func (c *call) forbidden() bool { return c.name == Denied || c.name == DeniedPlain }

// asItShould says that a call went as if nothing were broken.
func (c *call) asItShould() bool { return c.Answered != c.forbidden() && c.After == 0 && !c.Hangs }

// traced says that the trace of a call that went as it should says so.
func (c *call) traced() bool {
	want := messages.ReasonNone
	if c.forbidden() {
		want = messages.ReasonPolicyDenied
	}
	return c.name == Ready || !c.Unknown && c.Reason == want
}

func (s *Scene) openLasting() {
	s.t.Helper()
	for _, name := range []string{LastingMesh, LastingPlainOut, LastingPlainIn} {
		s.open(name)
	}
}

func (s *Scene) open(name string) {
	s.t.Helper()
	c := &call{name: name}
	s.calls = append(s.calls, c)
	if c.make(s); !c.Answered {
		s.t.Fatalf("%s: %s", name, c.Outcome)
	}
}

// doomer is a policy that denies a connection which was allowed.
func doomer() *messages.Authorization {
	return bubble.Policy("no-doomed", messages.ActionDeny, bubble.Ports(7070))
}

// doomBefore has the node ask the scene for its state, so that doomByDiscovery can change it.
func doomBefore(s *Scene, o *bubble.Options) {
	o.Source = func() discovery.State {
		m := mesh()
		if s.doomed.Load() {
			m.Policies = append(m.Policies, doomer())
		}
		return m.State()
	}
}

// doomByDiscovery is doom by way of discovery, which delivers the policies anew.
func doomByDiscovery(s *Scene) {
	s.t.Helper()
	s.open(Doomed)
	s.doomed.Store(true)
	system := s.Broken().System
	system.Send(actor.NewPID(system.Actors().Address(), node.RoleNode+"/"+discovery.RoleDiscovery), &messages.StoreLost{Role: state.RolePolicies})
	s.World.Pass(15 * time.Second)
}

// doom has a policy deny a connection that was allowed, and gives the node the time in which it should end.
func doom(s *Scene) {
	s.t.Helper()
	s.open(Doomed)
	s.nodes[Server].UpdatePolicies(messages.UpdatePolicies{
		Set: []*messages.Authorization{doomer()},
	})
	s.World.Pass(15 * time.Second)
}

// stay keeps a call's connection open.
func (s *Scene) stay(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lasting = append(s.lasting, c)
}

// echoLasting looks which of the lasting connections live.
func (s *Scene) echoLasting() {
	for _, c := range s.lasting {
		_ = c.conn.SetDeadline(time.Now().Add(Patience))
		if !c.over && c.echo(s) != nil {
			c.over = true
			_ = c.conn.Close()
		}
	}
	s.World.Settle()
}

// finish ends what lives: a policy that comes now ends what it denies, whatever was broken before.
func (s *Scene) finish() {
	s.t.Helper()
	s.nodes[Server].UpdatePolicies(messages.UpdatePolicies{
		Set: []*messages.Authorization{bubble.Policy("nobody", messages.ActionDeny, bubble.Ports(7070, 8080))},
	})
	s.World.Pass(time.Minute)
	s.echoLasting()
	for _, c := range s.lasting {
		switch {
		case !c.over && (c.name == LastingPlainOut || c.name == PlainOut):
			_ = c.conn.Close()
		case !c.over:
			s.t.Errorf("%s from %s lives on against the policy", c.name, c.from)
			_ = c.conn.Close()
		}
	}
	if s.peer != nil {
		s.peer.Close()
	}
	s.World.Settle()
}
