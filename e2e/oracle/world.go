package oracle

import (
	"net/netip"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

// World is all that discovery has delivered, in the order of arrival: the last is the latest.
type World struct {
	Workloads []messages.WorkloadUpdate
	Services  []*messages.Service
	// Names are what DNS says: a name that is not in it can't be resolved.
	Names map[string][]netip.Addr
}

// UpdateWorkloads does what the message of that name says.
func (w *World) UpdateWorkloads(u *messages.UpdateWorkloads) {
	if u.Reset {
		w.Workloads = nil
	}
	for _, uid := range u.Remove {
		w.removeWorkload(uid)
	}
	for _, set := range u.Set {
		w.removeWorkload(set.Workload.UID)
		w.Workloads = append(w.Workloads, set)
	}
}

func (w *World) removeWorkload(uid string) {
	w.Workloads = slices.DeleteFunc(slices.Clone(w.Workloads), func(have messages.WorkloadUpdate) bool {
		return have.Workload.UID == uid
	})
}

// UpdateServices does what the message of that name says.
func (w *World) UpdateServices(u *messages.UpdateServices) {
	if u.Reset {
		w.Services = nil
	}
	for _, key := range u.Remove {
		w.removeService(key)
	}
	for _, set := range u.Set {
		w.removeService(set.Service.Key())
		w.Services = append(w.Services, set.Service)
	}
}

func (w *World) removeService(key messages.NamespacedHostname) {
	w.Services = slices.DeleteFunc(slices.Clone(w.Services), func(have *messages.Service) bool {
		return have.Namespace == key.Namespace && have.Hostname == key.Hostname
	})
}
