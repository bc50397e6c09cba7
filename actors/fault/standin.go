package fault

import (
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// standInPrefix begins the names of stand-ins.
const standInPrefix = "fault/reply/"

// standIn is the address to which one reply goes that is lost; everything else it passes on.
type standIn struct {
	rule   *Rule
	system *kit.System
	asker  *actor.PID
	pid    *actor.PID
	heard  atomic.Bool // the reply has come
}

var _ actor.Process = (*standIn)(nil)

// SendUserMessage loses the first message, unless it is the kit's.
func (s *standIn) SendUserMessage(_ *actor.PID, msg any) {
	body := actor.UnwrapEnvelopeMessage(msg)
	_, undelivered := body.(*kit.Undelivered)
	if s.heard.CompareAndSwap(false, true) {
		s.rule.faults.losses.forget(s)
		if !undelivered && !s.rule.hasEnded() {
			s.rule.strike(kit.Target{Role: "asker", PID: s.asker}, body)
			kit.Undeliver(body)
			return
		}
	}
	s.system.Send(s.asker, msg)
}

// SendSystemMessage passes it on: whoever watches the asker hears of its end.
func (s *standIn) SendSystemMessage(_ *actor.PID, msg any) {
	process, _ := s.system.Actors().ProcessRegistry.Get(s.asker)
	process.SendSystemMessage(s.asker, msg)
}

// Stop stops the asker.
func (s *standIn) Stop(*actor.PID) { s.system.Stop(s.asker) }
