package state

import (
	"context"
	"net/netip"
	"time"
)

// Resolver resolves host names for the DNS cache.
type Resolver interface {
	// Resolve returns the addresses of host and for how long they hold. An error that says for how long the name has
	// none ([Absent]) is cached as well; any other is not. It must return soon after ctx ends.
	Resolve(ctx context.Context, host string) (addrs []netip.Addr, ttl time.Duration, err error)
}

// Absent is implemented by the errors of a Resolver that mean that the name has no addresses.
type Absent interface {
	error
	// AbsentFor is how long that holds, 0 or more.
	AbsentFor() time.Duration
}
