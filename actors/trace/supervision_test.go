package trace

import (
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
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
