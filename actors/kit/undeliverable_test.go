package kit

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

// parcel is handled or undelivered, one of them and once.
type parcel struct{ ended atomic.Int32 }

func (p *parcel) Undeliver() { p.ended.Add(1) }

// Whatever happens to an actor, every message that is sent to it is handled or undelivered, once.
func TestEveryMessageIsHandledOrUndelivered(t *testing.T) {
	for name, run := range dispatches() {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{Roots: Supervision{MaxRestarts: 1 << 20}}, func(t *testing.T, s *System, j *journal) {
				s.log = nil // too many events for a journal
				var parcels []*parcel
				for round := range 40 {
					var mu sync.Mutex
					pid := spawnRoot(t, s, Spec{Run: run, Capacity: 20, New: actorOf(func(ctx actor.Context) {
						switch m := ctx.Message().(type) {
						case *parcel:
							if rand.IntN(20) == 0 {
								panic("dropped it")
							}
							m.ended.Add(1)
						case string:
							ctx.Stop(ctx.Self())
						}
					})}, "round "+string(rune('A'+round)))
					var senders sync.WaitGroup
					for range 4 {
						senders.Go(func() {
							for range 50 {
								p := new(parcel)
								mu.Lock()
								parcels = append(parcels, p)
								mu.Unlock()
								switch rand.IntN(60) {
								case 0:
									s.Stop(pid)
								case 1:
									s.actors.Root.Poison(pid)
								case 2:
									s.Send(pid, "stop")
								}
								s.Send(pid, p)
							}
						})
					}
					senders.Wait()
					synctest.Wait()
					s.Stop(pid)
					synctest.Wait()
				}
				for _, p := range parcels {
					if n := p.ended.Load(); n != 1 {
						t.Fatalf("a message ended %d times", n)
					}
				}
				if st := s.Stats().Role("test"); st.Live != 0 || st.Handled == 0 || st.Restarts == 0 || st.Undelivered == 0 && s.Stats().DeadLetters == 0 {
					t.Errorf("nothing was tested: %+v", s.Stats())
				}
			})
		})
	}
}

// explosive is a message that panics when it is undelivered.
type explosive struct{}

func (explosive) Undeliver() { panic("boom") }

func TestPanicInUndeliverHurtsNobody(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		release, closed := make(chan struct{}), 0
		pid := spawnRoot(t, s, Spec{New: hanging(release)}, "target")
		s.Send(pid, "hang")
		synctest.Wait()
		s.Send(pid, explosive{})
		s.Send(pid, &cargo{&closed})
		s.Stop(pid)
		close(release)
		synctest.Wait()
		if events := of[PanickedInUndeliver](j); len(events) != 1 || events[0].Reason != "boom" || closed != 1 || s.Stats().Role("test").Live != 0 {
			t.Errorf("events %+v, closed %d", events, closed)
		}
		s.Send(pid, explosive{}) // dead letter
	})
}
