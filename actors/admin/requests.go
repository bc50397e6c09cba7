package admin

import "sync"

// requests counts those that are being answered, so that the end of a server can wait for them.
type requests struct {
	mu     sync.Mutex
	idle   sync.Cond
	count  int
	closed bool
}

func newRequests() *requests {
	r := &requests{}
	r.idle.L = &r.mu
	return r
}

// enter counts a request in; it returns false when the server has ended.
func (r *requests) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.count++
	return true
}

func (r *requests) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count--
	if r.count == 0 {
		r.idle.Broadcast()
	}
}

// close lets nobody in any more and waits for those who are in.
func (r *requests) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for r.count > 0 {
		r.idle.Wait()
	}
}
