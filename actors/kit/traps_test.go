package kit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

// The library's traps, each with the test that shows that the kit does not fall into it. Where the kit offers another
// way, TestNobodyUsesWhatTheKitReplaces forbids the library's in all rooms that may use actors.
//
//	Trap of the library                                  | Test here
//	-----------------------------------------------------|-------------------------------------------------------
//	BoundedDropping keeps a core busy after a drop       | TestFullMailboxRefusesAndNobodySpins, TestNobodyUsesWhatTheKitReplaces
//	Bounded: the sender spins while it is full           | TestFullMailboxRefusesAndNobodySpins, TestNobodyUsesWhatTheKitReplaces
//	Unbounded grows without bound                        | TestFullMailboxRefusesAndNobodySpins
//	one of several waiters of a Future wakes; 2nd Respond| TestAskReturnsTheFirstReplyToEachOfManyAskers, TestNobodyUsesWhatTheKitReplaces
//	waiting for a Future in Receive deadlocks            | TestQuestionIsAnsweredOnceInTimeOrTooLate, TestNobodyUsesWhatTheKitReplaces
//	ReenterAfter, PipeTo, Watch, Poison pass middleware by| TestEveryMessagePassesTheMailbox, TestNobodyUsesWhatTheKitReplaces
//	a request behind Stop is dropped without a word      | TestMessagesBehindStopAreUndelivered, TestUndeliveredQuestionIsTooLateAtOnce
//	a Watch that races with Stop                         | TestWatchBehindStopIsAnswered
//	panic in Stopping brings the actor back              | TestPanicWhileStoppingStopsAllTheSame
//	Restart while stopping brings the actor back         | TestRestartDoesNotReviveAStoppingActor
//	Stash loses the sender and turns the order round     | TestRestartsAreDelayedAndKeepTheQueue, TestNobodyUsesWhatTheKitReplaces
//	WithSpawnMiddleware loses the guardian               | TestRootFailureReachesItsSupervision, TestNobodyUsesWhatTheKitReplaces
//	the propagator makes shared Props grow               | TestPropsServeManyActors, TestNobodyUsesWhatTheKitReplaces
//	opentracing middleware races and leaks spans         | TestWaitInTheMailboxIsMeasured, TestNobodyUsesWhatTheKitReplaces
//	ActorSystem.Shutdown stops no actor                  | TestShutdownStopsTheLatestRootFirst, TestChildrenEndBeforeTheirParent
//	SpawnNamed runs the producer for a taken name        | TestTakenNameMakesNothing
//	WithMetricProviders leaks a callback per actor       | TestSystemHasNoMetrics, TestNobodyUsesWhatTheKitReplaces
//	exponential backoff is linear, without jitter        | TestBackoffDoublesUpToItsMaximum, TestRestartsAreDelayedAndKeepTheQueue
//	the default strategy gives up in silence             | TestGivingUpIsLoud
//	MessageBatch is delivered twice                      | TestBatchIsOneMessage
//	RootContext.Request sets no sender                   | TestAskReturnsTheFirstReplyToEachOfManyAskers, TestNobodyUsesWhatTheKitReplaces
//	no context anywhere                                  | TestWorkEndsWithItsActorAndShutdownWaitsForIt, TestQuestionIsAnsweredOnceInTimeOrTooLate
//	a package's pool in two synctest bubbles is fatal    | TestTwoBubblesShareNothing
//	two writers on one tls.Conn stop virtual time        | TestUndeliverHoldsNoLock
//	stopping a parent stops its children                 | TestChildrenEndBeforeTheirParent
//	receive timeouts race with the actor                 | TestTimersEndWithTheLifeThatMadeThem, TestNobodyUsesWhatTheKitReplaces
//	a burst of dead letters starts a goroutine           | TestDeadLettersStartNothing
var _ = 0

