package pod

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

// judgedAtOnce and judgedFor bound one portion of a review: how many connections, and for how long (a judgement takes about a
// microsecond for a handful of policies, and milliseconds for thousands). Between portions a review rests for as long as the
// last one took, at most restedFor: what goes on in the proxy meanwhile finds a processor, and sees its sockets looked at.
const (
	judgedAtOnce = 256
	judgedFor    = 500 * time.Microsecond
	restedFor    = time.Millisecond
)

// review is the re-evaluation of connections after something that policy depends on has changed. All of them belong to one
// workload, so that the policies are asked for once; what they say of each is found out in portions, on a goroutine of their
// own: neither a new connection nor the policy store waits for the registry to judge.
type review struct {
	// asked is the open question, 0 for none; found its answer.
	asked uint64
	found *messages.PoliciesFound
	// portion numbers the portions; the latest is the one that the next follows.
	portion uint64
	// took is how long the last portion was judged.
	took  time.Duration
	timer *kit.Timer // of askAgain
}

// askAgain says that a question should have been answered, or the portion have been judged that its answer led to.
type askAgain struct{ asked, portion uint64 }

// judged is one portion.
type judged struct {
	portion, review uint64
	took            time.Duration
	// allowed stay as they are, denied are not allowed any more.
	allowed []*registered
	denied  []denied
}

type denied struct {
	*registered
	verdict *messages.Verdict
}

// reviewAll judges all inbound connections anew.
func (c *connections) reviewAll(ctx actor.Context) {
	c.registry.roll.reviewAll()
	c.askForPolicies(ctx)
}

// reviewOne judges one connection anew.
func (c *connections) reviewOne(ctx actor.Context, r *registered) {
	c.registry.roll.reviewOne(r)
	if c.review.asked == 0 && c.review.found == nil {
		c.askForPolicies(ctx)
	}
}

// askForPolicies asks for the policies of the workload as it is now. What is not answered in time is asked again: a
// connection must not outlive the policy that allowed it because a question got lost.
func (c *connections) askForPolicies(ctx actor.Context) {
	c.stopAsking()
	if c.registry.roll.due == 0 {
		return
	}
	if c.registry.local == nil { // of another process's connections, or outbound ones
		c.registry.unreviewed = true
		return
	}
	c.registry.asked++
	c.review.asked = c.registry.asked
	q := &messages.FindPolicies{Workload: c.registry.local}
	q.Number(c.review.asked, c.system.Nanos())
	ctx.Request(c.policies, q)
	c.askAgainLater(ctx)
}

func (c *connections) askAgainLater(ctx actor.Context) {
	c.review.timer = kit.After(ctx, patience, &askAgain{c.review.asked, c.review.portion})
}

func (c *connections) stopWaiting() {
	if c.review.timer != nil {
		c.review.timer.Stop()
		c.review.timer = nil
	}
}

func (c *connections) stopAsking() {
	c.stopWaiting()
	c.review.asked, c.review.found = 0, nil
}

func (c *connections) askAgain(ctx actor.Context, m *askAgain) {
	if m.asked == c.review.asked && m.portion == c.review.portion {
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

// judgeOn has the next portion judged.
func (c *connections) judgeOn(ctx actor.Context) {
	v, roll := &c.review, &c.registry.roll
	if roll.due == 0 {
		v.found = nil
		return
	}
	v.portion++
	batch := &judged{portion: v.portion, review: roll.review, allowed: roll.take(judgedAtOnce)}
	judge := judge{settings: &c.settings, telemetry: c.telemetry, found: v.found, local: c.registry.local}
	rest := min(v.took, restedFor)
	c.askAgainLater(ctx)
	kit.Go(ctx, func(stopped context.Context) any {
		if rest > 0 {
			select {
			case <-time.After(rest):
			case <-stopped.Done():
				return nil
			}
		}
		judge.all(batch)
		return batch
	})
}

// judged closes what is not allowed any more, says by what, and has the next portion judged.
func (c *connections) judged(ctx actor.Context, m *judged) {
	open, roll := c.registry.open, &c.registry.roll
	for _, r := range m.allowed {
		if open[r.flow.Id] == r {
			roll.judged(r, m.review)
		}
	}
	for _, d := range m.denied {
		if open[d.flow.Id] == d.registered {
			roll.judged(d.registered, m.review)
			c.close(ctx, d)
		}
	}
	if m.portion == c.review.portion && c.review.found != nil {
		c.review.took = m.took
		c.stopWaiting()
		c.judgeOn(ctx)
	}
}

// close tells a connection that it is not allowed any more, and by what.
func (c *connections) close(ctx actor.Context, d denied) {
	if !c.isAlive(d.flow) {
		c.forget(d.registered)
		return
	}
	c.log.PolicyClosed(d.Connection, c.registry.local.UID, d.verdict)
	ctx.Send(d.flow, &messages.CloseFlow{
		Failure: messages.Fail(messages.ReasonPolicyChanged, "connection closed due to policy change"),
		Verdict: d.verdict,
	})
}

// judge is what connections are judged by.
type judge struct {
	settings  *flow.Settings
	telemetry *trace.Telemetry
	found     *messages.PoliciesFound
	local     *messages.Workload
}

// all judges a portion until the time is over: what it has not come to is in none of its lists.
func (j *judge) all(batch *judged) {
	began := time.Now()
	all := batch.allowed
	batch.allowed = all[:0]
	for _, r := range all {
		if verdict := j.verdict(r); verdict.Allowed {
			batch.allowed = append(batch.allowed, r)
		} else {
			batch.denied = append(batch.denied, denied{r, &verdict})
		}
		if batch.took = time.Since(began); batch.took >= judgedFor {
			return
		}
	}
}

// verdict is what authorize would say of the connection now.
func (j *judge) verdict(r *registered) messages.Verdict {
	if now := j.local.Waypoint; j.settings.EnforceWaypoint && now != nil {
		if r.Waypoint != nil && *r.Waypoint == *now {
			return messages.Verdict{Allowed: true}
		}
		return messages.Verdict{Rule: -1, Text: "it bypasses the waypoint " + now.Destination.String()}
	}
	if unknown := j.found.Unknown; j.settings.DenyUnknownPolicies && len(unknown) > 0 {
		return messages.Verdict{Rule: -1, Text: "policy " + unknown[0] + " is not known"}
	}
	verdict := messages.Evaluate(j.found.Policies, r.Connection)
	if len(verdict.Decisions) > 0 {
		j.telemetry.PolicyDecisions(nil, messages.NoSpan, &verdict)
	}
	return verdict
}
