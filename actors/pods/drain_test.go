package pods

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// proxyOf is a pod's proxy that hears of drains only, and answers as it is told to.
type proxyOf struct {
	answer func(heard int, ctx actor.Context)
	heard  []time.Duration // the deadlines
}

func (p *proxyOf) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*messages.Drain); ok {
		p.heard = append(p.heard, m.Deadline)
		p.answer(len(p.heard), ctx)
	}
}

// serving starts the actor with proxies that were served before.
func serving(t *testing.T, proxies map[string]*proxyOf) (*kit.System, *actor.PID) {
	t.Helper()
	system := kit.NewSystem(kit.Config{})
	m := newMemory()
	for name, one := range proxies {
		m.proxies[name] = &proxy{
			uid: name, name: name, opened: &Opened{},
			spec: kit.Spec{Role: "proxy", Capacity: 64, New: func() actor.Actor { return one }},
		}
	}
	config := Config{System: system, Counters: &Counters{}}
	pid, err := system.SpawnRoot(kit.Spec{
		Role: RolePods, Capacity: capacity, Supervision: restart,
		New: func() actor.Actor { return &pods{config: config, memory: m} },
	}, RolePods)
	if err != nil {
		t.Fatal(err)
	}
	return system, pid
}

// Who hears of a drain a second time, for the first may have got lost, has only what is left of the patience.
func TestDrainIsRepeatedWithTheRestOfThePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := &proxyOf{answer: func(heard int, ctx actor.Context) {
			if heard == 4 {
				ctx.Request(ctx.Sender(), &messages.Drained{Cut: 1})
			}
		}}
		system, pid := serving(t, map[string]*proxyOf{"pod/a": deaf})
		got, err := kit.AskFor[*messages.Drained](t.Context(), system, pid, &messages.Drain{Deadline: 12 * time.Second}, time.Minute)
		if err != nil || *got != (messages.Drained{Cut: 1}) {
			t.Errorf("%+v, %v", got, err)
		}
		want := []time.Duration{12 * time.Second, 7 * time.Second, 2 * time.Second, 0}
		if !slices.Equal(deaf.heard, want) {
			t.Errorf("it heard of deadlines %v, want %v", deaf.heard, want)
		}
		_ = system.Shutdown(context.Background())
	})
}

// A drain that is asked for again and again tells only those that have not drained, and counts what they say once.
func TestDrainCountsEachOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quick := &proxyOf{answer: func(_ int, ctx actor.Context) { ctx.Request(ctx.Sender(), &messages.Drained{Ended: 1}) }}
		slow := &proxyOf{answer: func(heard int, ctx actor.Context) {
			if heard == 3 {
				ctx.Request(ctx.Sender(), &messages.Drained{Cut: 1})
			}
		}}
		system, pid := serving(t, map[string]*proxyOf{"pod/quick": quick, "pod/slow": slow})
		system.Send(pid, &messages.Drain{Deadline: 3 * time.Second})
		<-time.After(time.Second)
		system.Send(pid, &messages.Drain{Deadline: 2 * time.Second})
		<-time.After(time.Second)
		got, err := kit.AskFor[*messages.Drained](t.Context(), system, pid, &messages.Drain{Deadline: time.Second}, time.Minute)
		if err != nil || *got != (messages.Drained{Ended: 1, Cut: 1}) {
			t.Errorf("drained %+v, %v; want one that ended and one that was cut", got, err)
		}
		if len(quick.heard) != 1 || len(slow.heard) != 3 {
			t.Errorf("who had drained heard of it %d times, who had not %d times", len(quick.heard), len(slow.heard))
		}
		_ = system.Shutdown(context.Background())
	})
}
