package relay

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// pipeSize is what one splice moves at most. The kernel may grant less.
	pipeSize = 1 << 20
	// maxPipes bounds the pipes that relays hold at the same time, of two descriptors each. A relay without a pipe
	// reads and writes.
	maxPipes = 1024
	// maxIdlePipes bounds those that wait for a next use.
	maxIdlePipes = 16
)

// pipe is what splice moves bytes through.
type pipe struct {
	read, write int
	held        int // bytes inside
}

// pipePool lends pipes while bytes move.
type pipePool struct {
	mu      sync.Mutex
	idle    []*pipe
	lent    int
	limit   int // of lent
	refused atomic.Uint64
}

var pipes = pipePool{limit: maxPipes}

// PipesRefused counts how often a relay went without splice because too many pipes were in use or the process has
// no descriptors left.
func PipesRefused() uint64 { return pipes.refused.Load() }

// take lends a pipe; nil if there is none to be had.
func (p *pipePool) take() *pipe {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		q := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.lent++
		return q
	}
	if p.lent >= p.limit {
		p.refused.Add(1)
		return nil
	}
	q, err := newPipe()
	if err != nil {
		p.refused.Add(1)
		return nil
	}
	p.lent++
	return q
}

// put takes a pipe back. One with bytes left inside can't be used again.
func (p *pipePool) put(q *pipe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lent--
	if q.held == 0 && len(p.idle) < maxIdlePipes {
		p.idle = append(p.idle, q)
		return
	}
	q.close()
}

func newPipe() (*pipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	// Unprivileged users have a budget for large pipes; a small one works as well.
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeSize)
	return &pipe{read: fds[0], write: fds[1]}, nil
}

func (q *pipe) close() {
	_ = unix.Close(q.read)
	_ = unix.Close(q.write)
}
