package sim

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// leaving is how long a pod that is back may take to be served, and what was cut meanwhile to be noticed.
const leaving = 30 * time.Second

// drawPod is something that happens to a node's pod or between the node and its agent.
func drawPod(r *rand.Rand) step {
	name, at, long := pick(r, meshed), instant(r, traffic), instant(r, 8*time.Second)
	switch r.IntN(4) {
	case 0:
		return step{at, fmt.Sprintf("pod %s is away for %v", name, long), func(l *life) {
			l.away(name, long+leaving)
			l.nodes[name].Agent.Delete(name)
			<-time.After(long)
			l.nodes[name].Agent.Add(name)
		}}
	case 1:
		return step{at, "pod " + name + " comes again in another namespace", func(l *life) {
			l.away(name, leaving)
			l.nodes[name].Agent.Add(name)
		}}
	case 2:
		return step{at, fmt.Sprintf("the agent of %s is away for %v", name, long), func(l *life) {
			l.nodes[name].Agent.SetDown(true)
			<-time.After(long)
			l.nodes[name].Agent.SetDown(false)
		}}
	default:
		return step{at, "the agent of " + name + " hangs up", func(l *life) { l.nodes[name].Agent.HangUp() }}
	}
}

// away notes that nobody may be reached in a pod, nor reach anybody, for a while: as in a storm between it and everybody.
func (l *life) away(name string, long time.Duration) {
	for other := range addresses {
		l.storm(name, other, long)
	}
}

// checkPods checks that no handle of a pod's namespace is left.
func (l *life) checkPods() {
	for _, name := range meshed {
		if a := l.nodes[name].Agent; a != nil && a.Handles() != 0 {
			l.fail("%s: %d handles of network namespaces are open", name, a.Handles())
		}
	}
}
