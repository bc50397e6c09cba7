package fault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// find asks the store; found answers it.
type (
	find struct {
		messages.Question
		Text string
	}
	found struct {
		messages.Answer
		Text string
	}
)

// jot has no id; jotted answers it when someone waits for that.
type (
	jot    struct{ Text string }
	jotted struct{ Text string }
)

// parcel carries something.
type parcel struct{ opened, closed *int }

func (p *parcel) Undeliver() { *p.closed++ }

// behave is an actor made of a function.
type behave func(ctx actor.Context)

func (b behave) Receive(ctx actor.Context) { b(ctx) }

// stage is a system of two actors: an asker, which passes on what a test tells it, and a store, which answers. What they
// hear is written down with the virtual time.
type stage struct {
	t            testing.TB
	start        time.Time
	faults       *Faults
	system       *kit.System
	store, asker *actor.PID

	mu    sync.Mutex
	heard []string
	ids   uint64
}

// onStage runs a test in virtual time.
func onStage(t *testing.T, test func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, New(), kit.Own())
		test(s)
		s.close()
	})
}

func newStage(t testing.TB, f *Faults, run kit.Dispatch) *stage {
	s := &stage{t: t, start: time.Now(), faults: f}
	s.system = kit.NewSystem(kit.Config{Faults: f})
	s.store = s.spawn("store", run, s.storeReceives)
	s.asker = s.spawn("asker", kit.Own(), s.askerReceives)
	return s
}

func (s *stage) spawn(role string, run kit.Dispatch, receive func(actor.Context)) *actor.PID {
	s.t.Helper()
	pid, err := s.system.SpawnRoot(kit.Spec{
		Role: role, Capacity: 4096, Run: run, New: func() actor.Actor { return behave(receive) },
	}, "house/"+role)
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

func (s *stage) storeReceives(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.write("store starts")
	case *find:
		s.write("store " + m.Text)
		ctx.Respond(&found{Answer: s.system.Answer(&m.Question, 1), Text: m.Text})
	case *jot:
		s.write("store " + m.Text)
		if ctx.Sender() != nil {
			ctx.Respond(&jotted{m.Text})
			ctx.Send(ctx.Sender(), &jotted{m.Text + "'"})
		}
	case *parcel:
		*m.opened++
	default:
		kit.Unknown(ctx)
	}
}

func (s *stage) askerReceives(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *find:
		ctx.Request(s.store, m)
	case *jot:
		ctx.Request(s.store, m)
	case *found:
		s.write("answer " + m.Text)
	case *jotted:
		s.write("answer " + m.Text)
	case *kit.Undelivered:
		s.write("undelivered")
	default:
		kit.Unknown(ctx)
	}
}

func (s *stage) write(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, fmt.Sprintf("%ds %s", int(time.Since(s.start).Seconds()), text))
}

// ask lets the asker ask; texts are asked a second apart.
func (s *stage) ask(texts ...string) {
	for _, text := range texts {
		s.ids++
		s.system.Send(s.asker, &find{Question: messages.Question{ID: s.ids}, Text: text})
		s.pass(time.Second)
	}
}

// pass lets virtual time pass and everything happen that is due.
func (s *stage) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (s *stage) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// want compares what was heard but for the first start of the store.
func (s *stage) want(lines ...string) {
	s.t.Helper()
	if got := s.all()[1:]; !slices.Equal(got, lines) {
		s.t.Errorf("heard %q, want %q\n%s", got, lines, s.faults.Report())
	}
}

func (s *stage) close() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.system.Shutdown(ctx); err != nil {
		s.t.Error(err)
	}
	if n := s.system.Stats().Goroutines; n != 0 {
		s.t.Errorf("%d goroutines are left", n)
	}
}

// wantInAnyTurn is want for actors that run at the same time: lines of one instant may come in any order, but those of
// one actor keep theirs.
func (s *stage) wantInAnyTurn(lines []string) {
	s.t.Helper()
	if got := s.all()[1:]; !slices.Equal(byActor(got), byActor(lines)) {
		s.t.Errorf("heard %q, want %q\n%s", got, lines, s.faults.Report())
	}
}

// byActor sorts lines "1s store a" by time and actor.
func byActor(lines []string) []string {
	sorted := slices.Clone(lines)
	slices.SortStableFunc(sorted, func(a, b string) int {
		return strings.Compare(a[:strings.LastIndex(a, " ")], b[:strings.LastIndex(b, " ")])
	})
	return sorted
}
