package sim

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// control is the control plane of one node: it makes the changes of the plan one after another, each when the node has
// taken in the one before. A store that loses its state gets it again from discovery, which asks the model.
func (l *life) control(node string) {
	for _, c := range l.plan.changes[node] {
		<-time.After(time.Until(l.begun.Add(c.at)))
		old := l.model.now(node)
		s := old.clone()
		c.make(s)
		l.model.tell(node, s)
		if l.plan.governed {
			l.pushed(node, old, s)
		} else {
			l.push(l.nodes[node], old, s)
		}
		l.model.applied(node)
	}
}

// push sends what is different, additions first in the order workloads, policies, and removals in reverse.
func (l *life) push(n *bubble.Node, old, now *state) {
	stores := n.Stores()
	set, gone := diff(old.workloads, now.workloads)
	policies, lifted := diff(old.policies, now.policies)
	if len(set) > 0 {
		all := now.mesh().State().Workloads
		u := &messages.UpdateWorkloads{}
		for _, w := range all {
			if slices.Contains(set, w.Workload.UID) {
				u.Set = append(u.Set, w)
			}
		}
		l.told(n, stores.Workloads, u)
	}
	if len(policies)+len(lifted) > 0 {
		u := &messages.UpdatePolicies{Remove: lifted}
		for _, key := range policies {
			u.Set = append(u.Set, now.policies[key].message())
		}
		l.told(n, stores.Policies, u)
	}
	if len(gone) > 0 {
		l.told(n, stores.Workloads, &messages.UpdateWorkloads{Remove: gone})
	}
}

// told sends an update until the store has taken it in.
func (l *life) told(n *bubble.Node, store *actor.PID, update any) {
	for {
		_, err := kit.AskFor[*messages.Applied](context.Background(), n.System, store, update, time.Minute)
		if err == nil {
			return
		}
		if !errors.Is(err, kit.ErrUndelivered) {
			l.fail("control plane: %v", err)
			return
		}
		<-time.After(50 * time.Millisecond)
	}
}

// diff is what is new or different, and what is gone, by sorted keys.
func diff[T comparable](old, now map[string]T) (set, gone []string) {
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if before, ok := old[key]; !ok || before != now[key] {
			set = append(set, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(old)) {
		if _, ok := now[key]; !ok {
			gone = append(gone, key)
		}
	}
	return set, gone
}
