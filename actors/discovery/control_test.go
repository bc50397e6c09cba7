package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
	wire "github.com/troupe-mesh/troupe/transport/wire/discovery"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// server is the control plane of a test, which says what the test tells it to.
type server struct {
	mu sync.Mutex
	// refuse is why no stream opens, nil when they do; attempts is when each was begun.
	refuse   error
	attempts []time.Time
	streams  []*line
}

// Open opens a stream, or not.
func (s *server) Open(context.Context) (xds.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts = append(s.attempts, time.Now())
	if s.refuse != nil {
		return nil, s.refuse
	}
	l := &line{responses: make(chan any, 10), closed: make(chan struct{})}
	s.streams = append(s.streams, l)
	return l, nil
}

func (s *server) setRefuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

func (s *server) tried() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.attempts)
}

func (s *server) opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// last is the newest stream.
func (s *server) last(t *testing.T) *line {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.streams) == 0 {
		t.Fatal("no stream was opened")
	}
	return s.streams[len(s.streams)-1]
}

// line is a stream.
type line struct {
	mu        sync.Mutex
	requests  []*wire.DeltaDiscoveryRequest
	responses chan any
	once      sync.Once
	closed    chan struct{}
	// stuck makes Send wait for the end.
	stuck bool
}

func (l *line) Send(r *wire.DeltaDiscoveryRequest) error {
	l.mu.Lock()
	stuck := l.stuck
	if !stuck {
		l.requests = append(l.requests, r)
	}
	l.mu.Unlock()
	if stuck {
		<-l.closed
		return io.EOF
	}
	return nil
}

func (l *line) Receive() (*xds.Batch, error) {
	select {
	case r := <-l.responses:
		if err, ok := r.(error); ok {
			return nil, err
		}
		return r.(*xds.Batch), nil
	case <-l.closed:
		return nil, status.Error(codes.Canceled, "closed")
	}
}

func (l *line) Close() { l.once.Do(func() { close(l.closed) }) }

// take is what was asked since it was called last.
func (l *line) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var said []string
	for _, r := range l.requests {
		kind := "addresses"
		if r.TypeUrl == xds.Authorizations.TypeURL() {
			kind = "policies"
		}
		text := kind
		if len(r.ResourceNamesSubscribe) > 0 {
			text += fmt.Sprintf(" +%v", r.ResourceNamesSubscribe)
		}
		if len(r.ResourceNamesUnsubscribe) > 0 {
			text += fmt.Sprintf(" -%v", r.ResourceNamesUnsubscribe)
		}
		if len(r.InitialResourceVersions) > 0 {
			text += fmt.Sprintf(" held %v", slices.Sorted(maps.Keys(r.InitialResourceVersions)))
		}
		if r.ResponseNonce != "" {
			text += " nonce " + r.ResponseNonce
		}
		if r.ErrorDetail != nil {
			text += " error " + r.ErrorDetail.Message
		}
		said = append(said, text)
	}
	l.requests = nil
	return said
}

func (l *line) say(r any) {
	l.responses <- r
	synctest.Wait()
}

func pods(nonce string, uids ...string) *xds.Batch {
	b := &xds.Batch{Kind: xds.Addresses, TypeURL: xds.Addresses.TypeURL(), Nonce: nonce}
	for _, uid := range uids {
		b.Items = append(b.Items, xds.Item{
			Name: uid, Version: "1", Aliases: []string{"/" + uid + "-ip"},
			Workload: &messages.WorkloadUpdate{Workload: &messages.Workload{UID: uid}},
		})
	}
	return b
}

func rules(nonce string, keys ...string) *xds.Batch {
	b := &xds.Batch{Kind: xds.Authorizations, TypeURL: xds.Authorizations.TypeURL(), Nonce: nonce}
	for _, key := range keys {
		b.Items = append(b.Items, xds.Item{Name: key, Policy: &messages.Authorization{Key: key}})
	}
	return b
}

// scene is discovery with its server and listeners in the stores' places.
type scene struct {
	t      *testing.T
	system *kit.System
	pid    *actor.PID
	said   *listeners
	server *server
	memory *Memory
	count  *Counters
}

func stage(t *testing.T, s State, change func(*Control)) *scene {
	t.Helper()
	c := &scene{t: t, system: kit.NewSystem(kit.Config{}), said: &listeners{}, server: &server{}, memory: NewMemory(), count: &Counters{}}
	all, err := c.system.SpawnRoot(kit.Spec{Role: "all", Capacity: 1000, New: func() actor.Actor { return c.said }}, "all")
	if err != nil {
		t.Fatal(err)
	}
	control := &Control{Opener: c.server, Node: &wire.Node{Id: "me"}, Counters: c.count}
	if change != nil {
		change(control)
	}
	c.pid, err = c.system.SpawnRoot(Spec(Config{
		State: s, Control: control, Memory: c.memory, Workloads: all, Services: all, Policies: all, Node: all,
	}), RoleDiscovery)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return c
}

