package state

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/troupe-mesh/troupe/messages"
)

// ServiceTable indexes services by key, host name, VIP and CIDR, and holds their endpoints: the frozen workloads that
// say they belong to a service, whether the service is there yet or not, healthy or not (spec/control.md §3.2 and
// §10.4). It is not safe for concurrent use.
type ServiceTable struct {
	version uint64
	random  *rand.Rand
	byKey   map[messages.NamespacedHostname]*entry
	byHost  map[string][]*entry
	// byCanonical has the services whose host name is written in another way than messages.CanonicalHost does.
	byCanonical map[string][]*entry
	byVIP       map[messages.NetworkAddress][]*entry
	byCIDR      map[string]*bart.Table[[]*entry] // by network
	// workloads are all that are known, members their endpoints by service.
	workloads map[string]messages.WorkloadUpdate
	members   map[messages.NamespacedHostname]map[string]messages.Endpoint
	// stating are the services that state endpoints themselves.
	stating map[messages.NamespacedHostname]*entry
	ranks   []ranked // scratch
	// redelivered and repassed are the full deliveries of services and of workloads that are coming in.
	redelivered sweep[messages.NamespacedHostname]
	repassed    sweep[string]
}

// entry is one service that is held.
type entry struct {
	*messages.Service
	key messages.NamespacedHostname
	// stated are the endpoints that came with the service itself.
	stated map[string]messages.StatedEndpoint
	// eligible caches the endpoints that the health policy lets through, by uid; it is nil when it must be made anew.
	eligible []messages.Endpoint
}

// NewServiceTable makes an empty table. Endpoints and weighted waypoints are drawn from random; nil means a source of
// its own.
func NewServiceTable(random *rand.Rand) *ServiceTable {
	if random == nil {
		random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // load balancing, not a secret
	}
	return &ServiceTable{
		random: random,
		byKey:  map[messages.NamespacedHostname]*entry{},
		byHost: map[string][]*entry{},

		byCanonical: map[string][]*entry{},

		byVIP:     map[messages.NetworkAddress][]*entry{},
		byCIDR:    map[string]*bart.Table[[]*entry]{},
		workloads: map[string]messages.WorkloadUpdate{},
		members:   map[messages.NamespacedHostname]map[string]messages.Endpoint{},
		stating:   map[messages.NamespacedHostname]*entry{},
	}
}

// Version grows with every update.
func (t *ServiceTable) Version() uint64 { return t.version }

// ApplyServices makes the changes that u tells, removals first.
func (t *ServiceTable) ApplyServices(u *messages.UpdateServices) {
	t.version++
	if u.Reset {
		begin(&t.redelivered, t.byKey)
	}
	for _, key := range u.Remove {
		t.removeService(key)
	}
	for _, s := range u.Set {
		t.setService(s)
	}
	if u.More {
		return
	}
	for _, key := range t.redelivered.end() {
		t.removeService(key)
	}
}

// setService adds a service at the end of the lists, or replaces it and so moves it there: ties go by that order.
// Endpoints that an earlier version stated are kept.
func (t *ServiceTable) setService(u messages.ServiceUpdate) {
	e := &entry{Service: u.Service, key: u.Service.Key(), stated: u.Endpoints}
	if old := t.byKey[e.key]; old != nil {
		e.stated = carryOver(old.stated, u.Endpoints)
		t.removeService(e.key)
	}
	t.redelivered.spare(e.key)
	t.byKey[e.key] = e
	if len(e.stated) > 0 {
		t.stating[e.key] = e
	}
	t.byHost[e.Hostname] = append(t.byHost[e.Hostname], e)
	if host := messages.CanonicalHost(e.Hostname); host != e.Hostname {
		t.byCanonical[host] = append(t.byCanonical[host], e)
	}
	for _, vip := range distinct(e.VIPs) {
		t.byVIP[vip] = append(t.byVIP[vip], e)
	}
	for _, p := range distinct(e.CIDRVIPs) {
		ranges := t.byCIDR[p.Network]
		if ranges == nil {
			ranges = &bart.Table[[]*entry]{}
			t.byCIDR[p.Network] = ranges
		}
		ranges.Modify(p.Prefix.Masked(), func(list []*entry, _ bool) ([]*entry, bool) {
			if slices.Contains(list, e) {
				return list, false
			}
			return append(list, e), false
		})
	}
}

func carryOver(old, latest map[string]messages.StatedEndpoint) map[string]messages.StatedEndpoint {
	if len(old) == 0 {
		return latest
	}
	all := make(map[string]messages.StatedEndpoint, len(old)+len(latest))
	for uid, e := range old {
		all[uid] = e
	}
	for uid, e := range latest {
		all[uid] = e
	}
	return all
}

func distinct[T comparable](list []T) []T {
	all := make([]T, 0, len(list))
	for _, v := range list {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

func (t *ServiceTable) removeService(key messages.NamespacedHostname) {
	e := t.byKey[key]
	if e == nil {
		return
	}
	delete(t.byKey, key)
	delete(t.stating, key)
	drop(t.byHost, e.Hostname, e)
	drop(t.byCanonical, messages.CanonicalHost(e.Hostname), e)
	for _, vip := range e.VIPs {
		drop(t.byVIP, vip, e)
	}
	for _, p := range e.CIDRVIPs {
		ranges := t.byCIDR[p.Network]
		if ranges == nil {
			continue
		}
		ranges.Modify(p.Prefix.Masked(), func(list []*entry, _ bool) ([]*entry, bool) {
			list = slices.DeleteFunc(list, func(have *entry) bool { return have == e })
			return list, len(list) == 0
		})
		if ranges.Size() == 0 {
			delete(t.byCIDR, p.Network)
		}
	}
}

// FindHostname answers the question of that name.
func (t *ServiceTable) FindHostname(q *messages.FindHostname) *messages.ServiceFound {
	return &messages.ServiceFound{Answer: answer(&q.Question, t.version), Service: t.byKey[q.Name].service()}
}

// FindAddress answers the question of that name for its first address.
func (t *ServiceTable) FindAddress(q *messages.FindAddress) *messages.ServiceFound {
	return &messages.ServiceFound{
		Answer:  answer(&q.Question, t.version),
		Service: t.byAddress(q.Addresses[0], q.Namespace).service(),
	}
}

func (e *entry) service() *messages.Service {
	if e == nil {
		return nil
	}
	return e.Service
}

// DumpState answers the question of that name.
func (t *ServiceTable) DumpState(q *messages.DumpState) *messages.ServicesDumped {
	a := &messages.ServicesDumped{Answer: answer(&q.Question, t.version)}
	for _, e := range t.byKey {
		d := messages.ServiceDump{Service: e.Service, Endpoints: map[string]messages.Endpoint{}}
		for _, ep := range t.endpoints(e) {
			d.Endpoints[ep.Workload.UID] = ep
		}
		a.Services = append(a.Services, d)
	}
	slices.SortFunc(a.Services, func(x, y messages.ServiceDump) int {
		return cmp.Or(cmp.Compare(x.Service.Namespace, y.Service.Namespace),
			cmp.Compare(x.Service.Hostname, y.Service.Hostname))
	})
	a.Staged = t.staged()
	return a
}
