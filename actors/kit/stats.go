package kit

import (
	"slices"
	"strings"
	"time"
)

// Stats is a snapshot of what a system has counted since it began.
type Stats struct {
	// Roles are sorted by name.
	Roles []RoleStats
	// DeadLetters counts messages to actors that do not exist.
	DeadLetters uint64
	// Goroutines is how many run actors or work for them now; those that post to caller-runs actors are not counted.
	Goroutines int64
}

// RoleStats is what was counted for the actors of one role.
type RoleStats struct {
	Role string
	// Live is how many actors there are now, Working how many goroutines of Go work for them.
	Live, Working int64
	// Depth is how many messages wait now in the mailboxes of those that do not run on a flow; Peak is the deepest that
	// any mailbox has been.
	Depth, Peak int
	// Handled, Refused, Undelivered and Unknown count user messages: handled, refused by a full mailbox, left behind by
	// an actor that stopped, without a case for them.
	Handled, Refused, Undelivered, Unknown uint64
	// Failures counts panics, Restarts what followed, and GaveUp actors that failed too often.
	Failures, Restarts, GaveUp uint64
	// Expired counts questions whose deadline passed, Late answers that came after that, and Overasked questions beyond
	// the number that may be open.
	Expired, Late, Overasked uint64
	// Waits counts the mailbox waits of stamped messages by WaitBound; TotalWait is their sum, MaxWait the longest.
	Waits              [WaitBuckets]uint64
	TotalWait, MaxWait time.Duration
}

// Stats takes a snapshot. It may be called from anywhere at any time.
func (s *System) Stats() Stats {
	st := Stats{DeadLetters: s.letters.messages.Load(), Goroutines: s.running.Load()}
	for _, r := range s.roles.all() {
		st.Roles = append(st.Roles, r.stats())
	}
	slices.SortFunc(st.Roles, func(a, b RoleStats) int { return strings.Compare(a.Role, b.Role) })
	return st
}

// Role is the snapshot of one role; the zero value when the system does not know it.
func (st Stats) Role(name string) RoleStats {
	for _, r := range st.Roles {
		if r.Role == name {
			return r
		}
	}
	return RoleStats{}
}

func (r *role) stats() RoleStats {
	st := RoleStats{
		Role: r.name,
		Live: r.live.Load(), Working: r.working.Load(),
		Depth: r.depth(), Peak: int(r.peak.Load()),
		Handled: r.handled.Load(), Refused: r.refused.Load(), Undelivered: r.undelivered.Load(), Unknown: r.unknown.Load(),
		Failures: r.failures.Load(), Restarts: r.restarts.Load(), GaveUp: r.gaveUp.Load(),
		Expired: r.expired.Load(), Late: r.late.Load(), Overasked: r.overasked.Load(),
		TotalWait: time.Duration(r.waits.sum.Load()), MaxWait: time.Duration(r.waits.most.Load()),
	}
	for i := range st.Waits {
		st.Waits[i] = r.waits.buckets[i].Load()
	}
	return st
}