func (c *scene) end() { stop(c.t, c.system) }

func (c *scene) told(want ...string) {
	c.t.Helper()
	wantAre(c.t, "the stores heard", c.said.take(), want)
}

func (c *scene) asked(want ...string) {
	c.t.Helper()
	wantAre(c.t, "the server heard", c.server.last(c.t).take(), want)
}

func wantAre(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s %q, want %q", what, got, want)
	}
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

var base = []string{"workloads 0 reset=true more=false", "policies 0 reset=true more=false", "services 0 reset=true more=false"}

// The doors open after one acknowledged response of each type, and not after one that was not (CP18; the reference's
// test_that_caches_are_warm_before_unblocked).
func TestDoorsOpenAfterTheFirstWholeAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := stage(t, State{}, nil)
		c.told(base...)
		c.asked("addresses", "policies")
		l := c.server.last(t)
		bad := pods("1", "good")
		bad.Rejected = []xds.Reject{{Name: "bad", Reason: errors.New("no good")}}
		l.say(bad)
		c.told("workloads 1 reset=false more=false")
		c.asked("addresses nonce 1 error bad: no good")
		l.say(rules("2", "ns/p"))
		c.told("policies 1 reset=false more=false")
		c.asked("policies nonce 2")
		l.say(pods("3"))
		c.told("delivered")
		c.asked("addresses nonce 3")
		l.say(pods("4", "another"))
		c.told("workloads 1 reset=false more=false") // and the node is told once
		if got := [...]uint64{c.count.Messages[0].Load(), c.count.Messages[1].Load(), c.count.Rejected[0].Load(), c.count.Held[0].Load(), c.count.Connected.Load()}; got != [...]uint64{3, 1, 1, 2, 1} {
			t.Errorf("counted %v", got)
		}
		c.end()
	})
}

// With a local file it is the layer below: what comes replaces by key, only what was removed by name goes, and nothing of it
// is echoed (CP34).
func TestLocalFileIsTheBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		local := State{Workloads: workloads(2), Policies: []*messages.Authorization{{Key: "ns/local"}}}
		c := stage(t, local, nil)
		c.told("workloads 2 reset=true more=false", "policies 1 reset=true more=false", "services 0 reset=true more=false")
		c.asked("addresses", "policies")
		b := pods("1", "0", "new")
		b.Removed = []string{"1"}
		c.server.last(t).say(b)
		c.told("workloads 2 reset=false more=false", "-workloads [1]")
		c.server.last(t).say(rules("2"))
		c.told("delivered")
		c.system.Send(c.pid, &messages.StoreLost{Role: state.RoleWorkloads})
		c.system.Send(c.pid, &messages.StoreLost{Role: state.RolePolicies})
		synctest.Wait()
		c.told("workloads 2 reset=true more=false", "policies 1 reset=true more=false")
		c.server.last(t).say(io.EOF)
		pass(time.Minute)
		c.asked("addresses held [0 new]", "policies")
		c.end()
	})
}

// The state stays while nobody is there, also for a store that crashes then; what is held is echoed, and a removal that
// comes with the answer is done (CP7, CP16; the reference's test_add_abort_remove).
func TestStateOutlivesTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := stage(t, State{}, nil)
		l := c.server.last(t)
		l.say(pods("1", "a", "b"))
		l.say(rules("2", "ns/p"))
		c.said.take()
		c.server.setRefuse(status.Error(codes.Unavailable, "connection refused"))
		l.say(status.Error(codes.Unavailable, "connection reset by peer"))
		pass(time.Hour)
		c.told() // nothing was lost, and nobody was told so
		if c.count.Connected.Load() != 0 {
			t.Error("it says that it is connected")
		}
		for role, told := range map[string]string{state.RoleWorkloads: "workloads 2 reset=true more=false", state.RolePolicies: "policies 1 reset=true more=false"} {
			c.system.Send(c.pid, &messages.StoreLost{Role: role})
			synctest.Wait()
			c.told(told)
		}
		c.server.setRefuse(nil)
		pass(16 * time.Second)
		c.asked("addresses held [a b]", "policies held [ns/p]")
		b := pods("3")
		b.Removed = []string{"a", "never/there"}
		c.server.last(t).say(b)
		c.told("-workloads [a]")
		c.asked("addresses nonce 3")
		c.server.last(t).say(io.EOF)
		pass(time.Minute)
		c.asked("addresses held [b]", "policies held [ns/p]")
		c.end()
	})
}

