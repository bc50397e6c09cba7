package route

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// Outbound is the decision tree of an outbound connection (spec/dataplane.md §2.5). The caller fills the inputs.
type Outbound struct {
	// OurNetwork is NETWORK; LocalNode is NODE_NAME and may be empty.
	OurNetwork, LocalNode string
	// Source is the pod's own workload, Src the downstream peer, Dst where the application wants to go.
	Source   *messages.Workload
	Src, Dst netip.AddrPort
	// InboundPort is where HBONE workloads are dialled, 15008 outside of tests.
	InboundPort uint16
	// Pick chooses one of n resolved addresses, 0 ≤ result < n; nil means at random.
	Pick func(n int) int

	// Considered and Eligible count the endpoints that the service store looked at and those that passed its filters,
	// for traces. They are set once the services have answered.
	Considered, Eligible int
}

// Next says what is needed next. It is called first, and once after each Learn that returned true.
func (o *Outbound) Next() Step { return Step{} }

// Learn takes an answer. It returns false for one that is not the answer awaited, such as one that came too late; the
// driver then goes on waiting.
func (o *Outbound) Learn(answer any) bool { return false }
