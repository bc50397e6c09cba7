package state

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// Roles are the stores' roles in logs, metrics and traces, and the names that their supervisor gives them.
const (
	RoleWorkloads = "workloads"
	RoleServices  = "services"
	RolePolicies  = "policies"
	RoleNames     = "dns-cache"
)

// capacity bounds a store's mailbox. Stores answer in microseconds on their callers' goroutines: it only fills when the
// machine is overwhelmed, and then refusing is right.
const capacity = 16384

// Config is what the stores need to know of the world. The zero value is usable.
type Config struct {
	// Node is NODE_NAME; without it every workload is local.
	Node string
	// Random draws endpoints and weighted waypoints; nil means a source of the store's own. No one else may use it.
	Random *rand.Rand
	// Discovery is who is told when a store has lost its state; it may be nil, or return nil.
	Discovery func() *actor.PID
	// Services is whom the workload store tells which endpoints there are, Workloads whom the service store asks for
	// them when it has lost them; both may be nil.
	Services, Workloads func() *actor.PID
	// Certificates is whom the workload store tells which identities come to our node and leave it (shared mode); it may be
	// nil.
	Certificates func() *actor.PID
	// Resolver resolves names for the DNS cache; it is required there.
	Resolver Resolver
	// Counters are kept up to date; nil means nobody looks.
	Counters *Counters
}

// Counters count what the stores refuse or throw away because of their bounds.
type Counters struct {
	// Refused counts the questions refused because a store's state was lost.
	Refused atomic.Uint64
	// NotWaited counts the questions for a local workload that were not held because too many were.
	NotWaited atomic.Uint64
	// WatchersRefused counts the subscriptions to policies that were not taken.
	WatchersRefused atomic.Uint64
	// NamesEvicted counts names dropped from the DNS cache, NamesRefused those not resolved because too many were
	// being resolved.
	NamesEvicted, NamesRefused atomic.Uint64
}
