package kit

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

// store answers every question at once.
func store(ctx actor.Context) {
	if m, ok := ctx.Message().(*messages.FindWorkload); ok {
		ctx.Respond(&messages.WorkloadFound{Answer: SystemOf(ctx).Answer(&m.Question, 1)})
	}
}

// BenchmarkSend is the cost of one message to an idle actor that runs on its sender's goroutine.
func BenchmarkSend(b *testing.B) {
	for name, cfg := range map[string]Config{"no hook": {}, "hook": {Faults: passing{}}} {
		b.Run(name, func(b *testing.B) {
			s := NewSystem(cfg)
			n := 0
			pid := spawnRoot(b, s, Spec{Run: CallerRuns(), New: actorOf(func(actor.Context) { n++ })}, "counter")
			msg := &messages.Drain{}
			b.ReportAllocs()
			for b.Loop() {
				s.Send(pid, msg)
			}
			if err := s.Shutdown(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// passing is a fault hook that lets everything pass.
type passing struct{}

func (passing) Post(_ Target, msg any, deliver func(any)) { deliver(msg) }
func (passing) Handling(Target, any)                      {}

// BenchmarkQuestion is the cost of one question of an actor to a store and the store's answer.
func BenchmarkQuestion(b *testing.B) {
	s := NewSystem(Config{})
	workloads := spawnRoot(b, s, Spec{Run: CallerRuns(), New: actorOf(store)}, "workloads")
	var asks Asks
	asker := spawnRoot(b, s, Spec{Run: CallerRuns(), New: actorOf(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case string:
			ctx.Request(workloads, &messages.FindWorkload{Question: asks.Question(ctx, time.Second)})
		case *messages.WorkloadFound:
			if !asks.Answered(m) {
				b.Error("late")
			}
		}
	})}, "asker")
	b.ReportAllocs()
	for b.Loop() {
		s.Send(asker, "ask")
	}
	if err := s.Shutdown(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSpawn is the cost of a child from spawn to stop.
func BenchmarkSpawn(b *testing.B) {
	for name, run := range dispatches() {
		b.Run(name, func(b *testing.B) {
			s := NewSystem(Config{})
			gone := make(chan struct{}, 1)
			var props *actor.Props
			parent := spawnRoot(b, s, Spec{New: actorOf(func(ctx actor.Context) {
				switch ctx.Message().(type) {
				case string:
					ctx.Stop(Spawn(ctx, props, "child"))
				case *actor.Terminated:
					gone <- struct{}{}
				}
			})}, "parent")
			props = s.Props(Spec{Role: "child", Capacity: 8, Run: run, New: actorOf(func(actor.Context) {})})
			b.ReportAllocs()
			for b.Loop() {
				s.Send(parent, "spawn")
				<-gone
			}
			if err := s.Shutdown(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkFlow is what the actors of one connection cost: a flow that spawns three stages one after the other on its
// own dispatcher, five questions to caller-runs stores, and the end of all of them.
func BenchmarkFlow(b *testing.B) {
	for name, cfg := range map[string]Config{"no hook": {}, "hook": {Faults: passing{}}} {
		b.Run(name, func(b *testing.B) { benchmarkFlow(b, cfg) })
	}
}

func benchmarkFlow(b *testing.B, cfg Config) {
	s := NewSystem(cfg)
	workloads := spawnRoot(b, s, Spec{Run: CallerRuns(), New: actorOf(store)}, "workloads")
	gone := make(chan struct{}, 1)
	pod := spawnRoot(b, s, Spec{Run: Own(), Supervision: Supervision{Directive: Stop}, New: actorOf(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case string:
			d := NewFlowDispatcher()
			f := &benchFlow{sys: s, flow: d, workloads: workloads}
			ctx.Send(Spawn(ctx, s.Props(Spec{Role: "flow", Capacity: 64, Run: OnFlow(d), New: func() actor.Actor { return f }}), "flow"), begin)
		case *actor.Terminated:
			gone <- struct{}{}
		}
	})}, "pod")
	b.ReportAllocs()
	for b.Loop() {
		s.Send(pod, "accept")
		<-gone
	}
	if err := s.Shutdown(b.Context()); err != nil {
		b.Fatal(err)
	}
}

type (
	beginning struct{}
	handover  struct{ stage int }
)

var begin = &beginning{}

type benchFlow struct {
	sys       *System
	flow      *FlowDispatcher
	workloads *actor.PID
	stages    [3]benchStage
	// established, where set, is told when the stages are done; otherwise the flow stops.
	established chan struct{}
}

var (
	stageNames     = [...]string{"accept", "classify", "authorize"}
	stageQuestions = [...]int{1, 3, 1}
)

func (f *benchFlow) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *beginning:
		f.next(ctx, 0)
	case *handover:
		f.next(ctx, m.stage+1)
	case *actor.Terminated:
		if f.established != nil && len(ctx.Children()) == 0 && m.Who.Id == ctx.Self().Id+"/authorize" {
			f.stages = [3]benchStage{}
			f.established <- struct{}{}
		}
	}
}

func (f *benchFlow) next(ctx actor.Context, i int) {
	if i == len(f.stages) {
		if f.established == nil {
			ctx.Stop(ctx.Self())
		}
		return
	}
	st := &f.stages[i]
	*st = benchStage{workloads: f.workloads, parent: ctx.Self(), stage: i, left: stageQuestions[i]}
	pid, err := SpawnNamed(ctx, f.sys.Props(Spec{Role: stageNames[i], Capacity: 16, Run: OnFlow(f.flow), New: st.make}), stageNames[i])
	if err != nil {
		panic(err)
	}
	ctx.Send(pid, begin)
}

type benchStage struct {
	workloads, parent *actor.PID
	stage, left       int
	asks              Asks
}

func (st *benchStage) make() actor.Actor { return st }

func (st *benchStage) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *beginning:
		st.ask(ctx)
	case *messages.WorkloadFound:
		if st.asks.Answered(m) {
			st.ask(ctx)
		}
	}
}

func (st *benchStage) ask(ctx actor.Context) {
	if st.left > 0 {
		st.left--
		ctx.Request(st.workloads, &messages.FindWorkload{Question: st.asks.Question(ctx, time.Second)})
		return
	}
	ctx.Send(st.parent, &handover{st.stage})
	ctx.Stop(ctx.Self())
}

// BenchmarkLibrarySpawn is what the library takes for BenchmarkSpawn without the kit: the measure for the others.
func BenchmarkLibrarySpawn(b *testing.B) {
	sys := actor.NewActorSystem(actor.WithLoggerFactory(discard))
	gone := make(chan struct{}, 1)
	props := actor.PropsFromFunc(func(actor.Context) {}, actor.WithMailbox(actor.UnboundedLockfree()))
	parent := sys.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case string:
			ctx.Stop(ctx.SpawnPrefix(props, "child"))
		case *actor.Terminated:
			gone <- struct{}{}
		}
	}, actor.WithMailbox(actor.UnboundedLockfree())))
	b.ReportAllocs()
	for b.Loop() {
		sys.Root.Send(parent, "spawn")
		<-gone
	}
}
