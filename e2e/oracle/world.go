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
	// doomedWorkloads and doomedServices are what a full delivery that has begun has not named so far.
	doomedWorkloads []string
	doomedServices  []messages.NamespacedHostname
}

// UpdateWorkloads does what the message of that name says.
func (w *World) UpdateWorkloads(u *messages.UpdateWorkloads) {
	if u.Reset {
		w.doomedWorkloads = nil
		for _, have := range w.Workloads {
			w.doomedWorkloads = append(w.doomedWorkloads, have.Workload.UID)
		}
	}
	for _, uid := range u.Remove {
		w.removeWorkload(uid)
	}
	for _, set := range u.Set {
		w.removeWorkload(set.Workload.UID)
		w.Workloads = append(w.Workloads, set)
		w.doomedWorkloads = without(w.doomedWorkloads, set.Workload.UID)
	}
	if !u.More {
		for _, uid := range w.doomedWorkloads {
			w.removeWorkload(uid)
		}
		w.doomedWorkloads = nil
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
		w.doomedServices = nil
		for _, have := range w.Services {
			w.doomedServices = append(w.doomedServices, have.Key())
		}
	}
	for _, key := range u.Remove {
		w.removeService(key)
	}
	for _, set := range u.Set {
		w.removeService(set.Service.Key())
		w.Services = append(w.Services, set.Service)
		w.doomedServices = without(w.doomedServices, set.Service.Key())
	}
	if !u.More {
		for _, key := range w.doomedServices {
			w.removeService(key)
		}
		w.doomedServices = nil
	}
}

func (w *World) removeService(key messages.NamespacedHostname) {
	w.Services = slices.DeleteFunc(slices.Clone(w.Services), func(have *messages.Service) bool {
		return have.Namespace == key.Namespace && have.Hostname == key.Hostname
	})
}

func without[K comparable](all []K, one K) []K {
	var left []K
	for _, have := range all {
		if have != one {
			left = append(left, have)
		}
	}
	return left
}
