package cni

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/zds"
)

// Task is what readiness waits for while the agent has not told of all pods, or one of them can't be served.
const Task = "workload proxy manager"

// Agent is a connection to the CNI agent: transport/zds's.
type Agent interface {
	Hello() error
	Read() (zds.Request, error)
	Answer(failure string) error
	Close() error
}

var _ Agent = (*zds.Conn)(nil)

// Config is what the actor needs.
type Config struct {
	System *kit.System
	// Dial connects to the agent, which is named At in the log.
	Dial func(context.Context) (Agent, error)
	At   string
	// Inherited is a pod that an earlier process served and that the agent asks to keep: what it is called, and a handle of
	// its network namespace, which the actor owns; false where there is none. It must not block.
	Inherited func(uid string) (messages.WorkloadInfo, messages.PodNamespace, bool)
	// Pods serves the pods, Admin keeps readiness.
	Pods, Admin *actor.PID
	Log         *logs.Logs
	// Broken is told that the agent broke the protocol: the process ends with an error. It must not block.
	Broken func(error)
	// Chance draws the jitter of the back-off, 0 to 1.
	Chance   func() float64
	Counters *Counters
}

// Counters are what the actor counts of itself.
type Counters struct {
	// Failed is how many pods can't be served at the moment.
	Failed atomic.Int64
	// Connections counts those to the agent, Refused the requests that were answered with an error.
	Connections, Refused atomic.Uint64
}

// The times of the protocol (spec/ops.md §3.3, §3.4).
const (
	retryEvery = 5 * time.Second
	// startWithin is how long serving one pod may take. The agent gives up after 5 s, and takes an answer that comes later
	// for that of its next request.
	startWithin = 4 * time.Second
	// tellEvery is how often what readiness waits for is told again, in case it got lost.
	tellEvery                      = 5 * time.Second
	firstDial, longestDial         = 20 * time.Millisecond, 15 * time.Second
	firstAnnounce, longestAnnounce = 5 * time.Millisecond, 15 * time.Second
	announceJitter                 = 0.2
)

// doubling is a wait that doubles from first to longest.
type doubling struct{ first, longest, last time.Duration }

func (d *doubling) next() time.Duration {
	d.last = min(max(2*d.last, d.first), d.longest)
	return d.last
}

func (d *doubling) reset() { d.last = 0 }

// jittered is d, give or take a share of it.
func jittered(d time.Duration, share, chance float64) time.Duration {
	return d + time.Duration(float64(d)*share*(2*chance-1))
}
