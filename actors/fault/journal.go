package fault

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// maxListed is how many rules the report lists, those that have ended included.
const maxListed = 1024

// maxNotes is how many injections wait for the trace that they belong to; the oldest go first.
const maxNotes = 1024

// journal is what was injected.
type journal struct {
	mu         sync.Mutex
	made       int
	rules      []*Rule
	injections []Injection
	unlisted   uint64
	notes      []note
}

// note is an injection that no trace has told yet.
type note struct {
	kit.FaultNote
	sender *actor.PID
}

// enter lists a rule and gives it its number, 1 for the first.
func (j *journal) enter(r *Rule) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.made++
	r.number = j.made
	if len(j.rules) < maxListed {
		j.rules = append(j.rules, r)
	}
}

// add notes that a rule struck.
func (j *journal) add(r *Rule, to kit.Target, msg any) {
	now := time.Now()
	i := Injection{
		At: now, Since: now.Sub(r.faults.start), Rule: r.number, Fault: r.kind,
		Role: to.Role, Actor: to.PID.GetId(), Sender: to.Sender.GetId(), Message: nameOf(msg),
	}
	n := note{kit.FaultNote{At: now, Fault: string(r.kind), Message: i.Message, Actor: to.PID}, to.Sender}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.injections) < MaxInjections {
		j.injections = append(j.injections, i)
	} else {
		j.unlisted++
	}
	if len(j.notes) >= maxNotes {
		j.notes = append(j.notes[:0], j.notes[1:]...)
	}
	j.notes = append(j.notes, n)
}

// take takes the notes about an actor and those below it.
func (j *journal) take(pid *actor.PID) []kit.FaultNote {
	j.mu.Lock()
	defer j.mu.Unlock()
	var taken []kit.FaultNote
	kept := j.notes[:0]
	for _, n := range j.notes {
		if within(n.Actor, pid) || within(n.sender, pid) {
			taken = append(taken, n.FaultNote)
		} else {
			kept = append(kept, n)
		}
	}
	clear(j.notes[len(kept):])
	j.notes = kept
	return taken
}

// within reports whether an actor is another one or below it.
func within(pid, other *actor.PID) bool {
	if pid == nil {
		return false
	}
	rest, ok := strings.CutPrefix(pid.Id, other.Id)
	return ok && (rest == "" || rest[0] == '/')
}

// nameOf is a message's type, without its pointer; empty for none.
func nameOf(msg any) string {
	if msg == nil {
		return ""
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", msg), "*")
}
