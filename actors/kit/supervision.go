package kit

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Directive is what happens to an actor that failed.
type Directive uint8

// The directives.
const (
	// Restart makes the actor anew; its mailbox stays, the message over which it failed does not.
	Restart Directive = iota
	// Stop ends the actor.
	Stop
	// Escalate fails the parent in turn.
	Escalate
	// Resume goes on with the next message.
	Resume
)

// The limits of a Supervision that names none.
const (
	DefaultMaxRestarts = 10
	DefaultWindow      = 10 * time.Second
)

// Supervision is what happens to an actor's children when they fail, each for itself. The zero value restarts at once,
// up to DefaultMaxRestarts times in DefaultWindow.
type Supervision struct {
	Directive Directive
	// MaxRestarts is how many restarts within Window are too few to give up: 0 means DefaultMaxRestarts, less none.
	MaxRestarts int
	// Window is the time in which restarts count; 0 means DefaultWindow.
	Window time.Duration
	// Backoff delays the restarts; meanwhile messages queue up to the child's capacity.
	Backoff Backoff
	// Then is what happens after MaxRestarts: Escalate, or Stop for any other.
	Then Directive
}

func (s Supervision) maxRestarts() int {
	switch {
	case s.MaxRestarts == 0:
		return DefaultMaxRestarts
	case s.MaxRestarts < 0:
		return 0
	default:
		return s.MaxRestarts
	}
}

func (s Supervision) window() time.Duration {
	if s.Window <= 0 {
		return DefaultWindow
	}
	return s.Window
}

// Backoff is how long restarts are delayed: Initial, then twice as long each time up to Max, give or take the share
// Jitter (0 to 1) of it, and never more than Max. A zero Initial does not delay; a zero Max does not bound.
type Backoff struct {
	Initial, Max time.Duration
	Jitter       float64
}

// delay is the wait before the n-th restart, n ≥ 1, where chance is 0 to 1.
func (b Backoff) delay(n int, chance float64) time.Duration {
	if b.Initial <= 0 {
		return 0
	}
	longest := b.Max
	if longest <= 0 {
		longest = 1 << 62
	}
	d := b.Initial
	for ; n > 1 && d < longest/2; n-- {
		d *= 2
	}
	if n > 1 {
		d = longest
	}
	d += time.Duration(float64(d) * b.Jitter * (2*chance - 1))
	return min(max(d, 0), longest)
}

// strategy is a Supervision as the library wants it.
type strategy struct {
	sys      *System
	policy   Supervision
	children map[string]Supervision
	root     bool
}

var _ actor.SupervisorStrategy = (*strategy)(nil)

func newStrategy(s *System, policy Supervision, children map[string]Supervision, root bool) *strategy {
	return &strategy{sys: s, policy: policy, children: children, root: root}
}

// strategyOf avoids making the same strategy for each actor of a role.
func (s *System) strategyOf(r *role, spec *Spec) *strategy {
	if spec.Children == nil {
		if spec.Supervision == (Supervision{}) {
			return s.children
		}
		if known := r.strategy.Load(); known != nil && known.policy == spec.Supervision {
			return known
		}
	}
	made := newStrategy(s, spec.Supervision, spec.Children, false)
	if spec.Children == nil {
		r.strategy.Store(made)
	}
	return made
}

// HandleFailure decides on a child's failure. It runs on the parent's goroutine, or on the root's own.
func (st *strategy) HandleFailure(_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, msg any) {
	f, ok := reason.(*Failure)
	if !ok || f.cell == nil {
		// Not one of ours: nothing is known of its history.
		st.sys.emit(StoppedByParent{PID: child, Failure: &Failure{PID: child, Value: reason, Message: typeOf(msg)}})
		supervisor.StopChildren(child)
		return
	}
	policy, ok := st.children[f.Role]
	if !ok {
		policy = st.policy
	}
	switch directive := policy.Directive; {
	case directive == Resume:
		st.sys.emit(Resumed{Role: f.Role, PID: child, Failure: f})
		supervisor.ResumeChildren(child)
	case directive == Escalate && !st.root:
		st.escalate(supervisor, f, msg)
	case directive == Restart:
		st.restart(supervisor, child, f, policy, msg)
	default:
		st.sys.emit(StoppedByParent{Role: f.Role, PID: child, Failure: f})
		supervisor.StopChildren(child)
	}
}

func (st *strategy) restart(supervisor actor.Supervisor, child *actor.PID, f *Failure, policy Supervision, msg any) {
	n := f.cell.failures.add(st.sys.Nanos(), int64(policy.window()))
	if n > policy.maxRestarts() {
		f.cell.role.gaveUp.Add(1)
		escalates := policy.Then == Escalate && !st.root
		st.sys.emit(GaveUp{Role: f.Role, PID: child, Failure: f, Restarts: n - 1, Window: policy.window(), Root: st.root, Escalates: escalates})
		if escalates {
			st.escalate(supervisor, f, msg)
			return
		}
		supervisor.StopChildren(child)
		return
	}
	d := policy.Backoff.delay(n, st.sys.chance())
	st.sys.emit(Restarted{Role: f.Role, PID: child, Failure: f, Restarts: n, Delay: d})
	if d == 0 {
		supervisor.RestartChildren(child)
		return
	}
	st.sys.delays.after(st.sys, f.cell, d, func() { supervisor.RestartChildren(child) })
}

func (st *strategy) escalate(supervisor actor.Supervisor, f *Failure, msg any) {
	parent := cellOf(supervisor.(actor.Context))
	st.sys.emit(Escalated{Role: f.Role, PID: f.PID, Parent: parent.pid.Load(), Failure: f})
	supervisor.EscalateFailure(&Failure{
		Role: parent.role.name, PID: parent.pid.Load(), Value: f.Value, Message: f.Message, Stack: f.Stack, Cause: f, cell: parent,
	}, msg)
}

// history is when an actor failed, within its window.
type history struct{ at []int64 }

// add notes a failure and returns how many there were within the window.
func (h *history) add(now, window int64) int {
	kept := h.at[:0]
	for _, t := range h.at {
		if now-t < window {
			kept = append(kept, t)
		}
	}
	h.at = append(kept, now)
	return len(h.at)
}
