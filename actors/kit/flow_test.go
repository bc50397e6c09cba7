package kit

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

// goroutine is the number of the calling goroutine.
func goroutine() string {
	buf := make([]byte, 64)
	return strings.Fields(string(buf[:runtime.Stack(buf, false)]))[1]
}

// Four actors of one flow hand over to each other on one goroutine; afterwards there is none.
func TestStagesShareOneGoroutineThatEnds(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		heard := new(diary)
		d := NewFlowDispatcher()
		var stages []*actor.PID
		for i := range 4 {
			stages = append(stages, spawnRoot(t, s, Spec{Run: OnFlow(d), New: actorOf(func(ctx actor.Context) {
				if n, ok := ctx.Message().(int); ok {
					heard.add(goroutine())
					if n > 0 {
						ctx.Send(stages[(i+1)%4], n-1)
					}
				}
			})}, fmt.Sprint("stage ", i)))
		}
		synctest.Wait()
		if d.head.Load() != nil || s.Stats().Goroutines != 0 {
			t.Error("a goroutine waits for nothing")
		}
		s.Send(stages[0], 11)
		synctest.Wait()
		all := heard.all()
		if len(all) != 12 {
			t.Fatalf("%d messages", len(all))
		}
		for _, g := range all {
			if g != all[0] {
				t.Errorf("goroutines %v", all)
			}
		}
		if all[0] == goroutine() || d.head.Load() != nil || s.Stats().Goroutines != 0 {
			t.Error("ran on its caller's goroutine, or a goroutine is left")
		}
	})
}

// An actor that keeps itself busy lets the others of its flow have their turn.
func TestBusyStageLetsOthersRun(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		d := NewFlowDispatcher()
		stop, handled := false, 0
		busy := spawnRoot(t, s, Spec{Run: OnFlow(d), New: actorOf(func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok && !stop {
				handled++
				ctx.Send(ctx.Self(), "again")
			}
		})}, "busy")
		other := spawnRoot(t, s, Spec{Run: OnFlow(d), New: actorOf(func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok {
				stop = true
			}
		})}, "other")
		synctest.Wait()
		s.Send(busy, "go")
		s.Send(other, "stop")
		synctest.Wait()
		if !stop || handled == 0 {
			t.Errorf("stop %v, handled %d", stop, handled)
		}
	})
}

// An established connection that idles is one actor whose stages are gone.
func TestIdleFlowIsSmall(t *testing.T) {
	const flows, most = 2000, 3 << 10
	s := NewSystem(Config{})
	workloads := spawnRoot(t, s, Spec{Run: CallerRuns(), New: actorOf(store)}, "workloads")
	established := make(chan struct{})
	pod := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
		if _, ok := ctx.Message().(string); ok {
			d := NewFlowDispatcher()
			f := &benchFlow{sys: s, flow: d, workloads: workloads, established: established}
			ctx.Send(Spawn(ctx, s.Props(Spec{Role: "flow", Capacity: 64, Run: OnFlow(d), New: func() actor.Actor { return f }}), "flow"), begin)
		}
	})}, "pod")
	spawn := func(n int) {
		for range n {
			s.Send(pod, "accept")
			<-established
		}
	}
	spawn(100) // the maps of the library's registry
	before := heap()
	spawn(flows)
	if each := (heap() - before) / flows; each > most {
		t.Errorf("an idle flow holds %d bytes", each)
	} else {
		t.Logf("an idle flow holds %d bytes", each)
	}
	if st := s.Stats(); st.Role("flow").Live != flows+100 || st.Role("authorize").Live != 0 {
		t.Errorf("stats %+v", st)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
