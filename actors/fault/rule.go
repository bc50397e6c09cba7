package fault

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// Rule is a fault in force.
type Rule struct {
	// Set before the rule is in force.
	faults  *Faults
	number  int
	kind    Kind
	detail  string
	message string
	actors  pattern
	from    *pattern
	is      func(to kit.Target, msg any) bool
	first   uint64 // of the messages selected; 0 means 1
	count   uint64 // how many are selected, 0 for all
	window  string
	chance  float64
	chancy  bool
	loop    error // what crash-looping actors panic with
	way     func(d delivery, selected bool) (taken bool)
	handler func(to kit.Target, msg any)

	done chan struct{} // closed when the rule has ended

	mu       sync.Mutex
	random   *rand.Rand
	matched  uint64
	injected uint64
	tooMany  uint64
	ended    bool
	parked   []*parked
	looping  map[string]bool // the actors that crash again and again
	striking chan struct{}   // closed at the next injection, if someone waits for it
}

// choice is what a rule makes of a message.
type choice int

const (
	ignored choice = iota // it is not about it
	passed                // it is about it, but does not select it
	selected
)

// consider counts a message that the rule is about.
func (r *Rule) consider(to kit.Target, msg any) choice {
	if !r.actors.matchesActor(to.Role, to.PID) || !r.is(to, msg) {
		return ignored
	}
	if r.from != nil && (to.Sender == nil || !r.from.matches(to.Sender.Id)) {
		return ignored
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return ignored
	}
	r.matched++
	first := max(r.first, 1)
	if r.matched < first || r.count != 0 && r.matched >= first+r.count {
		return passed
	}
	if r.chancy && r.random.Float64() >= r.chance {
		return passed
	}
	return selected
}

// strike notes an injection. to is the actor that suffers.
func (r *Rule) strike(to kit.Target, msg any) {
	r.faults.journal.add(r, to, msg)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.injected++
	if r.striking != nil {
		close(r.striking)
		r.striking = nil
	}
}

// exceed counts a fault that is not injected because too many wait already.
func (r *Rule) exceed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tooMany++
}

// Release ends the rule: nothing more suffers from it, the messages that it holds or delays go on in the order in which
// they came, slow handlers go on, and actors that crash again and again may recover. It returns how many messages went
// on. A message that comes meanwhile may overtake them.
func (r *Rule) Release() int { return r.end(true) }

// ReleaseFirst lets the message go on that is held or delayed the longest, and holds the others. It reports whether there
// was one.
func (r *Rule) ReleaseFirst() bool {
	r.mu.Lock()
	var p *parked
	if len(r.parked) > 0 {
		p = r.parked[0]
	}
	r.mu.Unlock()
	return p != nil && r.unpark(p, nil)
}

// Held is how many messages the rule holds or delays now.
func (r *Rule) Held() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.parked)
}

// Injected is how often the rule has struck.
func (r *Rule) Injected() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.injected)
}

// Matched is how many messages the rule was about, those included that it did not select.
func (r *Rule) Matched() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.matched)
}

// Await waits until the rule has struck n times in all. After timeout it returns a *TimeoutError.
func (r *Rule) Await(n int, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		r.mu.Lock()
		struck := r.injected
		if struck < uint64(max(n, 0)) && r.striking == nil {
			r.striking = make(chan struct{})
		}
		striking := r.striking
		r.mu.Unlock()
		if struck >= uint64(max(n, 0)) {
			return nil
		}
		select {
		case <-striking:
		case <-timer.C:
			return &TimeoutError{
				Awaited: fmt.Sprintf("rule %s did not strike %d times", r, n), Within: timeout,
				Instead: []string{fmt.Sprintf("it was about %d messages and struck %d times", r.Matched(), struck)},
			}
		}
	}
}

// String is the rule as it is written.
func (r *Rule) String() string { return fmt.Sprintf("%s.%s", r.selection(), r.detail) }

// end takes the rule out of force. What it held goes on, or is undelivered.
func (r *Rule) end(deliver bool) int {
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		return 0
	}
	r.ended = true
	close(r.done)
	waiting := r.parked
	r.parked, r.looping = nil, nil
	r.mu.Unlock()
	if r.faults.rules.remove(r) {
		r.faults.active.Add(-1)
	}
	r.faults.losses.abandon(r)
	for _, p := range waiting {
		r.faults.work(func() { p.leave(r.faults, deliver) })
	}
	return len(waiting)
}

func (r *Rule) hasEnded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}