// A crash of discovery costs nothing: the new life delivers all that is known, and asks for the difference.
func TestDiscoveryCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := stage(t, State{}, nil)
		first := c.server.last(t)
		first.say(pods("1", "a"))
		first.say(rules("2", "ns/p"))
		c.said.take()
		bad := pods("3")
		bad.Items = []xds.Item{{Name: "x", Workload: &messages.WorkloadUpdate{}}} // no workload: memory will panic
		first.say(bad)
		pass(time.Second)
		select {
		case <-first.closed:
		default:
			t.Error("the stream of the life before is still open")
		}
		c.told("workloads 1 reset=true more=false", "policies 1 reset=true more=false", "services 0 reset=true more=false", "delivered")
		c.asked("addresses held [a]", "policies held [ns/p]")
		c.server.last(t).say(pods("1", "b"))
		c.told("workloads 1 reset=false more=false")
		c.end()
	})
}

// While a store can't take a batch in it is not acknowledged, and no other is taken; then the store gets everything.
func TestBatchWaitsForTheStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := stage(t, State{}, nil)
		l := c.server.last(t)
		l.say(rules("1"))
		c.asked("addresses", "policies", "policies nonce 1")
		c.said.take()
		c.said.crash(2)
		l.responses <- rules("2", "ns/p")
		l.say(rules("3", "ns/q"))
		c.asked()
		pass(time.Second)
		c.asked("policies nonce 2", "policies nonce 3")
		c.told("policies 1 reset=true more=false", "policies 1 reset=false more=false")
		c.end()
	})
}

// A server that says nothing is left, and so is one that takes no requests.
func TestUselessServersAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := stage(t, State{}, func(c *Control) { c.Silence = time.Minute })
		pass(time.Minute)
		pass(time.Second)
		if n := c.server.opened(); n != 2 {
			t.Errorf("%d streams after a silent one, want 2", n)
		}
		l := c.server.last(t)
		l.say(pods("1"))
		pass(time.Hour)
		if n := c.server.opened(); n != 2 {
			t.Errorf("%d streams: one that has answered once may be silent", n)
		}
		l.mu.Lock()
		l.stuck = true
		l.mu.Unlock()
		for n := range maxOutgoing + 2 {
			l.say(pods(fmt.Sprint(n)))
		}
		pass(time.Minute)
		if n := c.server.opened(); n != 3 {
			t.Errorf("%d streams after one that takes no requests, want 3", n)
		}
		c.end()
	})
}

// An unknown type is answered, and changes nothing.
func TestUnknownTypeIsAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := stage(t, State{Workloads: workloads(1)}, nil)
		c.said.take()
		c.server.last(t).take()
		c.server.last(t).say(&xds.Batch{Kind: xds.Kind(xds.Kinds), TypeURL: "other", Nonce: "1", Removed: []string{"0"}})
		c.told()
		c.asked("addresses nonce 1")
		c.end()
	})
}

// A hundred proxies whose server goes away don't come back together, and none of them hammers (CP14, CP15).
func TestReconnectStorm(t *testing.T) {
	for name, test := range map[string]struct {
		end    error
		refuse error
		within time.Duration
	}{
		"graceful": {status.Error(codes.Unavailable, "received prior goaway"), nil, time.Second},
		"crash":    {status.Error(codes.Unavailable, "connection reset by peer"), status.Error(codes.Unavailable, "connection refused"), 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const proxies = 100
				all := make([]*scene, proxies)
				for i := range all {
					all[i] = stage(t, State{}, nil)
					all[i].server.last(t).say(pods("1"))
				}
				pass(time.Hour)
				began := time.Now()
				for _, c := range all {
					c.server.setRefuse(test.refuse)
					c.server.last(t).responses <- test.end
				}
				pass(test.within)
				var late []time.Duration
				for _, c := range all {
					tried := c.server.tried()[1:]
					if len(tried) == 0 {
						t.Fatal("one did not come back")
					}
					late = append(late, tried[0].Sub(began))
					for i := 1; i < len(tried); i++ {
						if gap := tried[i].Sub(tried[i-1]); gap < 5*time.Millisecond || gap > 16*time.Second {
							t.Errorf("attempts %s apart", gap)
						}
					}
					if test.refuse != nil && len(tried) < 15 {
						t.Errorf("%d attempts in %s", len(tried), test.within)
					}
					if test.refuse != nil {
						late[len(late)-1] = tried[len(tried)-1].Sub(began)
					}
				}
				slices.Sort(late)
				busiest := 0
				for i, at := range late {
					n := 0
					for _, other := range late[i:] {
						if other-at < 10*time.Millisecond {
							n++
						}
					}
					busiest = max(busiest, n)
				}
				t.Logf("%d proxies came back %s to %s later, at most %d within 10 ms", proxies, late[0], late[proxies-1], busiest)
				if busiest > proxies/5 {
					t.Errorf("%d of %d came back within 10 ms", busiest, proxies)
				}
				for _, c := range all {
					c.end()
				}
			})
		})
	}
}
