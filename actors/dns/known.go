package dns

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// The bounds of what a resolver knows.
const (
	// knownFor is how long anything is known: so long may the news that it has changed be lost.
	knownFor = time.Second
	// maxKnown bounds the questions, maxKnownReply the size of a name server's reply to one.
	maxKnown, maxKnownReply = 512, 2048
)

// known is what a resolver was told lately, so that a name which is asked for again and again is not looked for again and
// again. The stores and the forwarder remain the ones who say it: everything is forgotten after knownFor, and the services
// as soon as one changes.
type known struct {
	names   map[string]*knownName // by Query.AppendKey
	since   time.Time
	changed uint64 // the version of the last change of services that was heard of
}

// knownName is what is known of a question.
type knownName struct {
	// local asked; meant is what it looked for in the mesh and found what came of that, nil for what is no business of the
	// mesh's.
	local *messages.Workload
	meant messages.HostQuestion
	found *messages.HostFound
	// reply is what a name server said, and when; nil when that is not known.
	reply *dnswire.Reply
	from  time.Time
}

// forgetKnown says that knownFor is over for what a resolver has learned since it knew nothing.
type forgetKnown struct{}

// get is what is known under a key; nil for nothing.
func (k *known) get(key []byte, now time.Time) *knownName {
	if len(k.names) == 0 {
		return nil
	}
	if now.Sub(k.since) > knownFor {
		k.forget()
		return nil
	}
	return k.names[string(key)]
}

// put remembers a name. It is true for the first after nothing was known: then forgetKnown must come.
func (k *known) put(key string, n *knownName, now time.Time) (first bool) {
	if n.found != nil && (!n.found.Kept || n.found.Version < k.changed) {
		return false
	}
	if len(k.names) >= maxKnown || now.Sub(k.since) > knownFor {
		k.forget()
	}
	if k.names == nil {
		k.names, first = map[string]*knownName{}, true
	}
	if len(k.names) == 0 {
		k.since = now
	}
	k.names[key] = n
	return first
}

// putReply remembers what a name server said to a question that is known.
func (k *known) putReply(key string, m *forwarded, now time.Time) {
	if n := k.names[key]; n != nil && m.reply.Size() <= maxKnownReply {
		n.reply, n.from = m.reply, now.Add(-m.age)
	}
}

// forget forgets everything, end gives its place up too.
func (k *known) forget() { clear(k.names) }

func (k *known) end() { k.names = nil }

// hostsChanged forgets what earlier versions of the services said.
func (k *known) hostsChanged(m *messages.HostsChanged) {
	k.changed = max(k.changed, m.Version)
	k.forget()
}
