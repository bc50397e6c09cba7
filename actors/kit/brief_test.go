package kit

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

// briefParent spawns a brief child for every string it gets and notes whose end it hears of.
type briefParent struct {
	children []*actor.PID
	ended    []string
	child    func() actor.Actor
}

func (p *briefParent) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case string:
		p.children = append(p.children, SpawnBrief(ctx, Spec{Role: "brief", Capacity: 8, New: p.child}, m))
	case *actor.Terminated:
		p.ended = append(p.ended, m.Who.Id)
	}
}

// briefChild notes its end; a message makes it fail, or stop.
type briefChild struct{ stopped *atomic.Int64 }

func (c *briefChild) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case string:
		if m == "fail" {
			panic(m)
		}
		ctx.Stop(ctx.Self())
	case *actor.Stopped:
		c.stopped.Add(1)
	}
}

func TestBriefChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Config{})
		var stopped atomic.Int64
		p := &briefParent{child: func() actor.Actor { return &briefChild{stopped: &stopped} }}
		pid, err := s.SpawnRoot(Spec{
			Role: "parent", Capacity: 8, New: func() actor.Actor { return p }, Supervision: Supervision{Directive: Stop},
		}, "parent")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			s.Send(pid, "stage")
		}
		synctest.Wait()
		if len(p.children) != 3 || p.children[0].Id != "parent/stage/1" || p.children[2].Id != "parent/stage/3" {
			t.Fatalf("children %v", p.children)
		}
		s.Send(p.children[0], "stop")
		s.Send(p.children[1], "fail")
		synctest.Wait()
		if len(p.ended) != 2 || stopped.Load() != 2 {
			t.Errorf("heard the end of %v, %d have stopped, want the one that stopped and the one that failed", p.ended, stopped.Load())
		}
		s.Stop(pid)
		synctest.Wait()
		if stopped.Load() != 3 {
			t.Errorf("%d children have stopped, want all 3: the last with its parent", stopped.Load())
		}
		if live := s.Stats().Role("brief").Live; live != 0 {
			t.Errorf("%d brief children live", live)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestDoSendsWhatItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Config{})
		var got []any
		worker := actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case string:
				Do(ctx, func() any { return len(m) })
				Do(ctx, func() any { return nil })
			case int:
				got = append(got, m)
			}
		})
		pid, err := s.SpawnRoot(Spec{Role: "worker", Capacity: 8, New: func() actor.Actor { return worker }}, "worker")
		if err != nil {
			t.Fatal(err)
		}
		s.Send(pid, "three")
		synctest.Wait()
		if len(got) != 1 || got[0] != 5 {
			t.Errorf("got %v, want 5", got)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
