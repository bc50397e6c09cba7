package trace

import (
	"math"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// WatchActors makes the metrics show the kit's counters, which stats reads. They have one member for each role, of which
// the kit bounds the number.
func (t *Telemetry) WatchActors(stats func() kit.Stats) { t.metrics.actors.Store(&stats) }

// roleFamily is a family with one value for each role.
type roleFamily struct {
	head
	value func(*kit.RoleStats) uint64
}

func roleCounter(name, help string, value func(*kit.RoleStats) uint64) roleFamily {
	return roleFamily{ownCounter(name, help, "role"), value}
}

func roleGauge(name, help string, value func(*kit.RoleStats) uint64) roleFamily {
	return roleFamily{head{name: name, help: help, kind: kindGauge, labels: []string{"role"}}, value}
}

var roleFamilies = [...]roleFamily{
	roleGauge("troupe_actors_live", "The current number of actors (unstable).",
		func(s *kit.RoleStats) uint64 { return uint64(max(s.Live, 0)) }),
	roleCounter("troupe_actor_failures", "The total number of panics of actors (unstable).",
		func(s *kit.RoleStats) uint64 { return s.Failures }),
	roleCounter("troupe_actor_restarts", "The total number of actors made anew after a panic (unstable).",
		func(s *kit.RoleStats) uint64 { return s.Restarts }),
	roleCounter("troupe_actor_given_up", "The total number of actors that failed too often (unstable).",
		func(s *kit.RoleStats) uint64 { return s.GaveUp }),
	roleGauge("troupe_mailbox_depth", "The current number of messages that wait in mailboxes (unstable).",
		func(s *kit.RoleStats) uint64 { return uint64(max(s.Depth, 0)) }),
	roleCounter("troupe_messages_handled", "The total number of messages that actors handled (unstable).",
		func(s *kit.RoleStats) uint64 { return s.Handled }),
	roleCounter("troupe_messages_refused", "The total number of messages refused by a full mailbox (unstable).",
		func(s *kit.RoleStats) uint64 { return s.Refused }),
	roleCounter("troupe_messages_undelivered", "The total number of messages that an actor left behind (unstable).",
		func(s *kit.RoleStats) uint64 { return s.Undelivered }),
	roleCounter("troupe_questions_expired", "The total number of questions that were not answered in time (unstable).",
		func(s *kit.RoleStats) uint64 { return s.Expired }),
}

var (
	mailboxWaitHead = head{
		name: "troupe_mailbox_wait_seconds", kind: kindHistogram, unit: "seconds", labels: []string{"role"},
		help: "Time in seconds that messages waited in a mailbox (unstable).",
	}
	deadLettersHead = ownCounter("troupe_dead_letters", "The total number of messages to actors that do not exist (unstable).")
	waitBounds      = kitBounds()
)

func kitBounds() []float64 {
	bounds := make([]float64, kit.WaitBuckets-1)
	for i := range bounds {
		// The kit's bounds are exclusive and ours inclusive: the nanosecond between them is below what is measured.
		bounds[i] = math.Round(kit.WaitBound(i).Seconds()*1e9) / 1e9
	}
	return bounds
}

func (m *Metrics) writeActors(e *exposition) {
	read := m.actors.Load()
	if read == nil {
		return
	}
	stats := (*read)()
	for i := range roleFamilies {
		f := &roleFamilies[i]
		for j := range stats.Roles {
			if j == 0 {
				e.head(&f.head)
			}
			values := []string{stats.Roles[j].Role}
			if f.kind == kindGauge {
				e.gauge(&f.head, values, int64(f.value(&stats.Roles[j])))
			} else {
				e.counter(&f.head, values, f.value(&stats.Roles[j]))
			}
		}
	}
	for j := range stats.Roles {
		if j == 0 {
			e.head(&mailboxWaitHead)
		}
		role := &stats.Roles[j]
		e.histogram(&mailboxWaitHead, []string{role.Role}, waitBounds, role.Waits[:], uint64(max(role.TotalWait, 0)/time.Nanosecond))
	}
	e.head(&deadLettersHead)
	e.counter(&deadLettersHead, nil, stats.DeadLetters)
}
