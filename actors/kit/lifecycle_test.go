package kit

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

func TestPanicWhileStoppingStopsAllTheSame(t *testing.T) {
	for _, when := range []string{"*actor.Stopping", "*actor.Stopped"} {
		t.Run(when, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
				var seen []string
				parent := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
					switch ctx.Message().(type) {
					case *actor.Started:
						ctx.Watch(Spawn(ctx, s.Props(Spec{Role: "child", Capacity: 1, New: actorOf(func(ctx actor.Context) {
							seen = append(seen, typeOf(ctx.Message()))
							switch m := typeOf(ctx.Message()); m {
							case "*actor.Started":
								Spawn(ctx, s.Props(Spec{Role: "grandchild", Capacity: 1, New: actorOf(func(actor.Context) {})}), "grandchild")
							case when:
								panic("I will not")
							}
						})}), "child"))
					case string:
						ctx.Stop(ctx.Children()[0])
					}
				})}, "parent")
				synctest.Wait()
				s.Send(parent, "stop")
				synctest.Wait()
				want := []string{"*actor.Started", "*actor.Stopping", "*actor.Terminated", "*actor.Stopped"}
				if !slices.Equal(seen, want) {
					t.Errorf("seen %v", seen)
				}
				if st := s.Stats(); st.Role("child").Live != 0 || st.Role("grandchild").Live != 0 || st.Role("child").Restarts != 0 {
					t.Errorf("stats: %+v", st)
				}
				events := of[PanickedWhileEnding](j)
				if len(events) != 1 || events[0].Message != when || !strings.Contains(events[0].Stack, "TestPanicWhileStopping") {
					t.Errorf("events: %+v", events)
				}
			})
		})
	}
}

func TestRestartDoesNotReviveAStoppingActor(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		var seen []string
		release := make(chan struct{})
		pid := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			seen = append(seen, typeOf(ctx.Message()))
			if _, ok := ctx.Message().(*actor.Started); ok {
				Spawn(ctx, s.Props(Spec{Role: "child", Capacity: 8, New: actorOf(func(ctx actor.Context) {
					if _, ok := ctx.Message().(*actor.Stopping); ok {
						<-release // keeps the parent in stopping
					}
				})}), "child")
			}
		})}, "stopping")
		synctest.Wait()
		s.Stop(pid)
		synctest.Wait()
		p, _ := s.actors.ProcessRegistry.Get(pid)
		p.SendSystemMessage(pid, &actor.Restart{})
		synctest.Wait()
		close(release)
		synctest.Wait()
		if want := []string{"*actor.Started", "*actor.Stopping", "*actor.Terminated", "*actor.Stopped"}; !slices.Equal(seen, want) {
			t.Errorf("seen %v", seen)
		}
	})
}

func TestPanicWhileRestartingRestartsOnce(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		heard := new(diary)
		pid := spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			heard.add(strings.TrimPrefix(typeOf(ctx.Message()), "*actor."))
			switch ctx.Message().(type) {
			case *actor.Started:
				Spawn(ctx, s.Props(Spec{Role: "child", Capacity: 1, New: actorOf(func(actor.Context) {})}), "child")
			case string, *actor.Restarting, *actor.Terminated:
				panic("broken")
			}
		})}, "root")
		s.Send(pid, "break")
		expect(t, heard, "Started", "string", "Restarting", "Terminated", "Started")
		if st := s.Stats(); st.Role("test").Restarts != 1 || st.Role("child").Live != 1 {
			t.Errorf("stats %+v", st)
		}
		if n := len(of[PanickedWhileEnding](j)); n != 2 {
			t.Errorf("%d panics reported", n)
		}
	})
}

func TestChildrenEndBeforeTheirParent(t *testing.T) {
	var ended []string
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		note := func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Stopped); ok {
				ended = append(ended, cellOf(ctx).role.name)
			}
		}
		leaf := s.Props(Spec{Role: "leaf", Capacity: 1, Run: CallerRuns(), New: actorOf(note)})
		spawnRoot(t, s, Spec{Role: "root", New: actorOf(func(ctx actor.Context) {
			note(ctx)
			if _, ok := ctx.Message().(*actor.Started); ok {
				for range 3 {
					Spawn(ctx, leaf, "leaf")
				}
			}
		})}, "root")
		synctest.Wait()
	})
	if want := []string{"leaf", "leaf", "leaf", "root"}; !slices.Equal(ended, want) {
		t.Errorf("ended %v", ended)
	}
}

func TestUnknownReportsUserMessagesOnly(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		closed := 0
		pid := spawnRoot(t, s, Spec{New: actorOf(Unknown)}, "knows nothing")
		told := new(diary)
		asker := spawnRoot(t, s, Spec{Role: "asker", New: actorOf(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*Undelivered); ok {
				told.add("undelivered")
			}
		})}, "asker")
		s.actors.Root.RequestWithCustomSender(pid, &cargo{&closed}, asker)
		s.Send(pid, &Undelivered{})
		s.Send(pid, &actor.ReceiveTimeout{})
		synctest.Wait()
		events := of[UnknownMessage](j)
		if len(events) != 1 || events[0].Message != "*kit.cargo" || events[0].PID.Id != "knows nothing" || closed != 1 {
			t.Errorf("closed %d, events %+v", closed, events)
		}
		if n := s.Stats().Role("test").Unknown; n != 1 {
			t.Errorf("counted %d", n)
		}
		expect(t, told, "undelivered")
	})
}
