package route

import (
	"github.com/troupe-mesh/troupe/messages"
)

// Store names who is to be asked.
type Store uint8

// The stores. NoStore is the zero value of a Step that asks nothing.
const (
	NoStore Store = iota
	Workloads
	Services
	DNS
	// Discovery looks up on demand what the stores lack.
	Discovery
)

// String is the store's role, as its actor and its traces are named.
func (s Store) String() string {
	return [...]string{"", "workloads", "services", "dns-cache", "discovery"}[s]
}

// Step is what a tree wants next: exactly one of Ask, Request, Inbound and Deny is set.
type Step struct {
	// Store is whom to send Ask, with the driver as the sender.
	Store Store
	// Ask is the question, a pointer to one of the messages of the store, with its ID filled in. The driver hands it
	// over: the tree keeps no reference.
	Ask any
	// Request is the outcome of an Outbound tree, Inbound that of an Inbound tree.
	Request *messages.Request
	Inbound *messages.InboundRequest
	// Deny is why the connection is refused; its text is the reference's.
	Deny *messages.Failure
}

// Final reports whether the tree has come to its end.
func (s Step) Final() bool { return s.Ask == nil }

func deny(r messages.Reason, text string) Step { return Step{Deny: messages.Fail(r, text)} }
