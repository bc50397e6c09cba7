package discovery

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
)

// listeners note what discovery tells them, as stores and node.
type listeners struct {
	mu   sync.Mutex
	said []string
	// panics are how many updates of policies the policy store will crash over.
	panics int
	// unheard counts the messages that are not answered.
	unheard map[string]int
}

func (l *listeners) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, fmt.Sprintf(format, args...))
}

func (l *listeners) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	said := l.said
	l.said = nil
	return said
}

func (l *listeners) crash(times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.panics = times
}

func (l *listeners) crashes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.panics == 0 {
		return false
	}
	l.panics--
	return true
}

// lose makes n messages of a kind go unanswered.
func (l *listeners) lose(what string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unheard = map[string]int{what: n}
}

func (l *listeners) deaf(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unheard[what] == 0 {
		return false
	}
	l.unheard[what]--
	return true
}

// Receive answers as stores do.
func (l *listeners) Receive(ctx actor.Context) {
	var delivery uint64
	switch m := ctx.Message().(type) {
	case *messages.UpdateWorkloads:
		delivery = m.Delivery
		if len(m.Remove) > 0 {
			l.note("-workloads %v", m.Remove)
			break
		}
		l.note("workloads %d reset=%v more=%v", len(m.Set), m.Reset, m.More)
	case *messages.UpdateServices:
		delivery = m.Delivery
		l.note("services %d reset=%v more=%v", len(m.Set), m.Reset, m.More)
	case *messages.UpdatePolicies:
		delivery = m.Delivery
		if l.crashes() {
			panic("injected")
		}
		l.note("policies %d reset=%v more=%v", len(m.Set), m.Reset, m.More)
		if l.deaf("policies") {
			return
		}
	case *messages.StateDelivered:
		l.note("delivered")
		if !l.deaf("delivered") {
			ctx.Respond(&messages.StateNoted{Answer: messages.Answer{ID: m.ID}})
		}
		return
	default:
		return
	}
	ctx.Respond(&messages.Applied{Delivery: delivery})
}

func start(t *testing.T, l *listeners, s State) (*kit.System, *actor.PID) {
	t.Helper()
	system := kit.NewSystem(kit.Config{})
	all, err := system.SpawnRoot(kit.Spec{Role: "all", Capacity: 1000, New: func() actor.Actor { return l }}, "all")
	if err != nil {
		t.Fatal(err)
	}
	d, err := system.SpawnRoot(Spec(Config{State: s, Workloads: all, Services: all, Policies: all, Node: all}), RoleDiscovery)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return system, d
}

func stop(t *testing.T, s *kit.System) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func workloads(n int) []messages.WorkloadUpdate {
	all := make([]messages.WorkloadUpdate, n)
	for i := range all {
		all[i].Workload = &messages.Workload{UID: fmt.Sprint(i)}
	}
	return all
}

func TestDeliveryIsInOrderAndInChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listeners{}
		system, _ := start(t, l, State{Workloads: workloads(1001), Policies: []*messages.Authorization{{}}})
		want(t, l.take(),
			"workloads 500 reset=true more=true", "workloads 500 reset=false more=true", "workloads 1 reset=false more=false",
			"policies 1 reset=true more=false", "services 0 reset=true more=false", "delivered")
		stop(t, system)
	})
}

func TestLostStoreIsDeliveredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listeners{}
		system, d := start(t, l, State{Workloads: workloads(1)})
		l.take()
		for role, told := range map[string]string{
			state.RoleWorkloads: "workloads 1 reset=true more=false",
			state.RolePolicies:  "policies 0 reset=true more=false",
			state.RoleServices:  "services 0 reset=true more=false",
		} {
			system.Send(d, &messages.StoreLost{Role: role})
			synctest.Wait()
			want(t, l.take(), told) // and the node is not told again
		}
		stop(t, system)
	})
}

// What a store has not taken in is delivered again, and the doors stay closed until it has.
func TestUndeliveredIsDeliveredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listeners{panics: 2}
		system, _ := start(t, l, State{})
		want(t, l.take(), "workloads 0 reset=true more=false", "services 0 reset=true more=false")
		<-time.After(time.Second)
		synctest.Wait()
		want(t, l.take(), "policies 0 reset=true more=false", "delivered")
		stop(t, system)
	})
}

// Until the node has said that it knows, it is told that the first state is there.
func TestTheNodeIsToldUntilItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listeners{}
		l.lose("delivered", 2)
		system, _ := start(t, l, State{})
		l.take()
		for range 2 {
			<-time.After(tellAgain)
			synctest.Wait()
			want(t, l.take(), "delivered")
		}
		<-time.After(time.Minute)
		synctest.Wait()
		want(t, l.take())
		stop(t, system)
	})
}

// A store that acknowledges what came later has not heard of what came before, however much comes.
func TestWhatAStoreSkippedIsDeliveredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listeners{}
		l.lose("policies", 1)
		policies := make([]*messages.Authorization, chunk+1)
		for i := range policies {
			policies[i] = &messages.Authorization{Key: fmt.Sprint(i)}
		}
		system, _ := start(t, l, State{Policies: policies})
		want(t, l.take(), "workloads 0 reset=true more=false",
			"policies 500 reset=true more=true", "policies 1 reset=false more=false", "services 0 reset=true more=false")
		<-time.After(again)
		synctest.Wait()
		want(t, l.take(), "policies 500 reset=true more=true", "policies 1 reset=false more=false", "delivered")
		<-time.After(time.Minute)
		synctest.Wait()
		want(t, l.take())
		stop(t, system)
	})
}
