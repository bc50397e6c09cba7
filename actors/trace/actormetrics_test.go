package trace

import (
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
)

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
