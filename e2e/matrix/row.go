package matrix

import (
	"time"

	"github.com/troupe-mesh/troupe/e2e/bubble"
)

// Side is a node.
type Side uint8

// The nodes.
const (
	Client Side = iota // of the workload that calls
	Server             // of the workload that is called
)

// String is the node's name.
func (s Side) String() string { return [...]string{"client", "server"}[s] }

// Row is an actor and what it is broken over.
type Row struct {
	// Role is the actor's; Node whose it is.
	Role string
	Node Side
	// Over is the message.
	Over Message
	// Deadline is after how long the one who waits for what follows has given up; Delay lets the message arrive a little
	// later. Zero is that of a stage of a flow.
	Deadline time.Duration
	// AtStart has the fault there when the node starts: the message belongs to the start. No connection lives yet.
	AtStart bool
	// When makes the message be sent, just before the calls; nil where a call does.
	When func(s *Scene)
	// Occasion is what the heading says of all that, where it is neither the start nor a policy that comes.
	Occasion string
	// Before prepares the node that is broken, before it starts: with other rules, or options.
	Before func(s *Scene, o *bubble.Options)
	// mayMiss says that the message need not be sent.
	mayMiss bool
	// Cells are what is seen of each fault.
	Cells map[Fault]Cell
}

// Cell is a fault of a row.
type Cell struct {
	Seen
	// Test proves the cell where the bubble can't: "package/path.TestName". Says is then what is seen.
	Test, Says string
}

// String is what is seen.
func (c Cell) String() string {
	if c.Test != "" {
		return c.Says
	}
	return c.Seen.String()
}

// delay is how late a message is that is delayed.
func (r *Row) delay() time.Duration {
	const more = 5 * time.Second
	if r.Deadline == 0 {
		return flowDeadline + more
	}
	return r.Deadline + more
}

// title names the row.
func (r *Row) title() string { return r.Role + " over " + r.Over.name }
