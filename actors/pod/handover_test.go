package pod

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// obstinate is a flow that answers a HandOver as it is told to, or not at all.
type obstinate struct {
	answer func(ctx actor.Context)
	heard  chan any
}

func (o *obstinate) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.HandOver:
		if o.answer != nil {
			o.answer(ctx)
		}
	case *messages.LegTaken, *messages.LegRefused:
		o.heard <- m
	}
}

// registryOf passes every question on, as the registry does for connections that it knows.
type registryOf struct{}

func (registryOf) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*askFlow); ok {
		ctx.RequestWithCustomSender(m.flow, &messages.HandOver{}, ctx.Sender())
	}
}

// giver is a pod that does nothing but give away.
type giver struct{ pod }

func (g *giver) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *HandOver:
		g.handOver(ctx, m)
	case *messages.LegOffered:
		g.legOffered(ctx, m)
	case *messages.LegKept:
		g.legKept(ctx, m)
	case *legPassed:
		g.legPassed(ctx, m)
	case *givingOverdue:
		g.givingOverdue(ctx, m)
	}
}

// Each flow is asked once; what moves, is refused, stays or does not answer is told apart, and the oldest stands first.
func TestHandOverReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := kit.NewSystem(kit.Config{})
		peer := netip.MustParseAddrPort("10.0.0.1:1")
		offer := func(ctx actor.Context) { ctx.Request(ctx.Sender(), &messages.LegOffered{}) }
		keep := func(age time.Duration) func(actor.Context) {
			return func(ctx actor.Context) {
				ctx.Request(ctx.Sender(), &messages.LegKept{Tunnelled: true, Peer: peer, Since: time.Now().Add(-age)})
			}
		}
		answers := []func(actor.Context){offer, keep(time.Second), offer, nil, keep(time.Minute)}
		g := &giver{}
		g.config.Log = &quiet{}
		g.flows, g.sessions = map[string]*actor.PID{}, map[string]*actor.PID{}
		heard := make(chan any, len(answers))
		for i, a := range answers {
			f, err := system.SpawnRoot(kit.Spec{Role: "flow", Capacity: 8, New: func() actor.Actor { return &obstinate{a, heard} }}, "flow"+strconv.Itoa(i))
			if err != nil {
				t.Fatal(err)
			}
			g.flows[f.Id] = f
		}
		registry, err := system.SpawnRoot(kit.Spec{Role: RoleConnections, Capacity: 8, New: func() actor.Actor { return registryOf{} }}, RoleConnections)
		if err != nil {
			t.Fatal(err)
		}
		g.deps = depsWith(registry)
		p, err := system.SpawnRoot(kit.Spec{Role: RolePod, Capacity: 8, New: func() actor.Actor { return g }}, RolePod)
		if err != nil {
			t.Fatal(err)
		}
		full, passed := errors.New("no room"), 0
		take := func(*messages.LegOffered) error {
			passed++
			if passed == 2 {
				return full
			}
			return nil
		}
		r, err := kit.AskFor[*HandedOver](t.Context(), system, p, &HandOver{Take: take}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if r.Moved != 1 || r.Refused != 1 || !errors.Is(r.Why, full) || r.KeptCount != 3 || len(r.Kept) != 2 {
			t.Errorf("the report is %+v", r)
		}
		if len(r.Kept) == 2 && !r.Kept[0].Since.Before(r.Kept[1].Since) {
			t.Errorf("the oldest does not stand first: %+v", r.Kept)
		}
		synctest.Wait()
		if len(heard) != 2 {
			t.Errorf("%d flows heard what became of their legs, want 2", len(heard))
		}
		again, err := kit.AskFor[*HandedOver](t.Context(), system, p, &HandOver{Take: take}, time.Hour)
		if err != nil || again.Moved != 0 || again.KeptCount != len(answers) {
			t.Errorf("a second time: %+v, %v", again, err)
		}
		_ = system.Shutdown(context.Background())
	})
}

// A leg for which a pod has no room is closed, not kept half.
func TestAdoptWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := kit.NewSystem(kit.Config{})
		p, err := system.SpawnRoot(kit.Spec{Role: RolePod, Capacity: 8, New: func() actor.Actor { return &crowded{} }}, RolePod)
		if err != nil {
			t.Fatal(err)
		}
		a, b := net.Pipe()
		c, d := net.Pipe()
		answer, err := kit.Ask(t.Context(), system, p, &messages.AdoptLeg{Downstream: b, Upstream: c}, time.Minute)
		if _, ok := answer.(*messages.LegRefused); err != nil || !ok {
			t.Errorf("%T, %v", answer, err)
		}
		for _, end := range []net.Conn{a, d} {
			if _, err := end.Read(make([]byte, 1)); err == nil {
				t.Error("it is open")
			}
			_ = end.Close()
		}
		_ = system.Shutdown(context.Background())
	})
}

// crowded is a pod that is full.
type crowded struct{ pod }

func (c *crowded) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*messages.AdoptLeg); ok {
		c.adoptLeg(ctx, m)
	}
}

func depsWith(registry *actor.PID) *flow.Deps { return &flow.Deps{Connections: registry} }
