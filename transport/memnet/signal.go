package memnet

import (
	"context"
	"time"
)

// signal wakes everybody who waits for a change. It costs nothing while nobody does. The network's lock guards it.
type signal struct{ waiting chan struct{} }

// notify wakes all who wait.
func (s *signal) notify() {
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

// wait gives the lock up until the next notify, until a time (if it is not zero) or until ctx ends; then it has the
// lock again.
func (n *Network) wait(ctx context.Context, s *signal, until time.Time) {
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	woken := s.waiting
	n.mu.Unlock()
	defer n.mu.Lock()
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-woken:
	case <-due:
	case <-ctx.Done():
	}
}

// earlier is the earlier of two times, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
