package kit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
)

// ErrStopped is returned by SpawnRoot once Shutdown was called.
var ErrStopped = errors.New("the actor system is shut down")

// Config is what a System needs from outside. The zero value is usable.
type Config struct {
	// Log is told every event, on the goroutine where it happened: it must not block. Nil drops them; the counters
	// count all the same.
	Log func(event Event)
	// Now is the clock of stamps and waits; nil is time.Now.
	Now func() time.Time
	// Chance draws the jitter of restarts, 0 to 1; nil is math/rand.
	Chance func() float64
	// Faults, where set, sees every user message before it is delivered and before it is handled.
	Faults FaultHook
	// Scheduler, where set, decides when each message is delivered.
	Scheduler Scheduler
	// Roots is what happens to a root actor that fails. Escalate means Stop here: nobody is above a root.
	Roots Supervision
}

// System is a company of actors: its roots, their children, and everything they started.
type System struct {
	actors *actor.ActorSystem
	log    func(Event)
	now    func() time.Time
	chance func() float64
	start  time.Time
	hooks  *hooks // nil when neither faults nor a scheduler are set

	guardian *strategy
	children *strategy // for Specs that declare no supervision

	names     atomic.Uint64 // numbers those who Ask
	roles     roles
	envelopes envelopes
	letters   dead
	delays    delays
	workers   workers

	running atomic.Int64 // goroutines that run actors or work for them
	closing atomic.Bool
	idle    chan struct{}

	mu    sync.Mutex
	roots []*cell
	ended bool
}

// NewSystem makes an empty system. It starts no goroutine.
func NewSystem(cfg Config) *System {
	s := &System{
		actors: actor.NewActorSystem(actor.WithLoggerFactory(discard)),
		log:    cfg.Log,
		now:    cfg.Now,
		chance: cfg.Chance,
		idle:   make(chan struct{}, 1),
	}
	if s.chance == nil {
		s.chance = rand.Float64
	}
	s.start = s.clock()
	s.guardian = newStrategy(s, cfg.Roots, nil, true)
	s.children = newStrategy(s, Supervision{}, nil, false)
	s.roles.limit = maxRoles
	s.workers.gone.L = &s.workers.mu
	s.delays.pending = make(map[*cell]*time.Timer)
	narrow(s.actors)
	// The library's own subscribers start a goroutine per burst of dead letters and answer every asker with an empty
	// message; ours replace them.
	s.actors.EventStream = eventstream.NewEventStream()
	s.actors.EventStream.Subscribe(s.onEvent)
	s.hooks = newHooks(s, cfg)
	return s
}

// buckets is how many of the library's 1,024 buckets of names are kept, of 32 maps each.
const buckets = 16

// narrow takes most of the maps away in which the library keeps its names. They would cost 2.8 MiB empty and 9 MiB when
// each has been used once, and a cache miss for nearly every spawn.
func narrow(system *actor.ActorSystem) {
	names := system.ProcessRegistry.LocalPIDs
	names.LocalPIDs = slices.Clone(names.LocalPIDs[:buckets])
	system.ProcessRegistry.Add(system.DeadLetter, "deadletter")
	system.ProcessRegistry.Add(actor.NewEventStreamProcess(system), "eventstream")
}

// discard is a logger that says nothing: what the library would log is reported as events.
func discard(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }

// Actors is the library's system, for what the kit does not offer.
func (s *System) Actors() *actor.ActorSystem { return s.actors }

// Nanos is the time since the system began, in nanoseconds, never zero: the clock of stamps and waits.
func (s *System) Nanos() int64 {
	if s.now == nil {
		return int64(time.Since(s.start)) + 1
	}
	return int64(s.now().Sub(s.start)) + 1
}

func (s *System) clock() time.Time {
	if s.now == nil {
		return time.Now()
	}
	return s.now()
}

// Send posts a message to an actor. It never blocks and never fails; a message that nobody takes is undelivered.
func (s *System) Send(pid *actor.PID, msg any) { s.actors.Root.Send(pid, msg) }

// Stop tells an actor to stop after the message it is handling; messages behind that are undelivered.
func (s *System) Stop(pid *actor.PID) { s.actors.Root.Stop(pid) }

// SpawnRoot spawns an actor without a parent under a name of its own. It returns [actor.ErrNameExists] when the name
// is taken, and [ErrStopped] after Shutdown.
func (s *System) SpawnRoot(spec Spec, name string) (*actor.PID, error) {
	c := s.newCell(&spec)
	c.offer()
	c.done = make(chan struct{})
	actor.WithGuardian(s.guardian)(&c.props)

	if s.isEnded() {
		return nil, fmt.Errorf("spawn root actor %q: %w", name, ErrStopped)
	}
	pid, err := s.actors.Root.SpawnNamed(&c.props, name)
	if err != nil {
		return nil, fmt.Errorf("spawn root actor %q: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		s.actors.Root.Stop(pid)
		return nil, fmt.Errorf("spawn root actor %q: %w", name, ErrStopped)
	}
	s.roots = append(s.roots, c)
	return pid, nil
}

func (s *System) isEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *System) forgetRoot(c *cell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, root := range s.roots {
		if root == c {
			s.roots = append(s.roots[:i], s.roots[i+1:]...)
			return
		}
	}
}

// Shutdown stops the roots, the latest first, each with all below it, and waits until they have stopped and every
// goroutine that worked for them has ended. When ctx ends first it returns an error that names who had not.
func (s *System) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.ended = true
	roots := append([]*cell(nil), s.roots...)
	s.mu.Unlock()

	for i := len(roots) - 1; i >= 0; i-- {
		c := roots[i]
		s.actors.Root.Stop(c.pid.Load())
		select {
		case <-c.done:
		case <-ctx.Done():
			for _, c := range roots[:i] {
				s.actors.Root.Stop(c.pid.Load())
			}
			s.hooks.shutdown()
			s.workers.dismiss()
			return fmt.Errorf("stop root actors %s: %w", s.living(), ctx.Err())
		}
	}
	s.delays.stop()
	s.hooks.shutdown()
	s.closing.Store(true)
	for s.running.Load() != 0 {
		select {
		case <-s.idle:
		case <-ctx.Done():
			s.workers.dismiss()
			return fmt.Errorf("wait for %d goroutines of stopped actors: %w", s.running.Load(), ctx.Err())
		}
	}
	s.workers.dismiss()
	s.workers.wait()
	if !s.actors.IsStopped() {
		s.actors.Shutdown()
	}
	return nil
}

func (s *System) living() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(s.roots))
	for _, c := range s.roots {
		names = append(names, c.pid.Load().Id)
	}
	return strings.Join(names, ", ")
}

// begin counts a goroutine in that Shutdown waits for; it must call end.
func (s *System) begin() { s.running.Add(1) }

func (s *System) end() {
	if s.running.Add(-1) == 0 && s.closing.Load() {
		select {
		case s.idle <- struct{}{}:
		default:
		}
	}
}

// Work calls do, and Shutdown waits for it: for goroutines that are nobody's own, such as a timer's.
func (s *System) Work(do func()) {
	s.begin()
	defer s.end()
	do()
}

func (s *System) emit(e Event) {
	if s.hooks != nil {
		s.hooks.event(e)
	}
	if s.log != nil {
		s.log(e)
	}
}
