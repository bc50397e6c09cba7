package matrix

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// The calls that every cell makes, and what they show.
const (
	// Mesh is a call to a service, in a tunnel from node to node.
	Mesh = "mesh"
	// PlainOut is one to a workload without a node, PlainIn one from it.
	PlainOut = "plain out"
	PlainIn  = "plain in"
	// SOCKS is one by the SOCKS5 door to a host name.
	SOCKS = "SOCKS"
	// Denied and DeniedPlain are calls that a policy of the server's node denies: they must fail, whatever happens.
	Denied      = "denied mesh"
	DeniedPlain = "denied plain"
	// Ready is the readiness page of the node that is broken.
	Ready = "readiness"
	// NextMesh is Mesh again, when the others are under way.
	NextMesh = "next mesh"
)

// Names are the calls in the order in which they begin.
func Names() []string {
	return []string{Mesh, PlainOut, PlainIn, SOCKS, Denied, DeniedPlain, Ready, NextMesh}
}

// The connections that live through every cell.
const (
	LastingMesh     = "lasting mesh"
	LastingPlainOut = "lasting plain out"
	LastingPlainIn  = "lasting plain in"
	// Doomed is one that a new policy denies, in the rows that have it.
	Doomed = "doomed"
	// Revoked is one in a tunnel of its own, whose peer's certificate a new revocation list names, in the rows that have it.
	Revoked = "revoked"
)

func lastingNames() []string {
	return []string{LastingMesh, LastingPlainOut, LastingPlainIn, Doomed, Revoked}
}

// Seen is what users see of a fault. The zero value is nothing at all: all calls that may be made went well at once, and
// all connections lived on.
type Seen struct {
	// Calls are those that went otherwise than they should.
	Calls map[string]Outcome
	// Cut are the lasting connections that ended, and why.
	Cut map[string]messages.Reason
	// Heals is the first of Steps from when on everything goes well again, counted from the end of the calls above or,
	// for a crash-loop, from the end of the loop. Never is none of them.
	Heals time.Duration
}

// Steps are when it is looked whether everything goes well again.
var Steps = []time.Duration{0, 100 * time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// Never is a Seen.Heals.
const Never time.Duration = -1

// Outcome is how a call went.
type Outcome struct {
	// Answered says that it was served, late; otherwise it ended without a byte, or had not when Patience was over.
	Answered, Hangs bool
	// After is how long that took: exact to a tenth of a second below one second, to a second above.
	After time.Duration
	// Reason is the reason that the trace of the node gives, which the call reached first. Unknown says that there is no
	// trace, since nobody took the call.
	Reason  messages.Reason
	Unknown bool
}

// String says it in words.
func (o Outcome) String() string {
	var words string
	switch {
	case o.Hangs:
		words = "not taken"
	case o.Answered:
		words = "answered after " + o.After.String()
	case o.After == 0:
		words = "failed at once"
	default:
		words = "failed after " + o.After.String()
	}
	switch {
	case o.Hangs:
	case o.Unknown:
		words += ", in no trace"
	case o.Reason != messages.ReasonNone:
		words += " (`" + o.Reason.String() + "`)"
	}
	return words
}

// String says in words what is seen.
func (s Seen) String() string {
	var parts []string
	for _, g := range grouped(Names(), s.Calls) {
		parts = append(parts, g.names+": "+g.what)
	}
	cut := map[string]string{}
	for name, reason := range s.Cut {
		cut[name] = "cut (`" + reason.String() + "`)"
	}
	for _, g := range grouped(lastingNames(), cut) {
		parts = append(parts, g.names+": "+g.what)
	}
	switch {
	case s.Heals == Never:
		parts = append(parts, "does not heal")
	case s.Heals > 0:
		parts = append(parts, "well again within "+s.Heals.String())
	}
	if len(parts) == 0 {
		return "nobody notices"
	}
	return strings.Join(parts, "; ")
}

// group are the names of those for whom the same holds.
type group struct{ names, what string }

func grouped[V any](order []string, of map[string]V) []group {
	var groups []group
	for _, name := range order {
		v, is := of[name]
		if !is {
			continue
		}
		what := fmt.Sprint(v)
		if i := slices.IndexFunc(groups, func(g group) bool { return g.what == what }); i >= 0 {
			groups[i].names += ", " + name
			continue
		}
		groups = append(groups, group{name, what})
	}
	return groups
}