// replaced are the library's names that only the kit may use, and what to use instead.
var replaced = map[string]string{
	"NewActorSystem": "kit.NewSystem", "NewActorSystemWithConfig": "kit.NewSystem", "WithMetricProviders": "System.Stats",
	"PropsFromProducer": "System.Props", "PropsFromFunc": "System.Props", "PropsFromProducerWithActorSystem": "System.Props",
	"WithMailbox": "System.Props", "WithDispatcher": "Spec.Run", "WithSupervisor": "Spec.Supervision", "WithGuardian": "Config.Roots",
	"WithSpawnMiddleware": "System.Props", "WithReceiverMiddleware": "System.Props", "WithSenderMiddleware": "System.Props",
	"WithContextDecorator": "System.Props", "Bounded": "Spec.Capacity", "BoundedDropping": "Spec.Capacity",
	"Unbounded": "Spec.Capacity", "UnboundedLockfree": "Spec.Capacity", "UnboundedPriority": "Spec.Capacity",
	"NewFuture": "kit.Ask", "RequestFuture": "kit.Ask or kit.Asks", "StopFuture": "Watch", "PoisonFuture": "Watch",
	"ReenterAfter": "kit.Go", "PipeTo": "kit.Go", "Stash": "a slice of the actor's own", "SetReceiveTimeout": "kit.After",
}

// violations are the uses of replaced names, and the imports of the library's other packages, in a file.
func violations(fset *token.FileSet, file *ast.File) (found []string) {
	library := false
	for _, i := range file.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		switch {
		case path == "github.com/asynkron/protoactor-go/actor":
			library = true
		case strings.HasPrefix(path, "github.com/asynkron/protoactor-go/"):
			found = append(found, fset.Position(i.Pos()).String()+": imports "+path)
		}
	}
	if !library {
		return found
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch f := n.(type) {
		case *ast.FuncDecl:
			found = append(found, asksInside(fset, f.Type, f.Body)...)
		case *ast.FuncLit:
			found = append(found, asksInside(fset, f.Type, f.Body)...)
		}
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if instead, forbidden := replaced[sel.Sel.Name]; forbidden {
			found = append(found, fset.Position(sel.Pos()).String()+": "+sel.Sel.Name+", use "+instead)
		}
		if x, ok := sel.X.(*ast.SelectorExpr); ok && x.Sel.Name == "Root" && sel.Sel.Name == "Request" {
			found = append(found, fset.Position(sel.Pos()).String()+": Root.Request has no sender, use kit.Ask")
		}
		return true
	})
	return found
}

// asksInside are the calls of kit.Ask in a function that handles a message: it has an actor.Context.
func asksInside(fset *token.FileSet, f *ast.FuncType, body *ast.BlockStmt) (found []string) {
	handles := slices.ContainsFunc(f.Params.List, func(p *ast.Field) bool {
		sel, ok := p.Type.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == "Context" && isName(sel.X, "actor")
	})
	if !handles || body == nil {
		return nil
	}
	ast.Inspect(body, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if ok && isName(sel.X, "kit") && (sel.Sel.Name == "Ask" || sel.Sel.Name == "AskFor") {
			found = append(found, fset.Position(n.Pos()).String()+": kit."+sel.Sel.Name+" waits while an actor handles a message, use kit.Asks")
		}
		return true
	})
	return found
}

func isName(x ast.Expr, name string) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == name
}

func TestNobodyUsesWhatTheKitReplaces(t *testing.T) {
	fset := token.NewFileSet()
	bad := `package x
import ("github.com/asynkron/protoactor-go/actor"; _ "github.com/asynkron/protoactor-go/router")
func f(ctx actor.Context, s *actor.ActorSystem) { ctx.Stash(); s.Root.Request(nil, 1); _ = actor.Bounded(1)
kit.Ask(s); kit.AskFor[int](s) }
func g(s *kit.System) { kit.Ask(s) }`
	file, err := parser.ParseFile(fset, "bad.go", bad, 0)
	if err != nil {
		t.Fatal(err)
	}
	if found := violations(fset, file); len(found) != 6 {
		t.Fatalf("the rule sees %q", found)
	}
	for _, room := range []string{"../../actors", "../../bootstrap", "../../e2e"} {
		err := filepath.WalkDir(room, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && entry.Name() == "kit":
				return fs.SkipDir
			case entry.IsDir() || !strings.HasSuffix(path, ".go"):
				return nil
			}
			file, err := parser.ParseFile(fset, path, nil, 0)
			if err != nil {
				return err
			}
			for _, v := range violations(fset, file) {
				t.Error(v)
			}
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
	}
}

