package kit

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

func TestWaitInTheMailboxIsMeasured(t *testing.T) {
	for name, run := range dispatches() {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
				var waited []time.Duration
				pid := spawnRoot(t, s, Spec{Run: run, New: actorOf(func(ctx actor.Context) {
					switch m := ctx.Message().(type) {
					case time.Duration:
						<-time.After(m)
					case *messages.FindWorkload:
						waited = append(waited, m.Waited)
					}
				})}, "slow")
				go s.Send(pid, 3*time.Millisecond)
				synctest.Wait()
				s.Send(pid, &messages.FindWorkload{Question: messages.Question{Stamp: messages.Stamp{Sent: s.Nanos()}}})
				s.actors.Root.RequestWithCustomSender(pid, &messages.FindWorkload{Question: messages.Question{Stamp: messages.Stamp{Sent: s.Nanos()}}}, pid)
				s.Send(pid, &messages.FindWorkload{}) // not stamped
				pass(time.Second)
				synctest.Wait()
				if len(waited) != 3 || waited[0] != 3*time.Millisecond || waited[1] != 3*time.Millisecond || waited[2] != 0 {
					t.Errorf("waited %v", waited)
				}
				st := s.Stats().Role("test")
				if st.MaxWait != 3*time.Millisecond || st.TotalWait != 6*time.Millisecond || st.Waits[bucket(3*time.Millisecond)] != 2 {
					t.Errorf("stats %+v", st)
				}
			})
		})
	}
}

func TestUnstampedMessagesCostNoClock(t *testing.T) {
	looks := 0
	s := NewSystem(Config{Now: func() time.Time { looks++; return time.Unix(int64(looks), 0) }})
	pid := spawnRoot(t, s, Spec{Run: CallerRuns(), New: actorOf(func(actor.Context) {})}, "target")
	before := looks
	for range 10 {
		s.Send(pid, &messages.FindWorkload{})
		s.Send(pid, "text")
	}
	if looks != before {
		t.Errorf("looked at the clock %d times", looks-before)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSendAllocatesNothing(t *testing.T) {
	s := NewSystem(Config{})
	pid := spawnRoot(t, s, Spec{Run: CallerRuns(), New: actorOf(func(actor.Context) {})}, "target")
	msg := &messages.FindWorkload{}
	if n := testing.AllocsPerRun(100, func() { s.Send(pid, msg) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestManySendersLoseNothing(t *testing.T) {
	for name, run := range dispatches() {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
				const senders, each = 8, 500
				last, handled := [senders]int{}, 0
				pid := spawnRoot(t, s, Spec{Run: run, Capacity: senders * each, New: actorOf(func(ctx actor.Context) {
					if m, ok := ctx.Message().([2]int); ok {
						handled++
						if m[1] != last[m[0]]+1 {
							t.Errorf("sender %d: %d after %d", m[0], m[1], last[m[0]])
						}
						last[m[0]] = m[1]
					}
				})}, "target")
				var all sync.WaitGroup
				for i := range senders {
					all.Go(func() {
						for n := range each {
							s.Send(pid, [2]int{i, n + 1})
						}
					})
				}
				all.Wait()
				synctest.Wait()
				if st := s.Stats().Role("test"); handled != senders*each || st.Handled != senders*each || st.Depth != 0 {
					t.Errorf("handled %d, stats %+v", handled, st)
				}
			})
		})
	}
}
