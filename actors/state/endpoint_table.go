package state

import (
	"cmp"
	"maps"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

// ApplyEndpoints makes the changes that u tells, removals first.
func (t *ServiceTable) ApplyEndpoints(u *messages.UpdateEndpoints) {
	t.version++
	if u.Reset {
		begin(&t.repassed, t.workloads)
	}
	for _, uid := range u.Remove {
		t.removeWorkload(uid)
	}
	for _, w := range u.Set {
		t.setWorkload(w)
	}
	if u.More {
		return
	}
	for _, uid := range t.repassed.end() {
		t.removeWorkload(uid)
	}
}

func (t *ServiceTable) setWorkload(u messages.WorkloadUpdate) {
	uid := u.Workload.UID
	t.repassed.spare(uid)
	t.removeWorkload(uid)
	t.workloads[uid] = u
	for _, key := range memberships(u) {
		if t.members[key] == nil {
			t.members[key] = map[string]messages.Endpoint{}
		}
		t.members[key][uid] = messages.Endpoint{Workload: u.Workload, Ports: u.Ports[key]}
		t.changed(key)
	}
	t.statedChanged(uid)
}

func (t *ServiceTable) removeWorkload(uid string) {
	u, ok := t.workloads[uid]
	if !ok {
		return
	}
	delete(t.workloads, uid)
	for _, key := range memberships(u) {
		delete(t.members[key], uid)
		if len(t.members[key]) == 0 {
			delete(t.members, key)
		}
		t.changed(key)
	}
	t.statedChanged(uid)
}

// memberships are the services that a workload says it belongs to.
func memberships(u messages.WorkloadUpdate) []messages.NamespacedHostname {
	if len(u.Ports) == 0 {
		return u.Workload.Services
	}
	all := slices.Clone(u.Workload.Services)
	for key := range u.Ports {
		if !slices.Contains(u.Workload.Services, key) {
			all = append(all, key)
		}
	}
	return all
}

func (t *ServiceTable) changed(key messages.NamespacedHostname) {
	if e := t.byKey[key]; e != nil {
		e.eligible = nil
	}
}

// statedChanged marks the services that state uid as their endpoint themselves: few do, and only from local files.
func (t *ServiceTable) statedChanged(uid string) {
	for _, e := range t.stating {
		if _, ok := e.stated[uid]; ok {
			e.eligible = nil
		}
	}
}

// endpoints are the endpoints of a service that its health policy lets through, by uid.
func (t *ServiceTable) endpoints(e *entry) []messages.Endpoint {
	if e.eligible != nil {
		return e.eligible
	}
	all := make([]messages.Endpoint, 0, len(t.members[e.key])+len(e.stated))
	for _, ep := range t.members[e.key] {
		if ep.Workload.Status == messages.Healthy || e.AllowsUnhealthy() {
			all = append(all, ep)
		}
	}
	for uid, s := range e.stated {
		ep, ok := t.statedEndpoint(e, uid)
		if ok && (s.Status == messages.Healthy || e.AllowsUnhealthy()) {
			all = append(all, ep)
		}
	}
	slices.SortFunc(all, func(x, y messages.Endpoint) int { return cmp.Compare(x.Workload.UID, y.Workload.UID) })
	e.eligible = all
	return all
}

// statedEndpoint is an endpoint that e states itself, unless its workload is not known or tells otherwise.
func (t *ServiceTable) statedEndpoint(e *entry, uid string) (messages.Endpoint, bool) {
	s, ok := e.stated[uid]
	if !ok {
		return messages.Endpoint{}, false
	}
	if _, told := t.members[e.key][uid]; told {
		return messages.Endpoint{}, false
	}
	if s.WorkloadUID != "" {
		uid = s.WorkloadUID
	}
	w, ok := t.workloads[uid]
	return messages.Endpoint{Workload: w.Workload, Ports: s.Ports}, ok
}

// member is the endpoint that workload uid is of a service, healthy or not.
func (t *ServiceTable) member(e *entry, uid string) (messages.Endpoint, bool) {
	if ep, ok := t.members[e.key][uid]; ok {
		return ep, true
	}
	return t.statedEndpoint(e, uid)
}

// everyMember goes through the endpoints of a service, healthy or not, until visit returns false.
func (t *ServiceTable) everyMember(e *entry, visit func(messages.Endpoint) bool) {
	for _, ep := range t.members[e.key] {
		if !visit(ep) {
			return
		}
	}
	for uid := range e.stated {
		if ep, ok := t.statedEndpoint(e, uid); ok && !visit(ep) {
			return
		}
	}
}

// staged are the endpoints of services that are not there.
func (t *ServiceTable) staged() map[messages.NamespacedHostname]map[string]messages.Endpoint {
	all := map[messages.NamespacedHostname]map[string]messages.Endpoint{}
	for key, members := range t.members {
		if t.byKey[key] == nil {
			all[key] = maps.Clone(members)
		}
	}
	return all
}
