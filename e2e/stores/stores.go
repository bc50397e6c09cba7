// Package stores runs the stores as the actors that they are, with one more that asks them, for tests and measurements
// that need no connections: it drives the decision trees of actors/flow/route as the classify actor does.
package stores

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
)

// patience bounds the wait for one answer, and for the end.
const patience = time.Minute

// maxQuestions bounds the questions of one tree.
const maxQuestions = 20

// Stores are the four stores of one node.
type Stores struct {
	Workloads, Services, Policies, Names *actor.PID
	system                               *kit.System
	askers                               int
}

// Start starts stores that draw from random, which nobody else may use, and resolve the names given and no others.
func Start(random *rand.Rand, names map[string][]netip.Addr) (*Stores, error) {
	s := &Stores{system: kit.NewSystem(kit.Config{})}
	for _, store := range []struct {
		pid  **actor.PID
		spec kit.Spec
	}{
		{&s.Services, state.ServiceStore(state.Config{Random: random, Workloads: func() *actor.PID { return s.Workloads }})},
		{&s.Workloads, state.WorkloadStore(state.Config{Services: func() *actor.PID { return s.Services }})},
		{&s.Policies, state.PolicyStore(state.Config{})},
		{&s.Names, state.NameStore(state.Config{Resolver: resolver(names)})},
	} {
		pid, err := s.system.SpawnRoot(store.spec, store.spec.Role)
		if err != nil {
			return nil, fmt.Errorf("starting store %s: %w", store.spec.Role, err)
		}
		*store.pid = pid
	}
	return s, nil
}

// Close stops the stores and all askers.
func (s *Stores) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.system.Shutdown(ctx)
}

// resolver is DNS: names that it does not have are unknown.
type resolver map[string][]netip.Addr

// Resolve is the resolver's answer.
func (r resolver) Resolve(_ context.Context, host string) ([]netip.Addr, time.Duration, error) {
	addrs, known := r[host]
	if !known {
		return nil, 0, errors.New("no such name")
	}
	return addrs, time.Hour, nil
}

// Asker asks the stores one question at a time. It belongs to one goroutine.
type Asker struct {
	stores *Stores
	pid    *actor.PID
	heard  chan any
}

// put is a request to the asker's actor: send msg to whom, as the sender.
type put struct {
	to  *actor.PID
	msg any
}

// NewAsker starts an asker; only one goroutine may do so at a time.
func (s *Stores) NewAsker() (*Asker, error) {
	a := &Asker{stores: s, heard: make(chan any, maxQuestions)}
	s.askers++
	pid, err := s.system.SpawnRoot(kit.Spec{
		Role: "asker", New: func() actor.Actor { return a }, Capacity: 1024, Run: kit.CallerRuns(),
	}, fmt.Sprint("asker-", s.askers))
	if err != nil {
		return nil, fmt.Errorf("starting an asker: %w", err)
	}
	a.pid = pid
	return a, nil
}

// Receive is the actor's side.
func (a *Asker) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started, *actor.Stopping, *actor.Stopped:
	case *put:
		ctx.Request(m.to, m.msg)
	default:
		a.heard <- m
	}
}

// Ask is what a store answers to a question or an update, within a minute.
func (a *Asker) Ask(to *actor.PID, question any) (any, error) {
	a.stores.system.Send(a.pid, &put{to, question})
	select {
	case answer := <-a.heard:
		return answer, nil
	default: // it runs elsewhere
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case answer := <-a.heard:
		return answer, nil
	case <-late.C:
		return nil, fmt.Errorf("no answer to %T within %v", question, patience)
	}
}

// Deliver sends an update to a store and waits until it is applied.
func (a *Asker) Deliver(to *actor.PID, update any) error {
	answer, err := a.Ask(to, update)
	if err != nil {
		return err
	}
	if _, ok := answer.(*messages.Applied); !ok {
		return fmt.Errorf("%T was answered by %T", update, answer)
	}
	return nil
}

// Tree is a decision tree of actors/flow/route.
type Tree interface {
	Next() route.Step
	Learn(answer any) bool
}

// Run drives a tree to its last step.
func (a *Asker) Run(t Tree) (route.Step, error) {
	for range maxQuestions {
		s := t.Next()
		if s.Final() {
			return s, nil
		}
		answer, err := a.Ask(a.stores.of(s.Store), s.Ask)
		if err != nil {
			return s, err
		}
		if !t.Learn(answer) {
			return s, fmt.Errorf("the tree did not learn from %T, the answer to %T", answer, s.Ask)
		}
	}
	return route.Step{}, fmt.Errorf("the tree asked more than %d questions", maxQuestions)
}

func (s *Stores) of(store route.Store) *actor.PID {
	switch store {
	case route.Workloads:
		return s.Workloads
	case route.Services:
		return s.Services
	case route.DNS:
		return s.Names
	case route.NoStore, route.Discovery: // the oracle is not asked on demand
	}
	return nil
}