// The table above names tests that exist.
func TestTrapsAreTested(t *testing.T) {
	names := regexp.MustCompile(`Test\w+`)
	var tested, defined []string
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				defined = append(defined, f.Name.Name)
			}
		}
		if name == "traps_test.go" {
			for _, c := range file.Comments {
				if strings.Contains(c.Text(), "Trap of the library") {
					tested = names.FindAllString(c.Text(), -1)
				}
			}
		}
	}
	if len(tested) < 40 {
		t.Errorf("the table names only %d tests", len(tested))
	}
	for _, name := range tested {
		if !slices.Contains(defined, name) {
			t.Errorf("%s does not exist", name)
		}
	}
}

func TestEveryMessagePassesTheMailbox(t *testing.T) {
	seen := new(diary)
	hook := meddling{post: func(_ Target, msg any, deliver func(any)) { seen.add(typeOf(msg)); deliver(msg) }}
	bubble(t, Config{Faults: hook}, func(t *testing.T, s *System, _ *journal) {
		target := spawnRoot(t, s, Spec{New: actorOf(func(actor.Context) {})}, "target")
		spawnRoot(t, s, Spec{New: actorOf(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case *actor.Started:
				ctx.Request(target, 1.5)
				After(ctx, 0, "timer")
			case string:
				ctx.Forward(target)
			case *actor.Stopping:
				ctx.Send(target, uint8(1))
			}
		})}, "sender")
		s.Send(target, 1)
		synctest.Wait()
	})
	got := seen.all()
	slices.Sort(got)
	if want := []string{"float64", "int", "string", "string", "uint8"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestTwoBubblesShareNothing(t *testing.T) {
	for range 2 {
		bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
			heard := new(diary)
			pid := spawnRoot(t, s, Spec{Run: OnFlow(NewFlowDispatcher()), New: worker(heard)}, "one")
			for range 100 {
				s.Send(pid, "hello")
			}
			synctest.Wait()
			if _, err := Ask(t.Context(), s, pid, "hello", 1); err == nil {
				t.Error("answers")
			}
			if n := len(heard.all()); n != 101 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

// locking is a message whose carrier comes back to the actor system while it is closed.
type locking struct {
	s   *System
	pid *actor.PID
}

func (l locking) Undeliver() {
	l.s.Send(l.pid, "closed")
	l.s.Stats()
}

func TestUndeliverHoldsNoLock(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		heard := new(diary)
		pid := spawnRoot(t, s, Spec{New: worker(heard)}, "worker")
		release := make(chan struct{})
		full := spawnRoot(t, s, Spec{Capacity: 1, New: hanging(release)}, "full")
		s.Send(full, "hang")
		synctest.Wait()
		for range 2 {
			s.Send(full, locking{s, pid}) // one waits, one is refused
		}
		s.Stop(full)
		close(release)
		synctest.Wait()
		s.Send(full, locking{s, pid}) // dead letter
		expect(t, heard, "closed", "closed", "closed")
	})
}

func TestSystemHasNoMetrics(t *testing.T) {
	if s := NewSystem(Config{}); s.Actors().Config.MetricsProvider != nil {
		t.Error("the library measures")
	}
}

func TestDeadLettersStartNothing(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, j *journal) {
		before := runtime.NumGoroutine()
		for range 100 {
			s.Send(actor.NewPID("nonhost", "nobody"), "hello")
		}
		if n := runtime.NumGoroutine(); n != before {
			t.Errorf("%d goroutines more", n-before)
		}
		if n := s.Stats().DeadLetters; n != 100 {
			t.Errorf("%d dead letters", n)
		}
		if events := of[DeadLetter](j); len(events) != 1 || events[0].Message != "string" || events[0].PID.Id != "nobody" {
			t.Errorf("events %+v", events)
		}
	})
}
