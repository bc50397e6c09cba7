package dns

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// The roles of the package's actors.
const (
	Role          = "dns"
	RoleResolver  = "dns-resolver"
	RoleForwarder = "dns-forwarder"
)

// answerTTL is the TTL of what the mesh answers, in seconds (spec/control.md §6.5).
const answerTTL = 30

// Config is what a pod's DNS proxy is made of.
type Config struct {
	// Sockets are bound already; the proxy owns them.
	Sockets []Bound
	// Server is shared by the pods of a node, Upstream is the pod's own: it dials from where the pod is.
	Server   *dnswire.Server
	Upstream *dnswire.Upstream
	// Limits are shared by the pods of a node; nil means limits of its own.
	Limits *Limits
	// Domain is CLUSTER_DOMAIN, Preferred PREFERED_SERVICE_NAMESPACE.
	Domain, Preferred string
	// Search are the search domains of the client, where they are known; nil means those of a pod in Kubernetes.
	Search []string
	// IPv6 is IPV6_ENABLED: without it no IPv6 address is told.
	IPv6 bool
	// Log is told of the proxy's life.
	Log Log

	// What the pod fills in.
	System              *kit.System
	Telemetry           *trace.Telemetry
	Workloads, Services *actor.PID
	Info                messages.WorkloadInfo
	// WorkloadWait is how long the pod's workload is waited for, StageDeadline how long a store may take otherwise.
	WorkloadWait, StageDeadline time.Duration
	// Ending says that the pod ends for good.
	Ending *atomic.Bool
}

// Log is what the proxy says.
type Log interface {
	// DNSStarted tells of a bound socket, DNSDraining that no more questions are taken, DNSDrained that all are answered.
	DNSStarted(addr netip.AddrPort)
	DNSDraining()
	DNSDrained()
	// DNSFailed tells of a socket that failed to read or to accept.
	DNSFailed(err error)
	// DNSDomainUnused tells that the pod asks for services below other cluster domains, such as seen, and never below ours.
	DNSDomainUnused(domain, seen string)
}

// search are the search domains of a client in a namespace.
func (c *Config) search(namespace string) []string {
	if c.Search != nil {
		return c.Search
	}
	return []string{namespace + ".svc." + c.Domain, "svc." + c.Domain, c.Domain}
}

// The bounds of one pod's proxy.
const (
	// maxWaiting bounds the questions that wait for a store, maxForwarding those that wait for the forwarder.
	maxWaiting, maxForwarding = 1024, 1024
	// maxUnderWay bounds the names that a pod has under way to name servers.
	maxUnderWay = 256
	// maxCached and maxCachedBytes bound the replies that a pod has cached.
	maxCached, maxCachedBytes = 8192, 4 << 20
)

// Limits are the bounds that the pods of a node share, and what they count.
type Limits struct {
	// MaxUnderWay bounds the questions under way to name servers, MaxBytes the bytes of all caches.
	MaxUnderWay, MaxBytes int64

	underWay, bytes, entries atomic.Int64

	// Hits and Misses count questions that the cache had an answer to and those that it had none to; Shared those of the
	// latter that waited for one under way.
	Hits, Misses, Shared atomic.Uint64
	// Refused counts questions that a bound refused, Evicted replies dropped from a cache to make room.
	Refused, Evicted atomic.Uint64
}

// DefaultLimits are those of a node.
func DefaultLimits() *Limits { return &Limits{MaxUnderWay: 4096, MaxBytes: 128 << 20} }

// Cached is how many replies all caches hold, and how many bytes these take.
func (l *Limits) Cached() (entries, bytes int64) { return l.entries.Load(), l.bytes.Load() }

// UnderWay is how many questions are under way to name servers.
func (l *Limits) UnderWay() int64 { return l.underWay.Load() }

// take counts a question under way in, or refuses it.
func (l *Limits) take() bool {
	if l.underWay.Add(1) > l.MaxUnderWay {
		l.underWay.Add(-1)
		return false
	}
	return true
}

func (l *Limits) release() { l.underWay.Add(-1) }
