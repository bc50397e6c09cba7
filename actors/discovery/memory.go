package discovery

import (
	"slices"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// Memory is all that discovery has delivered: the local source's state with what the control plane said over it. It
// outlives the actor, and the node's root, so that neither a crash nor a control plane that is away costs the node its state.
// Only the actor uses it.
//
// It is changed entry by entry, each whole, and the ledger last: after a crash between the two the next stream brings again
// what the ledger lacks.
type Memory struct {
	workloads shelf[string, messages.WorkloadUpdate]
	services  shelf[messages.NamespacedHostname, messages.ServiceUpdate]
	policies  shelf[string, *messages.Authorization]
	ledger    *xds.Ledger
	// keys are the keys of resources whose names are others.
	keys map[string]string
	// based says that the local source's state is in it.
	based bool
	// numbered counts the deliveries to stores.
	numbered uint64
}

// NewMemory makes an empty one.
func NewMemory() *Memory {
	return &Memory{
		workloads: newShelf[string, messages.WorkloadUpdate](),
		services:  newShelf[messages.NamespacedHostname, messages.ServiceUpdate](),
		policies:  newShelf[string, *messages.Authorization](),
		ledger:    xds.NewLedger(), keys: map[string]string{},
	}
}

// base lays the local source's state under what comes; it does so once.
func (m *Memory) base(s State) {
	if m.based {
		return
	}
	m.based = true
	for _, w := range s.Workloads {
		m.workloads.put(w.Workload.UID, w)
	}
	for _, v := range s.Services {
		m.services.put(v.Service.Key(), v)
	}
	for _, p := range s.Policies {
		m.policies.put(p.Key, p)
	}
}

// changes are what the stores must be told of a batch.
type changes struct {
	State
	goneWorkloads []string
	goneServices  []messages.NamespacedHostname
	gonePolicies  []string
	// unknown counts the removals of what was not there.
	unknown int
}

// apply takes a batch in and says what the stores must be told: what came, in order, and what has gone, which is in the
// first no more.
func (m *Memory) apply(b *xds.Batch) *changes {
	c := &changes{}
	if int(b.Kind) >= xds.Kinds {
		return c
	}
	var before earlier
	for i := range b.Items {
		item := &b.Items[i]
		key := keyOf(item)
		if was := m.keyOf(item.Name); was != key && b.Kind == xds.Addresses && (m.ledger.Holds(b.Kind, item.Name) || before.has(b.Items[:i], item.Name)) {
			m.remove(b.Kind, was, c) // the resource of that name is another now
		}
		if key != item.Name {
			m.keys[item.Name] = key
		} else {
			delete(m.keys, item.Name)
		}
		m.put(item, c)
	}
	for _, name := range b.Removed {
		m.remove(b.Kind, m.keyOf(name), c)
		delete(m.keys, name)
	}
	c.settle(m)
	return c
}

// earlier are the names of a batch's first items. They are looked at when a name is not its resource's key, which is never
// so with istiod.
type earlier struct {
	names map[string]bool
	upTo  int
}

// has reports whether one of the items has that name; each call must be for as many items as the one before, or more.
func (e *earlier) has(items []xds.Item, name string) bool {
	if e.names == nil {
		e.names = map[string]bool{}
	}
	for ; e.upTo < len(items); e.upTo++ {
		e.names[items[e.upTo].Name] = true
	}
	return e.names[name]
}

func keyOf(item *xds.Item) string {
	switch {
	case item.Workload != nil:
		return item.Workload.Workload.UID
	case item.Service != nil:
		return item.Service.Key().String()
	}
	return item.Name
}

// keyOf is the key of what a resource brought.
func (m *Memory) keyOf(name string) string {
	if key, ok := m.keys[name]; ok {
		return key
	}
	return name
}

func (m *Memory) put(item *xds.Item, c *changes) {
	switch {
	case item.Workload != nil:
		m.workloads.put(item.Workload.Workload.UID, *item.Workload)
		c.Workloads = append(c.Workloads, *item.Workload)
	case item.Service != nil:
		u := messages.ServiceUpdate{Service: item.Service}
		m.services.put(item.Service.Key(), u)
		c.Services = append(c.Services, u)
	case item.Policy != nil:
		m.policies.put(item.Policy.Key, item.Policy)
		c.Policies = append(c.Policies, item.Policy)
	}
}

// remove takes away what has that key: a policy, or a workload with that uid, or else the service namespace/hostname
// (spec/control.md §2.9).
func (m *Memory) remove(k xds.Kind, key string, c *changes) {
	if k == xds.Authorizations {
		if !m.policies.has(key) {
			c.unknown++
			return
		}
		m.policies.drop(key)
		c.gonePolicies = append(c.gonePolicies, key)
		return
	}
	if m.workloads.has(key) {
		m.workloads.drop(key)
		c.goneWorkloads = append(c.goneWorkloads, key)
		return
	}
	name, err := messages.ParseNamespacedHostname(key)
	if err != nil || strings.Contains(name.Hostname, "/") || !m.services.has(name) {
		c.unknown++
		return
	}
	m.services.drop(name)
	c.goneServices = append(c.goneServices, name)
}

// settle takes out of what came what has gone since, and out of what has gone what came since: stores remove first.
func (c *changes) settle(m *Memory) {
	if len(c.goneWorkloads)+len(c.goneServices)+len(c.gonePolicies) == 0 {
		return
	}
	c.Workloads = slices.DeleteFunc(c.Workloads, func(w messages.WorkloadUpdate) bool { return !m.workloads.has(w.Workload.UID) })
	c.Services = slices.DeleteFunc(c.Services, func(s messages.ServiceUpdate) bool { return !m.services.has(s.Service.Key()) })
	c.Policies = slices.DeleteFunc(c.Policies, func(p *messages.Authorization) bool { return !m.policies.has(p.Key) })
	c.goneWorkloads = slices.DeleteFunc(c.goneWorkloads, m.workloads.has)
	c.goneServices = slices.DeleteFunc(c.goneServices, m.services.has)
	c.gonePolicies = slices.DeleteFunc(c.gonePolicies, m.policies.has)
}

// state is everything.
func (m *Memory) state() State {
	return State{Workloads: m.workloads.all(), Services: m.services.all(), Policies: m.policies.all()}
}

// synced reports whether the control plane has told everything once: doors stay closed until then (spec/control.md §2.10).
func (m *Memory) synced(onDemand bool) bool {
	return m.ledger.Acknowledged(xds.Authorizations) && (onDemand || m.ledger.Acknowledged(xds.Addresses))
}
