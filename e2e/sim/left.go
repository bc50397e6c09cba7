package sim

import (
	"runtime"
	"strings"
	"testing/synctest"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/e2e/bubble"
)

// checkLeft checks that nothing is left, now that everything has ended.
func (l *life) checkLeft() {
	synctest.Wait()
	for _, name := range meshed {
		n := l.nodes[name]
		c := n.Counts()
		if c.Opened != c.Closed || c.Sockets != 0 {
			l.fail("%s: %+v in the end", name, c)
		}
		st := n.System.Stats()
		for _, r := range st.Roles {
			if r.Live != 0 || r.Working != 0 {
				l.fail("%s: %d actors of role %s are left, and %d goroutines of theirs", name, r.Live, r.Role, r.Working)
			}
		}
		if st.Goroutines != 0 {
			l.fail("%s: %d goroutines of actors are left", name, st.Goroutines)
		}
		if !l.plan.trouble.actors {
			for _, e := range n.Events.All() {
				if isFailure(e) {
					l.fail("%s: %T %+v", name, e, e)
				}
			}
		}
		if unknown := bubble.EventsOf[kit.UnknownMessage](n); len(unknown) > 0 {
			l.fail("%s: messages that nobody knows: %+v", name, unknown)
		}
	}
	l.checkPods()
	if n := l.world.Net().Open(); n != 0 {
		l.fail("%d ends of connections are open", n)
	}
	for _, stack := range leftover() {
		l.fail("a goroutine is left:\n%s", stack)
	}
}

// leftover are the stacks of the bubble's other goroutines.
func leftover() []string {
	buf := make([]byte, 1<<20)
	all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	_, mine, found := strings.Cut(strings.SplitN(all[0], "\n", 2)[0], "synctest bubble ")
	if !found {
		return nil
	}
	var left []string
	for _, stack := range all[1:] {
		head, _, _ := strings.Cut(stack, "\n")
		if strings.Contains(head, "synctest bubble "+mine) && !strings.Contains(stack, "testing/synctest.") {
			left = append(left, stack)
		}
	}
	return left
}

// isFailure reports whether an event is one that must not be where nothing was injected. A dead letter may be: actors
// say goodbye to each other in any order when everything ends.
func isFailure(e kit.Event) bool {
	switch e.(type) {
	case kit.DeadLetter, kit.LeftBehind:
		return false
	}
	return true
}
