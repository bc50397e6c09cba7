package admin

import (
	"context"
	"time"
)

const (
	retryFirst = 5 * time.Millisecond
	retryMost  = time.Second
)

// retry spaces out attempts that fail for reasons that pass, such as a lack of descriptors.
type retry struct {
	ctx  context.Context
	next time.Duration
}

func (r *retry) reset() { r.next = 0 }

// wait sleeps twice as long each time; it returns false when the context ends first.
func (r *retry) wait() bool {
	r.next = min(max(2*r.next, retryFirst), retryMost)
	timer := time.NewTimer(r.next)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.ctx.Done():
		return false
	}
}
