// Package relay is the byte pump between the two legs of a connection. It picks the best way for the two kinds of
// legs, carries half-closes through in both directions, counts while the bytes move, and returns when both
// directions have ended. Callers run it on a goroutine of their own, never inside an actor's Receive.
//
// Downstream is the side that opened the connection to the proxy, upstream the side that the proxy dialled.
// Received counts downstream to upstream bytes, Sent the other way (spec/dataplane.md §9).
package relay

import "sync/atomic"

// Counters count the payload of one connection while it lives. The zero value is ready.
type Counters struct {
	// Received counts bytes from downstream written to upstream, Sent bytes from upstream written to downstream.
	Received, Sent atomic.Uint64
	// LiveReceived and LiveSent, where set, are told the same amounts: the traffic metrics' series.
	LiveReceived, LiveSent Adder
}

// Adder is a counter that may be shared by many connections.
type Adder interface {
	Add(n uint64)
}

// AddReceived counts n bytes from downstream to upstream.
func (c *Counters) AddReceived(n int) { count(&c.Received, c.LiveReceived, n) }

// AddSent counts n bytes from upstream to downstream.
func (c *Counters) AddSent(n int) { count(&c.Sent, c.LiveSent, n) }

// moved is how many bytes were passed on, both ways.
func (c *Counters) moved() uint64 { return c.Received.Load() + c.Sent.Load() }

func count(own *atomic.Uint64, live Adder, n int) {
	own.Add(uint64(n))
	if live != nil {
		live.Add(uint64(n))
	}
}

// Side says which end of a connection did something first.
type Side uint8

// The sides. SideNone means that nobody ended it: the relay never ran or is still running.
const (
	SideNone Side = iota
	SideDownstream
	SideUpstream
	SideProxy
)

// String names the side as a flow's record does; empty for none.
func (s Side) String() string { return [...]string{"", "client", "server", "proxy"}[s] }

// sideNamed is the side of a name; SideNone for what is none.
func sideNamed(name string) Side {
	for s := SideDownstream; s <= SideProxy; s++ {
		if s.String() == name {
			return s
		}
	}
	return SideNone
}

// Result is how a relay ended.
type Result struct {
	// Err is nil when both directions ended cleanly. Resets, broken pipes and unexpected ends while copying count
	// as clean (spec/dataplane.md §9). If both directions failed it is the error of downstream to upstream.
	Err error
	// ClosedBy is the side whose end of stream or error was seen first.
	ClosedBy Side
	// CutBy is the side that ended by a reset instead of an end of stream, if one did: bytes may be missing although Err
	// is nil.
	CutBy Side
}
