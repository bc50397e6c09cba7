package fault_test

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// store is a small actor of the role "workloads": it knows one workload.
type store struct{}

func (store) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*messages.FindWorkload); ok {
		ctx.Respond(&messages.WorkloadFound{Answer: messages.Answer{ID: m.ID}, Workload: &messages.Workload{Name: m.UID}})
	}
}

// A store loses a question. The asker hears nothing until its deadline, asks again, and is answered.
func Example() {
	faults := fault.New()
	system := kit.NewSystem(kit.Config{Faults: faults})
	workloads, _ := system.SpawnRoot(kit.Spec{Role: "workloads", Capacity: 16, New: func() actor.Actor { return store{} }}, "workloads")

	rule := fault.On[messages.FindWorkload](faults, "workloads").Once().Drop()
	for range 2 {
		found, err := kit.AskFor[*messages.WorkloadFound](context.Background(), system, workloads,
			&messages.FindWorkload{UID: "web"}, 50*time.Millisecond)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("found", found.Workload.Name)
	}
	fmt.Println(rule, "struck", rule.Injected(), "of", rule.Matched())
	_ = system.Shutdown(context.Background())

	// Output:
	// ask actor workloads for *messages.FindWorkload: no answer before the deadline
	// found web
	// On[messages.FindWorkload]("workloads").Once().Drop() struck 1 of 2
}

// An answer is held until a test has seen that it is on its way.
func ExampleRule_Release() {
	faults := fault.New()
	system := kit.NewSystem(kit.Config{Faults: faults})
	workloads, _ := system.SpawnRoot(kit.Spec{Role: "workloads", Capacity: 16, New: func() actor.Actor { return store{} }}, "workloads")

	probe := fault.Watch[messages.FindWorkload](faults, "workloads")
	rule := fault.On[messages.FindWorkload](faults, "workloads").Hold()
	system.Send(workloads, &messages.FindWorkload{UID: "web"})

	fmt.Println(rule.Await(1, time.Second), rule.Held())
	_, err := probe.Expect(time.Millisecond)
	fmt.Println(err)
	fmt.Println("released", rule.Release())
	m, err := probe.Expect(time.Second)
	fmt.Println(m.UID, err)
	_ = system.Shutdown(context.Background())

	// Output:
	// <nil> 1
	// no messages.FindWorkload reached "workloads" within 1ms; it handled nothing else; faults injected: 1 by On[messages.FindWorkload]("workloads").Hold()
	// released 1
	// web <nil>
}
