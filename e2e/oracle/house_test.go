package oracle

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
)

// house is the real thing: the four stores as actors, and one that asks them.
type house struct {
	fail                              func(format string, args ...any)
	system                            *kit.System
	workloads, services, names, asker *actor.PID
	heard                             chan any
	random                            *rand.Rand
}

// put is a request to the asker: send msg to whom, as the sender.
type put struct {
	to  *actor.PID
	msg any
}

type asker struct{ heard chan any }

func (a *asker) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started, *actor.Stopping, *actor.Stopped:
	case *put:
		ctx.Request(m.to, m.msg)
	default:
		a.heard <- m
	}
}

// resolver is DNS for the length of a world.
type resolver map[string][]netip.Addr

func (r resolver) Resolve(_ context.Context, host string) ([]netip.Addr, time.Duration, error) {
	addrs, known := r[host]
	if !known {
		return nil, 0, errors.New("no such name")
	}
	return addrs, time.Hour, nil
}

// newHouse starts stores that draw from seed.
func newHouse(fail func(format string, args ...any), seed uint64, names map[string][]netip.Addr) *house {
	h := &house{
		fail: fail, system: kit.NewSystem(kit.Config{}), heard: make(chan any, 64), random: rand.New(rand.NewPCG(seed, 2)),
	}
	h.asker = h.spawn(kit.Spec{
		Role: "asker", New: func() actor.Actor { return &asker{h.heard} }, Capacity: 1024, Run: kit.CallerRuns(),
	}, "asker")
	h.services = h.spawn(state.ServiceStore(state.Config{Random: rand.New(rand.NewPCG(seed, 1))}), state.RoleServices)
	h.workloads = h.spawn(state.WorkloadStore(state.Config{Services: func() *actor.PID { return h.services }}), state.RoleWorkloads)
	h.names = h.spawn(state.NameStore(state.Config{Resolver: resolver(names)}), state.RoleNames)
	return h
}

func (h *house) spawn(spec kit.Spec, name string) *actor.PID {
	pid, err := h.system.SpawnRoot(spec, name)
	if err != nil {
		h.fail("spawning %s: %v", name, err)
	}
	return pid
}

func (h *house) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := h.system.Shutdown(ctx); err != nil {
		h.fail("shutting down: %v", err)
	}
}

// ask is what a store answers, within a minute.
func (h *house) ask(to *actor.PID, question any) any {
	h.system.Send(h.asker, &put{to, question})
	select {
	case a := <-h.heard:
		return a
	case <-time.After(time.Minute):
		h.fail("no answer to %T %+v", question, question)
		return nil
	}
}

// deliver sends an update and waits until it is applied.
func (h *house) deliver(to *actor.PID, update any) {
	if _, ok := h.ask(to, update).(*messages.Applied); !ok {
		h.fail("%T was not applied", update)
	}
}

type tree interface {
	Next() route.Step
	Learn(answer any) bool
}

// run drives a decision tree to its end, as the classify actor does.
func (h *house) run(t tree) route.Step {
	for range 20 {
		s := t.Next()
		if s.Final() {
			return s
		}
		var whom *actor.PID
		switch s.Store {
		case route.Workloads:
			whom = h.workloads
		case route.Services:
			whom = h.services
		case route.DNS:
			whom = h.names
		case route.NoStore:
			h.fail("%T has no store", s.Ask)
		}
		if a := h.ask(whom, s.Ask); !t.Learn(a) {
			h.fail("the tree did not learn from %T, the answer to %T", a, s.Ask)
		}
	}
	h.fail("the tree does not end")
	return route.Step{}
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
