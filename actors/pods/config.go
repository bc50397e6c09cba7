package pods

import (
	"context"
	"sync/atomic"

	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

// RolePods is the actor's role.
const RolePods = "pods"

const capacity = 16384

// MaxPods bounds the pods of a node: a hundred times what Kubernetes recommends. Further ones are refused.
const MaxPods = 11_000

// Opened is a pod that is ready to be served.
type Opened struct {
	// Pod has everything but System and Stores, bound listeners above all.
	Pod pod.Config
	// Close lets go of what belongs to the pod besides its listeners. It is called once, when nothing of the pod is left.
	Close func()
}

// Open opens a pod's listeners in its namespace, all or none. It runs on a goroutine of its own and must not block. The
// namespace stays the caller's: what is needed for longer is shared.
type Open func(ctx context.Context, uid string, ns messages.PodNamespace, info messages.WorkloadInfo) (*Opened, error)

// Config is what the actor needs.
type Config struct {
	System *kit.System
	Stores flow.Stores
	Open   Open
	Log    *logs.Logs
	// Added is told of every start of a pod, well or not, for its trace. It must not block.
	Added    func(trace.PodAdded)
	Counters *Counters
	// Returns is set while the actor's parent restarts, and all pods with it.
	Returns *atomic.Bool
}

// Counters are what the actor counts of itself. Up and Pending change, the others grow.
type Counters struct {
	Up, Pending      atomic.Int64
	Started, Stopped atomic.Uint64
}
