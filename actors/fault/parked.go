package fault

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// parked is a message that a rule keeps from arriving.
type parked struct {
	delivery
	timer *time.Timer // nil when it waits for a release
}

// park keeps a message, for d unless d is 0. It reports false, and counts it, when too many wait already.
func (r *Rule) park(d delivery, after time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	if r.faults.waiting.Add(1) > MaxWaiting {
		r.faults.waiting.Add(-1)
		r.tooMany++
		return false
	}
	p := &parked{delivery: d}
	if after > 0 {
		p.timer = time.AfterFunc(after, func() { r.unpark(p, nil) })
	}
	r.parked = append(r.parked, p)
	return true
}

// unpark lets a message go on, after first unless that is nil; it reports false when somebody else did.
func (r *Rule) unpark(p *parked, first func()) bool {
	gone := true
	r.faults.work(func() {
		r.mu.Lock()
		i := slices.Index(r.parked, p)
		if i >= 0 {
			r.parked = slices.Delete(r.parked, i, i+1)
		}
		r.mu.Unlock()
		if gone = i < 0; gone {
			return
		}
		if first != nil {
			first()
		}
		p.leave(r.faults, true)
	})
	return !gone
}

// firstFor is the message for an actor that waits the longest.
func (r *Rule) firstFor(pid *actor.PID) *parked {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.parked {
		if p.to.PID.Equal(pid) {
			return p
		}
	}
	return nil
}

// leave delivers or undelivers a message that is parked no more.
func (p *parked) leave(f *Faults, deliver bool) {
	if p.timer != nil {
		p.timer.Stop()
	}
	f.waiting.Add(-1)
	if !deliver {
		kit.Undeliver(p.msg)
		return
	}
	p.deliver(p.msg)
}
