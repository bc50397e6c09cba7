package cni

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/pods"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/zds"
)

var errInjected = errors.New("broken on purpose")

// faultsOver are the ways in which the actor of a role is broken over a message.
func faultsOver[T any](role string) map[string]func(*fault.Faults) {
	on := func(f *fault.Faults) *fault.Selector[T] { return fault.On[T](f, role) }
	return map[string]func(*fault.Faults){
		"panic":      func(f *fault.Faults) { on(f).Once().Panic(errInjected) },
		"crash loop": func(f *fault.Faults) { on(f).Next(4).Panic(errInjected) },
		"drop":       func(f *fault.Faults) { on(f).Once().Drop() },
		"delay":      func(f *fault.Faults) { on(f).Once().Delay(7 * time.Second) },
		"duplicate":  func(f *fault.Faults) { on(f).Duplicate() },
		"lose reply": func(f *fault.Faults) { on(f).Once().LoseReply() },
	}
}

// TestBrokenOverPods breaks the agent's actor and the pods actor over each message between them, while the agent tells of
// pods as the real one does: with a snapshot at each connection, and again whatever failed. Whatever breaks, the agent is
// answered within its deadline, other pods are served on, and in the end the right pods are served and the node is ready.
func TestBrokenOverPods(t *testing.T) {
	for message, ways := range map[string]map[string]func(*fault.Faults){
		"pods over StartPod":        faultsOver[messages.StartPod](pods.RolePods),
		"pods over StopPod":         faultsOver[messages.StopPod](pods.RolePods),
		"pods over KeepPods":        faultsOver[messages.KeepPods](pods.RolePods),
		"cni over PodStarted":       faultsOver[messages.PodStarted](Role),
		"cni over what it has read": faultsOver[received](Role),
		"cni over what it answered": faultsOver[answered](Role),
		"cni over its connection":   faultsOver[dialled](Role),
		"root over TaskCompleted":   faultsOver[messages.TaskCompleted](RoleRoot),
	} {
		for way, strike := range ways {
			t.Run(message+"/"+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					faults := fault.New()
					w := newWorld(t, faults, true)
					defer w.end()
					strike(faults)
					w.system.Send(w.cni, &messages.StartAccepting{})
					realAgent(w, []string{"a", "b"}, nil)
					realAgent(w, []string{"b", "c"}, []string{"a"})
					for range 5 { // what is told again may break again
						pass(12 * time.Second)
						realAgent(w, []string{"b", "c"}, []string{"a"})
					}
					w.expect("b", "c")
					if !w.ready() {
						t.Error("the node is not ready")
					}
				})
			})
		}
	}
}

// realAgent brings the proxy to serve pods and delete others, as an agent does that never gives up.
func realAgent(w *world, served, deleted []string) {
	w.t.Helper()
	known := map[string]uint64{"a": 1, "b": 2, "c": 3}
	var c *fakeConn
	failed := func(answer string) bool { return answer != "" }
	for try := range 60 {
		if c == nil || isClosed(c) {
			c = nil
			for len(w.agent.next) > 0 {
				c = <-w.agent.next
			}
			if c == nil && try > 0 {
				select {
				case c = <-w.agent.next:
				case <-time.After(20 * time.Second):
					continue
				}
			}
			if c == nil {
				if live := w.live(); live != nil {
					c = live
				} else {
					continue
				}
			} else {
				wrong := false
				for _, uid := range served {
					if answer := c.ask(w.t, w.add(uid, known[uid])); failed(answer) {
						wrong = isClosed(c)
					}
				}
				if wrong || failed(c.ask(w.t, &zds.SnapshotSent{})) {
					continue
				}
			}
		}
		wrong := false
		for _, uid := range deleted {
			wrong = failed(c.ask(w.t, &zds.Delete{UID: uid})) || wrong
		}
		for _, uid := range served {
			wrong = failed(c.ask(w.t, w.add(uid, known[uid]))) || wrong
		}
		if !wrong {
			return
		}
	}
	w.t.Errorf("the agent could not have %q served: the pods are %q", served, w.listed())
}

// live is the connection that is open.
func (w *world) live() *fakeConn {
	w.agent.mu.Lock()
	defer w.agent.mu.Unlock()
	if n := len(w.agent.conns); n > 0 && !isClosed(w.agent.conns[n-1]) {
		return w.agent.conns[n-1]
	}
	return nil
}

func isClosed(c *fakeConn) bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}
