package sim

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// workload is a workload as the model sees it.
type workload struct {
	name, ip string
	// plain says that it has no node and does not speak HBONE.
	plain bool
	// behind says that it is an endpoint of the service.
	behind bool
	// selected are the policies that it lists.
	selected []string
}

// state is what one node has been told. It is not changed once it was told.
type state struct {
	workloads map[string]*workload
	policies  map[string]*policy
}

func (s *state) clone() *state {
	return &state{workloads: maps.Clone(s.workloads), policies: maps.Clone(s.policies)}
}

// mesh is the state as discovery delivers it.
func (s *state) mesh() bubble.Mesh {
	var m bubble.Mesh
	for _, name := range slices.Sorted(maps.Keys(s.workloads)) {
		m.Workloads = append(m.Workloads, s.workloads[name].build())
	}
	for _, key := range slices.Sorted(maps.Keys(s.policies)) {
		m.Policies = append(m.Policies, s.policies[key].message())
	}
	m.Services = []*messages.Service{bubble.Service(service, vip, servicePorts)}
	return m
}

func (w *workload) build() bubble.Workload {
	b := bubble.Workload{Name: w.name, IPs: w.ip, TCP: w.plain, Change: func(m *messages.Workload) {
		m.AuthorizationPolicies = w.selected
	}}
	if w.behind {
		b.Behind = map[string]messages.PortMap{service: servicePorts}
	}
	return b
}

// told is a state with the time when the node was told of it, and when it had taken it in; zero as long as it has not.
type told struct {
	*state
	at, applied time.Time
}

// Model is what every node was told, and when.
type Model struct {
	mu    sync.Mutex
	nodes map[string][]told
}

// tell notes that a node is told something now.
func (m *Model) tell(node string, s *state) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodes[node] = append(m.nodes[node], told{state: s, at: time.Now()})
}

// applied notes that a node has taken in the last thing it was told.
func (m *Model) applied(node string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.nodes[node]
	all[len(all)-1].applied = time.Now()
}

// now is what a node was told last.
func (m *Model) now(node string) *state {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.nodes[node]
	return all[len(all)-1].state
}

// during are the states that may have been in force at a node at some time between from and to.
func (m *Model) during(node string, from, to time.Time) []*state {
	m.mu.Lock()
	defer m.mu.Unlock()
	var in []*state
	all := m.nodes[node]
	for i, s := range all {
		if s.at.After(to) {
			break
		}
		if i+1 < len(all) && !all[i+1].applied.IsZero() && all[i+1].applied.Before(from) {
			continue
		}
		in = append(in, s.state)
	}
	return in
}

// verdicts are what the policies may have said of a call between from and to: whether somebody may have allowed it, and
// whether all did. The caller's node decides whether it has an identity, the called one's the rest.
func (m *Model) verdicts(caller, called string, port uint16, from, to time.Time) (some, all bool) {
	all = true
	for _, who := range m.identities(caller, called, from, to) {
		for _, s := range m.during(called, from, to) {
			var selected []string
			if w := s.workloads[called]; w != nil {
				selected = w.selected
			}
			yes := allows(s.policies, selected, who, port)
			some, all = some || yes, all && yes
		}
	}
	return some, all
}

// identities are as whom a caller may have come: as itself where its node knew that the called workload speaks HBONE,
// otherwise as nobody.
func (m *Model) identities(caller, called string, from, to time.Time) []string {
	if !slices.Contains(meshed, caller) {
		return []string{""}
	}
	who := map[string]bool{}
	for _, s := range m.during(caller, from, to) {
		if w := s.workloads[called]; w != nil && !w.plain {
			who[caller] = true
		} else {
			who[""] = true
		}
	}
	return slices.Sorted(maps.Keys(who))
}

// endpoints says of a workload whether it may have been an endpoint of the service, in the eyes of a node, between from
// and to, and whether it was all the time.
func (m *Model) endpoint(node, name string, from, to time.Time) (some, all bool) {
	all = true
	for _, s := range m.during(node, from, to) {
		w := s.workloads[name]
		yes := w != nil && w.behind
		some, all = some || yes, all && yes
	}
	return some, all
}

// denied reports whether a connection that was opened at start was denied all the time between from and to, whatever
// the called workload has listed since it was opened.
func (m *Model) denied(caller, called string, port uint16, start, from, to time.Time) bool {
	for _, who := range m.identities(caller, called, start, from) {
		for _, s := range m.during(called, from, to) {
			for _, listed := range m.during(called, start, to) {
				if allows(s.policies, listed.workloads[called].selected, who, port) {
					return false
				}
			}
		}
	}
	return true
}
