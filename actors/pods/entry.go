package pods

import (
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/dns"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// entry is a pod that is, or is to be, served. It owns namespace.
type entry struct {
	uid       string
	info      messages.WorkloadInfo
	namespace messages.PodNamespace
	// life numbers the attempts to open pods, so that the end of one that nobody waits for any more can be told.
	life  uint64
	err   error // why it is not up; nil while it is being opened
	proxy *proxy
	asker *actor.PID
}

// proxy is a pod's proxy, from its opening until nothing of it is left.
type proxy struct {
	uid    string
	opened *Opened
	spec   kit.Spec // the same for all lives: it has the doors
	name   string
	pid    *actor.PID
	// leaving says that it was told to end.
	leaving bool
}

// memory is what outlives a crash of the actor.
type memory struct {
	pods map[string]*entry
	// proxies are all there are, by their actors' names: those of pods, and those that are leaving.
	proxies map[string]*proxy
	lives   uint64
	// returns is set while the pods are stopped only to come back.
	returns atomic.Bool
	drain   *drain
}

// drain is a drain under way.
type drain struct {
	mode    messages.DrainMode
	until   time.Time // the patience of the last who asked
	askers  []*actor.PID
	waiting map[string]struct{} // by the actors' names
	over    map[string]struct{} // who has drained, by the actors' names: none is counted twice
	total   messages.Drained
}

func newMemory() *memory { return &memory{pods: map[string]*entry{}, proxies: map[string]*proxy{}} }

// count brings the gauges up to date.
func (m *memory) count(c *Counters) {
	up := 0
	for _, e := range m.pods {
		if e.proxy != nil {
			up++
		}
	}
	c.Up.Store(int64(up))
	c.Pending.Store(int64(len(m.pods) - up))
}

// close closes the listeners, and the DNS proxy's sockets.
func (o *Opened) close() {
	for _, b := range o.Pod.Listeners {
		_ = b.Listener.Close() // a second time it only says so
	}
	if o.Pod.DNS != nil {
		dns.Close(o.Pod.DNS.Sockets)
	}
}

// discard ends what was never served.
func (o *Opened) discard() {
	o.close()
	if o.Close != nil {
		o.Close()
	}
}
