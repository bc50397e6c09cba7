package fault

import (
	"sync"
	"time"
)

// inbox is what a probe has seen and nobody has asked for yet. The first MaxSeen are kept.
type inbox[T any] struct {
	mu     sync.Mutex
	items  []T
	missed uint64
	more   chan struct{} // has room for one: something is there
}

func newInbox[T any]() *inbox[T] { return &inbox[T]{more: make(chan struct{}, 1)} }

func (b *inbox[T]) put(item T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) >= MaxSeen {
		b.missed++
		return
	}
	b.items = append(b.items, item)
	b.signal()
}

// signal must be called with the lock.
func (b *inbox[T]) signal() {
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// next takes the oldest, and waits up to timeout for one to come.
func (b *inbox[T]) next(timeout time.Duration) (T, bool) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		if item, ok := b.take(); ok {
			return item, true
		}
		select {
		case <-b.more:
		case <-timer.C:
			return b.take()
		}
	}
}

func (b *inbox[T]) take() (T, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var none T
	if len(b.items) == 0 {
		return none, false
	}
	item := b.items[0]
	b.items[0] = none
	b.items = b.items[1:]
	if len(b.items) > 0 {
		b.signal()
	}
	return item, true
}

// lost is how many were not kept.
func (b *inbox[T]) lost() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.missed
}
