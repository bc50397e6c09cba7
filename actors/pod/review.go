package pod

import (
	"maps"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// judgedAtOnce is how many connections are judged before other messages get their turn: new connections must not wait for
// the whole registry (a judgement takes about a microsecond for a handful of policies).
const judgedAtOnce = 64

// review is the re-evaluation of connections after something that policy depends on has changed. All of them belong to one
// workload, so that the policies are asked for once; what they say of each is found out in portions.
type review struct {
	// due are the flows that are still to be judged, in order.
	due []string
	// asked is the open question, 0 for none; found its answer.
	asked uint64
	found *messages.PoliciesFound
	timer *kit.Timer // of askAgain
}

// askAgain says that a question should have been answered, judgeOn that the next portion has its turn.
type (
	askAgain struct{ asked uint64 }
	judgeOn  struct{}
)

// AlwaysAdmitted says that there is at most one for each review.
func (*judgeOn) AlwaysAdmitted() {}

// reviewAll judges all inbound connections anew. Those that an earlier review had not come to go first.
func (c *connections) reviewAll(ctx actor.Context) {
	c.prune()
	all := slices.DeleteFunc(slices.Sorted(maps.Keys(c.registry.open)), func(id string) bool {
		return c.registry.open[id].Direction != messages.Inbound
	})
	if len(c.review.due) > 0 {
		waiting := make(map[string]struct{}, len(c.review.due))
		for _, id := range c.review.due {
			waiting[id] = struct{}{}
		}
		all = slices.DeleteFunc(all, func(id string) bool { _, is := waiting[id]; return is })
	}
	c.review.due = append(c.review.due, all...)
	c.askForPolicies(ctx)
}

// reviewOne judges one connection anew.
func (c *connections) reviewOne(ctx actor.Context, flow string) {
	c.review.due = append(c.review.due, flow)
	if c.review.asked == 0 && c.review.found == nil {
		c.askForPolicies(ctx)
	}
}

// askForPolicies asks for the policies of the workload as it is now. What is not answered in time is asked again: a
// connection must not outlive the policy that allowed it because a question got lost.
func (c *connections) askForPolicies(ctx actor.Context) {
	c.stopAsking()
	if len(c.review.due) == 0 {
		return
	}
	c.registry.asked++
	c.review.asked = c.registry.asked
	q := &messages.FindPolicies{Workload: c.registry.local}
	q.Number(c.review.asked, c.system.Nanos())
	ctx.Request(c.policies, q)
	c.review.timer = kit.After(ctx, patience, &askAgain{c.review.asked})
}

func (c *connections) stopAsking() {
	if c.review.timer != nil {
		c.review.timer.Stop()
	}
	c.review.timer, c.review.asked, c.review.found = nil, 0, nil
}

func (c *connections) askAgain(ctx actor.Context, m *askAgain) {
	if m.asked == c.review.asked {
		c.askForPolicies(ctx)
	}
}

// refused lets go of a question that the store can't answer yet: it tells of a change when it has its state back.
func (c *connections) refused(m *messages.Refused) {
	if m.ID == c.review.asked {
		c.stopAsking()
	}
}

func (c *connections) policiesFound(ctx actor.Context, m *messages.PoliciesFound) {
	if m.ID != c.review.asked {
		return // a newer change asked again
	}
	c.stopAsking()
	c.review.found = m
	c.judgeOn(ctx)
}

// judgeOn judges a portion.
func (c *connections) judgeOn(ctx actor.Context) {
	v := &c.review
	if v.found == nil {
		return // asked anew meanwhile
	}
	n := min(len(v.due), judgedAtOnce)
	for _, id := range v.due[:n] {
		if r := c.registry.open[id]; r != nil {
			c.judge(ctx, r)
		}
	}
	if v.due = v.due[n:]; len(v.due) > 0 {
		ctx.Send(ctx.Self(), &judgeOn{})
		return
	}
	v.due, v.found = nil, nil
}

// judge closes a connection that is not allowed any more, and says by what.
func (c *connections) judge(ctx actor.Context, r *registered) {
	verdict := c.verdict(r)
	if verdict.Allowed {
		return
	}
	c.log.PolicyClosed(r.Connection, c.registry.local.UID, verdict)
	ctx.Send(r.flow, &messages.CloseFlow{
		Failure: messages.Fail(messages.ReasonPolicyChanged, "connection closed due to policy change"),
		Verdict: verdict,
	})
}

// verdict is what authorize would say of the connection now.
func (c *connections) verdict(r *registered) *messages.Verdict {
	if now := c.registry.local.Waypoint; c.settings.EnforceWaypoint && now != nil {
		if r.Waypoint != nil && *r.Waypoint == *now {
			return &messages.Verdict{Allowed: true}
		}
		return &messages.Verdict{Rule: -1, Text: "it bypasses the waypoint " + now.Destination.String()}
	}
	if unknown := c.review.found.Unknown; c.settings.DenyUnknownPolicies && len(unknown) > 0 {
		return &messages.Verdict{Rule: -1, Text: "policy " + unknown[0] + " is not known"}
	}
	verdict := messages.Evaluate(c.review.found.Policies, r.Connection)
	c.telemetry.PolicyDecisions(nil, messages.NoSpan, &verdict)
	return &verdict
}
