package relay

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// goneFor is how long a relay goes on for the other side when one of its sides was reset and no byte moves any more. What
// was on its way from a side that is gone is still delivered, but not waited for without end: the reference does, until the
// other application gives up (spec/dataplane.md §9).
const goneFor = 10 * time.Second

// relay is what ending needs of the relay that it belongs to.
type relay interface {
	// moved is how many bytes were passed on.
	moved() uint64
	// abort ends both directions at once.
	abort()
}

// ending is how a relay's two directions end.
type ending struct {
	closedBy, cutBy atomic.Uint32
	// abandoned says that the relay was aborted because a side was gone.
	abandoned atomic.Bool
	relay     relay

	mu    sync.Mutex // guards timer and over
	timer *time.Timer
	over  bool
}

// ended notes who ended a direction, if nobody did before, and whether by a reset. Where that is one of an application the
// other direction has to move from then on.
func (e *ending) ended(by Side, err error, application bool) {
	if errors.Is(err, net.ErrClosed) {
		by = SideProxy // only the owner closes
	}
	e.closedBy.CompareAndSwap(uint32(SideNone), uint32(by))
	if !cut(err) {
		return
	}
	e.cutBy.CompareAndSwap(uint32(SideNone), uint32(by))
	if application {
		e.await(e.relay.moved())
	}
}

// await aborts the relay when it has passed nothing on for a while.
func (e *ending) await(moved uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return
	}
	if e.timer != nil {
		e.timer.Stop()
	}
	e.timer = time.AfterFunc(goneFor, func() {
		if now := e.relay.moved(); now != moved {
			e.await(now)
			return
		}
		e.abandoned.Store(true)
		e.relay.abort()
	})
}

// stop ends the watch.
func (e *ending) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over = true; e.timer != nil {
		e.timer.Stop()
	}
}

// result is how the relay ended; err is the directions'. One that was aborted for a side that was gone has ended well.
func (e *ending) result(err error) Result {
	if e.abandoned.Load() {
		err = nil
	}
	return Result{Err: err, ClosedBy: Side(e.closedBy.Load()), CutBy: Side(e.cutBy.Load())}
}
