package oracle

import (
	"math/rand/v2"
	"net/netip"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/e2e/stores"
)

// house is the real thing: the stores as actors, and one that asks them.
type house struct {
	fail func(format string, args ...any)
	*stores.Stores
	asker  *stores.Asker
	random *rand.Rand
}

// newHouse starts stores that draw from seed.
func newHouse(fail func(format string, args ...any), seed uint64, names map[string][]netip.Addr) *house {
	h := &house{fail: fail, random: rand.New(rand.NewPCG(seed, 2))}
	var err error
	if h.Stores, err = stores.Start(rand.New(rand.NewPCG(seed, 1)), names); err != nil {
		fail("%v", err)
	}
	if h.asker, err = h.NewAsker(); err != nil {
		fail("%v", err)
	}
	return h
}

func (h *house) close() {
	if err := h.Close(); err != nil {
		h.fail("stopping: %v", err)
	}
}

func (h *house) ask(to *actor.PID, question any) any {
	a, err := h.asker.Ask(to, question)
	if err != nil {
		h.fail("%v", err)
	}
	return a
}

func (h *house) deliver(to *actor.PID, update any) {
	if err := h.asker.Deliver(to, update); err != nil {
		h.fail("%v", err)
	}
}

func (h *house) run(t stores.Tree) route.Step {
	s, err := h.asker.Run(t)
	if err != nil {
		h.fail("%v", err)
	}
	return s
}

func (h *house) outbound(c Call) Way {
	s := h.run(&route.Outbound{
		OurNetwork: c.OurNetwork, LocalNode: c.LocalNode, Source: c.Source, Src: c.Src, Dst: c.Dst,
		InboundPort: c.InboundPort, Pick: h.random.IntN,
	})
	return Way{Request: s.Request, Deny: s.Deny}
}

func (h *house) inbound(a Arrival) Reception {
	s := h.run(&route.Inbound{
		OurNetwork: a.OurNetwork, Local: a.Local, Src: a.Src, Identity: a.Identity, Dst: a.Dst, Authority: a.Authority,
		ForwardedHost: a.ForwardedHost, ForwardedNetwork: a.ForwardedNetwork, Forwarded: a.Forwarded,
		IllegalPorts: a.IllegalPorts, LocalhostTunnel: a.LocalhostTunnel, EnforceWaypoint: a.EnforceWaypoint,
	})
	return Reception{Inbound: s.Inbound, Deny: s.Deny}
}
