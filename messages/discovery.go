package messages

import "time"

// What discovery tells the stores. A batch is applied additions first in the order workloads, policies, services,
// and removals in reverse. Each store gets its own part as one message per bounded chunk.

// UpdateWorkloads adds or replaces workloads and removes others; removals are applied first. The workload store passes
// what changed on to the service store, as UpdateEndpoints.
type UpdateWorkloads struct {
	Stamp
	// Delivery is told back in Applied: the sender's own number.
	Delivery uint64
	Set      []WorkloadUpdate
	Remove   []string
	// Reset forgets everything that is not in Set: a full re-delivery, or the first chunk of one.
	// What a delivery in several chunks does not name is forgotten with its last one.
	Reset bool
	// More says that further chunks of the same delivery follow: a store that has lost its state answers nothing before
	// the last. It means the same in the other updates.
	More bool
}

// UpdateServices adds or replaces services and removes others.
type UpdateServices struct {
	Stamp
	// Delivery is told back in Applied: the sender's own number.
	Delivery uint64
	Set      []ServiceUpdate
	Remove   []NamespacedHostname
	Reset    bool
	More     bool
}

// UpdateEndpoints tells the service store which workloads exist, with their port mappings. Endpoints of services that
// are not there yet are staged.
type UpdateEndpoints struct {
	Stamp
	// Delivery is told back in Applied: the sender's own number.
	Delivery uint64
	Set      []WorkloadUpdate
	Remove   []string
	Reset    bool
	More     bool
}

// AlwaysAdmitted says that there are only as many as updates of the workload store, which its mailbox bounds: the
// service store takes them in even when it is full, for nobody would tell it again.
func (*UpdateEndpoints) AlwaysAdmitted() {}

// UpdatePolicies adds or replaces policies and removes others, by key.
type UpdatePolicies struct {
	Stamp
	// Delivery is told back in Applied: the sender's own number.
	Delivery uint64
	Set      []*Authorization
	Remove   []string
	Reset    bool
	More     bool
}

// Applied answers an update that was sent with a sender: the store's version after it.
type Applied struct {
	// Delivery is the update's.
	Delivery uint64
	Version  uint64
}

// StoreLost is told to discovery when a store started afresh after a crash: it must be delivered its state again, and
// answers nothing that policy could deny until then.
type StoreLost struct {
	Role string
}

// AlwaysAdmitted says that there is one for each restart of a store.
func (*StoreLost) AlwaysAdmitted() {}

// DumpState asks a store for everything it holds, for the admin page.
type DumpState struct {
	Question
}

// WorkloadsDumped, ServicesDumped and PoliciesDumped answer DumpState; the slices are frozen and sorted.
type WorkloadsDumped struct {
	Answer
	Workloads []*Workload
}

// ServicesDumped answers DumpState at the service store.
type ServicesDumped struct {
	Answer
	Services []ServiceDump
	// Staged are the endpoints whose service is not known: by service, then by workload uid.
	Staged map[NamespacedHostname]map[string]Endpoint
}

// ServiceDump is a service with its eligible endpoints by workload uid.
type ServiceDump struct {
	Service   *Service
	Endpoints map[string]Endpoint
}

// PoliciesDumped answers DumpState at the policy store.
type PoliciesDumped struct {
	Answer
	Policies []*Authorization
}

// StateDelivered tells the node that the first complete state is in the stores. It is answered.
type StateDelivered struct{ Question }

// StateNoted answers StateDelivered: the node knows, and opens the doors.
type StateNoted struct{ Answer }

// DemandResource asks discovery for a resource that no store has: with on-demand discovery it is looked up at the control
// plane, and after a good answer the stores have it (spec/control.md §2.8). Several askers of one name share a look-up.
type DemandResource struct {
	Question
	// Name is network/ip (with an empty network /ip), namespace/hostname, or a workload's uid.
	Name string
	// Wait is how long the look-up may last, up to 1 minute; 0 means 5 s.
	Wait time.Duration
}

// ResourceDemanded answers DemandResource.
type ResourceDemanded struct {
	Answer
	Name    string
	Outcome DemandOutcome
	// Held is how long the answer waited for the control plane.
	Held time.Duration
}

// DemandOutcome is how a look-up at the control plane ended.
type DemandOutcome uint8

// The outcomes. Only after DemandArrived it is worth asking the stores again.
const (
	DemandUnsupported DemandOutcome = iota // the stores know all there is: discovery is not on demand
	DemandArrived                          // the stores have it now
	DemandAbsent                           // the control plane knows no such resource
	DemandLate                             // there was no answer in time: the control plane is slow, or away
	DemandRefused                          // too many are being looked up
)

// String is the outcome's name.
func (o DemandOutcome) String() string {
	return [...]string{"unsupported", "arrived", "absent", "late", "refused"}[o]
}
