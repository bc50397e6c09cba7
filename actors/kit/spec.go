package kit

import "github.com/asynkron/protoactor-go/actor"

// Spec declares an actor.
type Spec struct {
	// Role is what the actor does, the same for all of its kind ("workloads", "flow", "classify"): the label of
	// metrics and spans, and what faults are aimed at. Required; a system knows at most 256 of them.
	Role string
	// New makes the actor when it starts and again for each restart, and has no side effects: what the actor needs it
	// takes when it handles Started. Required.
	New func() actor.Actor
	// Capacity is how many user messages may wait, 1 to 2³¹-1; more are refused. Required.
	Capacity int
	// Run says on which goroutines the actor runs; the zero value is Own.
	Run Dispatch
	// Supervision is what happens to this actor's children when they fail.
	Supervision Supervision
	// Children overrides Supervision for children of the roles named. It must not change afterwards.
	Children map[string]Supervision
}

func (s *Spec) check() {
	switch {
	case s.Role == "":
		panic("kit: Spec.Role is empty")
	case s.New == nil:
		panic("kit: Spec.New of role " + s.Role + " is nil")
	case s.Capacity < 1 || s.Capacity > 1<<31-1:
		panic("kit: Spec.Capacity of role " + s.Role + " must be 1 to 2147483647")
	}
}

// Props makes Props that spawn the actor, any number of times. It panics when the spec lacks what is required.
func (s *System) Props(spec Spec) *actor.Props {
	c := s.newCell(&spec)
	c.offer()
	return &c.props
}
