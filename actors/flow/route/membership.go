package route

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// membership asks whether somebody stands behind a gateway reference: the workload it names, or an endpoint of the
// service it names (spec/dataplane.md §2.6 and §4.6). An address means a workload first, a host name a service first.
type membership struct {
	*inquiry
	destination messages.Destination
	// uid, where set, asks for that workload among a service's endpoints, and the workload named must own addr;
	// otherwise whoever it is must have identity and own addr.
	uid      string
	identity messages.Identity
	addr     netip.Addr
	// workload is the one that the reference names, once it was asked for; service says that it names a service.
	workload *messages.Workload
	service  bool
	// demands, where set, lets a reference that names nothing be looked up on demand, once.
	demands *demands
	// The outcome, for then.
	is   bool
	then func() Step
}

func (m *membership) start() Step {
	if m.destination.IsHostname() {
		return m.askService()
	}
	return m.findAddresses(m.destination.Address, messages.NetworkAddress{}, m.addressFound)
}

func (m *membership) askService() Step {
	return m.ask(Services, &messages.IsGatewayOf{
		Question:    m.question(),
		Destination: m.destination,
		Identity:    m.identity,
		Addr:        m.addr,
		WorkloadUID: m.uid,
	}, kindGatewayOf, m.serviceFound)
}

func (m *membership) addressFound() Step {
	if w := m.found()[0]; w != nil {
		return m.named(w)
	}
	return m.askService()
}

func (m *membership) serviceFound() Step {
	a := m.answer.(*messages.GatewayOfFound)
	m.service, m.is = a.Known, a.Known && a.Is
	switch {
	case a.Known:
		return m.then()
	case !m.destination.IsHostname():
		return m.absent(m.then)
	}
	return m.findHostname(m.destination.Hostname, func() Step {
		w := m.foundNamed()
		if w == nil {
			return m.absent(func() Step { return m.named(nil) })
		}
		return m.named(w)
	})
}

// absent goes on with a reference that names nothing that the stores have.
func (m *membership) absent(without func() Step) Step {
	name := m.destination.String()
	if m.demands == nil || m.demands.have(name) {
		return without()
	}
	return m.demands.look(m.inquiry, name, m.start, without)
}

func (m *membership) named(w *messages.Workload) Step {
	m.workload = w
	m.is = w != nil && w.HasIP(m.addr) && (m.uid != "" || w.Identity() == m.identity)
	return m.then()
}
