package fault

import (
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// Restart is the start of an actor after it failed.
type Restart struct {
	At   time.Time
	Role string
	PID  *actor.PID
	// Life counts the restarts of this actor, this one included.
	Life int
}

// Death is the end of an actor.
type Death struct {
	At   time.Time
	Role string
	PID  *actor.PID
	// Failure is the last that was told of the actor, nil when it ended without one.
	Failure *kit.Failure
}

// Life sees failures, restarts and ends of some actors, each in order.
type Life struct {
	faults   *Faults
	actors   pattern
	failures *inbox[*kit.Failure]
	restarts *inbox[Restart]
	deaths   *inbox[Death]

	mu   sync.Mutex
	last map[string]*kit.Failure // of those that live
	seen struct{ failures, restarts, deaths int }
}

// WatchLife begins to look at the actors whose role or whole name matches the pattern; see On. Close ends it. It panics
// when faults is nil, the pattern can't be read, or 256 such probes look already.
func WatchLife(faults *Faults, actors string) *Life {
	if faults == nil {
		misuse("WatchLife(%q): faults is nil", actors)
	}
	p, err := newPattern(actors)
	if err != nil {
		misuse("WatchLife(%q): %v", actors, err)
	}
	l := &Life{
		faults: faults, actors: p, last: make(map[string]*kit.Failure),
		failures: newInbox[*kit.Failure](), restarts: newInbox[Restart](), deaths: newInbox[Death](),
	}
	if !faults.lives.add(l, maxProbes) {
		misuse("WatchLife(%q): %d probes look already; close those that are not needed", actors, maxProbes)
	}
	return l
}

// Close ends the probe. What it has seen can still be asked for.
func (l *Life) Close() { l.faults.lives.remove(l) }

// ExpectFailure returns the first failure that no earlier call has returned, and waits up to timeout for it; otherwise it
// returns a *TimeoutError.
func (l *Life) ExpectFailure(timeout time.Duration) (*kit.Failure, error) {
	f, ok := l.failures.next(timeout)
	return f, l.judge(ok, "failed", timeout)
}

// ExpectRestart is ExpectFailure for the restart of an actor: it is about to handle Started.
func (l *Life) ExpectRestart(timeout time.Duration) (Restart, error) {
	r, ok := l.restarts.next(timeout)
	return r, l.judge(ok, "was started anew", timeout)
}

// ExpectDeath is ExpectFailure for the end of an actor.
func (l *Life) ExpectDeath(timeout time.Duration) (Death, error) {
	d, ok := l.deaths.next(timeout)
	return d, l.judge(ok, "died", timeout)
}

func (l *Life) judge(ok bool, what string, timeout time.Duration) error {
	if ok {
		return nil
	}
	l.mu.Lock()
	seen := fmt.Sprintf("seen in all: %d failures, %d restarts, %d deaths", l.seen.failures, l.seen.restarts, l.seen.deaths)
	l.mu.Unlock()
	return &TimeoutError{
		Awaited: fmt.Sprintf("no actor of %q %s", l.actors.text, what), Within: timeout,
		Instead: []string{seen, l.faults.struck()},
	}
}

func (l *Life) event(e kit.Event) {
	f := failureOf(e)
	if f == nil || !l.actors.matchesActor(f.Role, f.PID) {
		return
	}
	l.mu.Lock()
	l.seen.failures++
	if len(l.last) < MaxSeen {
		l.last[f.PID.GetId()] = f
	}
	l.mu.Unlock()
	l.failures.put(f)
}

func (l *Life) restarted(who kit.Target, life uint32) {
	if !l.actors.matchesActor(who.Role, who.PID) {
		return
	}
	l.mu.Lock()
	l.seen.restarts++
	l.mu.Unlock()
	l.restarts.put(Restart{At: time.Now(), Role: who.Role, PID: who.PID, Life: int(life)})
}

func (l *Life) died(who kit.Target) {
	if !l.actors.matchesActor(who.Role, who.PID) {
		return
	}
	l.mu.Lock()
	l.seen.deaths++
	failure := l.last[who.PID.Id]
	delete(l.last, who.PID.Id)
	l.mu.Unlock()
	l.deaths.put(Death{At: time.Now(), Role: who.Role, PID: who.PID, Failure: failure})
}

// failureOf is the failure that an event tells of, nil for other events.
func failureOf(e kit.Event) *kit.Failure {
	switch e := e.(type) {
	case kit.Restarted:
		return e.Failure
	case kit.StoppedByParent:
		return e.Failure
	case kit.Resumed:
		return e.Failure
	case kit.Escalated:
		return e.Failure
	case kit.GaveUp:
		return e.Failure
	default:
		return nil
	}
}
