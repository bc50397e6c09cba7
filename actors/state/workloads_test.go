package state

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

func workloadsOf(workloads ...*messages.Workload) *messages.UpdateWorkloads {
	u := &messages.UpdateWorkloads{}
	for _, w := range workloads {
		u.Set = append(u.Set, messages.WorkloadUpdate{Workload: w})
	}
	return u
}

func local(w *messages.Workload, wait time.Duration) *messages.FindLocalWorkload {
	return &messages.FindLocalWorkload{Question: messages.Question{ID: 4}, Info: w.Info(), Wait: wait}
}

func TestWaitForWorkload(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(WorkloadStore(Config{}), RoleWorkloads)
		w := pod("w")
		s.system.Send(store, workloadsOf(w))
		s.ask(store, local(w, 5*time.Second))
		if a := hears[*messages.LocalWorkloadFound](s); a.Workload != w || a.Held != 0 || a.ID != 4 || a.Version != 1 {
			t.Errorf("answer %+v", a)
		}
	})
}

func TestWaitForWorkloadDelayFails(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(WorkloadStore(Config{}), RoleWorkloads)
		s.system.Send(store, workloadsOf(pod("other")))
		start := time.Now()
		s.ask(store, local(pod("w"), 5*time.Second))
		s.quiet()
		if a := hears[*messages.LocalWorkloadFound](s); a.Workload != nil || a.Held != 5*time.Second {
			t.Errorf("answer %+v", a)
		}
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("answered after %v", d)
		}
		s.ask(store, local(pod("w"), 0))
		if a := hears[*messages.LocalWorkloadFound](s); a.Workload != nil {
			t.Errorf("answer %+v", a)
		}
	})
}

func TestWaitForWorkloadEventually(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(WorkloadStore(Config{}), RoleWorkloads)
		w := pod("w")
		s.ask(store, local(pod("never"), 10*time.Second))
		s.ask(store, local(w, 5*time.Second))
		<-time.After(time.Second)
		s.system.Send(store, workloadsOf(pod("unrelated")))
		s.quiet()
		<-time.After(time.Second)
		s.system.Send(store, workloadsOf(w))
		if a := hears[*messages.LocalWorkloadFound](s); a.Workload != w || a.Held != 2*time.Second {
			t.Errorf("answer %+v", a)
		}
		if a := hears[*messages.LocalWorkloadFound](s); a.Workload != nil || a.Held != 10*time.Second {
			t.Errorf("the other's answer %+v", a)
		}
	})
}

func TestWaitingQuestionsAreBounded(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		counters := new(Counters)
		store := s.spawn(WorkloadStore(Config{Counters: counters}), RoleWorkloads)
		for range maxWaiting {
			s.ask(store, local(pod("w"), time.Hour))
		}
		s.quiet()
		s.ask(store, local(pod("w"), time.Hour))
		if a := hears[*messages.LocalWorkloadFound](s); a.Workload != nil || counters.NotWaited.Load() != 1 {
			t.Errorf("answer %+v, %d counted", a, counters.NotWaited.Load())
		}
		for range maxWaiting {
			if a := hears[*messages.LocalWorkloadFound](s); a.Held != longestWait {
				t.Fatalf("held %v, want at most a minute", a.Held)
			}
		}
	})
}

// TestEndpointsArePassedOn tells the probe, as the service store, what changes.
func TestEndpointsArePassedOn(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(WorkloadStore(Config{Services: func() *actor.PID { return s.probe }}), RoleWorkloads)
		s.system.Send(store, workloadsOf(pod("a"), pod("b")))
		if e := hears[*messages.UpdateEndpoints](s); len(e.Set) != 2 || e.Reset || e.More {
			t.Errorf("told %+v", e)
		}
		u := workloadsOf(pod("c"))
		u.Reset, u.Remove = true, []string{"x"}
		s.system.Send(store, u)
		if e := hears[*messages.UpdateEndpoints](s); len(e.Set) != 1 || fmt.Sprint(e.Remove) != "[a b x]" || e.Reset {
			t.Errorf("told %+v", e)
		}
		big := &messages.UpdateWorkloads{Remove: make([]string, endpointChunk+1)}
		for i := range endpointChunk + 1 {
			big.Set = append(big.Set, messages.WorkloadUpdate{Workload: pod(fmt.Sprintf("w%d", i))})
		}
		s.system.Send(store, big)
		for i, want := range []string{"1024 0 true", "1 1024 true", "0 1 false"} {
			e := hears[*messages.UpdateEndpoints](s)
			if got := fmt.Sprint(len(e.Remove), len(e.Set), e.More); got != want {
				t.Errorf("chunk %d: removes, sets, more: %s; want %s", i, got, want)
			}
		}
		s.system.Send(store, &messages.StoreLost{Role: RoleServices})
		for i, want := range []string{"1024, true, true", "2, false, false"} {
			e := hears[*messages.UpdateEndpoints](s)
			if got := fmt.Sprintf("%d, %v, %v", len(e.Set), e.Reset, e.More); got != want {
				t.Errorf("chunk %d of everything: sets, reset, more: %s; want %s", i, got, want)
			}
		}
	})
}

// TestEndpointsThatGotLost loses what is passed on to the service store, or its acknowledgement.
func TestEndpointsThatGotLost(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(WorkloadStore(Config{Services: func() *actor.PID { return s.probe }}), RoleWorkloads)
		update := func(w ...*messages.Workload) *messages.UpdateEndpoints {
			t.Helper()
			s.system.Send(store, workloadsOf(w...))
			return hears[*messages.UpdateEndpoints](s)
		}
		anew := func(after time.Duration, size int) *messages.UpdateEndpoints {
			t.Helper()
			<-time.After(after)
			synctest.Wait()
			e := hears[*messages.UpdateEndpoints](s)
			if !e.Reset || len(e.Set) != size {
				t.Errorf("passed on %+v, want all %d", e, size)
			}
			return e
		}
		acknowledge := func(e *messages.UpdateEndpoints) {
			s.system.Send(store, &messages.Applied{Delivery: e.Delivery})
			synctest.Wait()
		}

		update(pod("a"))
		acknowledge(anew(passPatience+passAgain, 1)) // nobody said anything

		update(pod("b"))
		acknowledge(update(pod("c"))) // what came before is lost
		acknowledge(anew(passAgain, 3))

		acknowledge(update(pod("d")))
		<-time.After(time.Minute)
		s.quiet()
	})
}

func TestUpdatesAreAnsweredToSenders(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		for name, each := range map[string]struct {
			spec   kit.Spec
			update any
		}{
			"workloads": {WorkloadStore(Config{}), &messages.UpdateWorkloads{}},
			"services":  {ServiceStore(Config{}), &messages.UpdateServices{}},
			"endpoints": {ServiceStore(Config{}), &messages.UpdateEndpoints{}},
			"policies":  {PolicyStore(Config{}), &messages.UpdatePolicies{}},
		} {
			s.ask(s.spawn(each.spec, name), each.update)
			if a := hears[*messages.Applied](s); a.Version != 1 {
				t.Errorf("%s: version %d", name, a.Version)
			}
		}
	})
}
