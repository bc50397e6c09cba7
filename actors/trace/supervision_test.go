package trace

import (
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
)

func TestActorEvents(t *testing.T) {
	pid := &actor.PID{Address: "nonhost", Id: "workloads"}
	failure := &kit.Failure{Role: "workloads", PID: pid, Value: "index out of range", Message: "*messages.FindAddress", Stack: "store.go:12"}
	for _, tt := range []struct {
		event     kit.Event
		level     string
		directive string
	}{
		{kit.Restarted{Role: "workloads", PID: pid, Failure: failure, Restarts: 2, Delay: time.Second}, "error", "restart"},
		{kit.StoppedByParent{Role: "workloads", PID: pid, Failure: failure}, "error", "stop"},
		{kit.Resumed{Role: "workloads", PID: pid, Failure: failure}, "warn", "resume"},
		{kit.Escalated{Role: "workloads", PID: pid, Failure: failure}, "error", "escalate"},
		{kit.GaveUp{Role: "workloads", PID: pid, Failure: failure, Restarts: 10}, "error", "give_up"},
		{kit.PanickedWhileEnding{Role: "workloads", PID: pid, Reason: "again"}, "error", "end"},
	} {
		n := newNode(t, nodeOptions{})
		n.ActorEvent(tt.event)
		lines := n.logged(t)
		if len(lines) != 1 || !strings.HasPrefix(lines[0], tt.level+"\tactors\t") || !strings.Contains(lines[0], `actor="workloads"`) {
			t.Errorf("%T: lines %q", tt.event, lines)
		}
		want := `troupe_actor_faults_total{role="workloads",directive="` + tt.directive + `"} 1`
		if got := n.exposition(t); !strings.Contains(got, want) {
			t.Errorf("%T: no %s in\n%s", tt.event, want, got)
		}
		spans := n.exported(t)
		if len(spans) != 1 || spans[0].Name() != "actor.restart" || value(spans[0], messages.AttrDirective) != tt.directive ||
			value(spans[0], messages.AttrErrorType) != "internal_error" {
			t.Errorf("%T: spans %v", tt.event, spans)
		}
		checkSpans(t, spans)
	}
}

func TestAFullMailboxIsOnlyLogged(t *testing.T) {
	n := newNode(t, nodeOptions{})
	n.ActorEvent(kit.Refused{Role: "flow", PID: &actor.PID{Id: "f"}, Message: "x", Capacity: 8, Count: 41})
	if lines := n.logged(t); len(lines) != 1 || !strings.Contains(lines[0], "count=41 capacity=8") {
		t.Errorf("lines %q", lines)
	}
	if spans := n.exported(t); len(spans) != 0 {
		t.Errorf("spans %v", spans)
	}
}

func TestTheKitsCountersAreShown(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	role := kit.RoleStats{
		Role: "flow", Live: 3, Depth: 2, Handled: 100, Refused: 7, Failures: 4, Restarts: 3, GaveUp: 1, Expired: 5,
		TotalWait: 1500 * time.Microsecond,
	}
	role.Waits[0], role.Waits[3], role.Waits[kit.WaitBuckets-1] = 10, 5, 1
	n.WatchActors(func() kit.Stats { return kit.Stats{Roles: []kit.RoleStats{role, {Role: "services"}}, DeadLetters: 9} })
	got := n.exposition(t)
	for _, want := range []string{
		`troupe_actors_live{role="flow"} 3`, `troupe_mailbox_depth{role="flow"} 2`, `troupe_messages_handled_total{role="flow"} 100`,
		`troupe_messages_refused_total{role="flow"} 7`, `troupe_actor_failures_total{role="flow"} 4`, `troupe_actor_restarts_total{role="flow"} 3`,
		`troupe_actor_given_up_total{role="flow"} 1`, `troupe_questions_expired_total{role="flow"} 5`, `troupe_dead_letters_total 9`,
		`troupe_mailbox_wait_seconds_sum{role="flow"} 0.0015`, `troupe_mailbox_wait_seconds_count{role="flow"} 16`,
		`troupe_mailbox_wait_seconds_bucket{role="flow",le="0.000001"} 10`, `troupe_mailbox_wait_seconds_bucket{role="flow",le="0.000064"} 15`,
		`troupe_mailbox_wait_seconds_bucket{role="flow",le="+Inf"} 16`, `troupe_actors_live{role="services"} 0`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// A counter that the endpoints gain must get a name here.
func TestEveryCounterOfTheTunnelsIsShown(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	var stats hbone.Stats
	fields := reflect.ValueOf(&stats).Elem()
	for i := range fields.NumField() {
		fields.Field(i).Addr().Interface().(*atomic.Uint64).Store(uint64(1000 + i))
	}
	n.WatchTunnels(&stats)
	got := n.exposition(t)
	for i := range fields.NumField() {
		if want := "} " + strconv.Itoa(1000+i) + "\n"; !strings.Contains(got, want) {
			t.Errorf("counter %s is not shown", fields.Type().Field(i).Name)
		}
	}
}
