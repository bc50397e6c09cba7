package fault

import (
	"strconv"
	"strings"
	"sync"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// LoseReply lets the messages arrive, and loses the first reply to each. It is only about messages whose sender waits for
// an answer.
//
// For a question (one with a QuestionID other than 0) asked by an actor, the reply is the first message to that actor
// which answers it (with the same AnswerID), whenever it comes; the actor asked still sees who asks. For all others it
// is the first message that anybody sends to the address of the message's sender: the actor asked sees a stand-in there,
// which passes on everything but the reply.
//
// What the kit tells the asker, that a message could not be delivered or is answered too late, is no reply. The rule
// strikes when the reply is lost, not before.
func (s *Selector[T]) LoseReply() *Rule {
	r := s.make(LoseReply, "LoseReply()")
	is := r.is
	r.is = func(to kit.Target, msg any) bool { return to.Sender != nil && is(to, msg) }
	return r.onWay(func(d delivery, selected bool) bool {
		if !selected {
			return false
		}
		body, ok := r.faults.losses.expect(r, d)
		if !ok {
			r.exceed()
			return false
		}
		d.deliver(body)
		return true
	})
}

// losses are the replies that are about to be lost.
type losses struct {
	mu       sync.Mutex
	answers  map[answer]*Rule
	standIns map[*standIn]struct{}
	made     uint64
}

// answer is an answer by whom it is for and the question's id.
type answer struct {
	asker string
	id    uint64
}

func (l *losses) init() {
	l.answers, l.standIns = make(map[answer]*Rule), make(map[*standIn]struct{})
}

// expect prepares for the reply to d's message, and returns what is to be delivered in its place. It reports false when
// too many are expected already.
func (l *losses) expect(r *Rule, d delivery) (any, bool) {
	f := r.faults
	system := f.system.Load()
	if system == nil {
		return nil, false
	}
	registry := system.Actors().ProcessRegistry
	process, _ := registry.Get(d.to.Sender)
	_, isActor := process.(*actor.ActorProcess)

	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.answers)+len(l.standIns) >= MaxWaiting {
		return nil, false
	}
	if q, ok := d.msg.(interface{ QuestionID() uint64 }); ok && isActor && q.QuestionID() != 0 {
		key := answer{d.to.Sender.Id, q.QuestionID()}
		if l.answers[key] == nil {
			f.active.Add(1)
		}
		l.answers[key] = r
		return d.msg, true
	}
	l.made++
	s := &standIn{rule: r, system: system, asker: d.to.Sender}
	s.pid, _ = registry.Add(s, standInPrefix+strconv.FormatUint(l.made, 10))
	l.standIns[s] = struct{}{}
	return &actor.MessageEnvelope{Message: d.msg, Sender: s.pid}, true
}

// lose loses an answer that is to be lost.
func (l *losses) lose(to kit.Target, msg any) bool {
	a, ok := msg.(interface{ AnswerID() uint64 })
	if !ok {
		return false
	}
	key := answer{to.PID.Id, a.AnswerID()}
	l.mu.Lock()
	r := l.answers[key]
	delete(l.answers, key)
	l.mu.Unlock()
	if r == nil {
		return false
	}
	r.faults.active.Add(-1)
	if r.hasEnded() {
		return false
	}
	r.strike(to, msg)
	kit.Undeliver(msg)
	return true
}

// asker is who waits for the answer when sender is a stand-in, and sender otherwise.
func (l *losses) asker(sender *actor.PID) *actor.PID {
	if sender == nil || !strings.HasPrefix(sender.Id, standInPrefix) {
		return sender
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.standIns {
		if s.pid.Id == sender.Id {
			return s.asker
		}
	}
	return sender
}

// forget takes a stand-in out that has done its work.
func (l *losses) forget(s *standIn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.standIns, s)
	s.system.Actors().ProcessRegistry.Remove(s.pid)
}

// abandon lets the replies pass that a rule which has ended was about to lose.
func (l *losses) abandon(r *Rule) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, rule := range l.answers {
		if rule == r {
			delete(l.answers, key)
			r.faults.active.Add(-1)
		}
	}
}

// clear forgets everything: the system has ended.
func (l *losses) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.answers)
	for s := range l.standIns {
		s.system.Actors().ProcessRegistry.Remove(s.pid)
	}
	clear(l.standIns)
}
