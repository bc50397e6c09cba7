package kit

import (
	"sync"
	"sync/atomic"
)

// letter is a message in a mailbox.
type letter struct {
	next       *letter
	msg        any
	system     bool
	generation uint32 // of the incarnation that it is for; zero means whichever handles it
}

// envelopes are letters to be used again. They belong to a system: a pool of the package would outlive a test's bubble.
type envelopes struct{ pool sync.Pool }

func (e *envelopes) write(msg any, generation uint32) *letter {
	l, ok := e.pool.Get().(*letter)
	if !ok {
		l = new(letter)
	}
	l.msg, l.generation = msg, generation
	return l
}

// discard takes a letter that has been read; nobody may hold it any more.
func (e *envelopes) discard(l *letter) {
	*l = letter{}
	e.pool.Put(l)
}

// The marks say what a queue without letters is: nobody serves it, or it takes no letters any more. A nil head means
// that somebody serves it (or that it has not begun) and nothing has come since.
var (
	idle   letter
	closed letter
)

// queue takes letters from any goroutine and gives all of them at once to the one that serves it. The zero value is
// being served.
type queue struct {
	head atomic.Pointer[letter]
}

// push puts a letter in and returns idle when the pusher must now see to it that the queue is served, closed when the
// letter was not taken, nil otherwise.
func (q *queue) push(l *letter) *letter {
	for {
		old := q.head.Load()
		switch old {
		case &closed:
			return old
		case &idle:
			l.next = nil
		default:
			l.next = old
		}
		if q.head.CompareAndSwap(old, l) {
			if old == &idle {
				return old
			}
			return nil
		}
	}
}

// claim makes the caller the one that serves the queue, if nobody does.
func (q *queue) claim() bool { return q.head.Load() == &idle && q.head.CompareAndSwap(&idle, nil) }

// rest ends the serving, unless something has come.
func (q *queue) rest() bool { return q.head.CompareAndSwap(nil, &idle) }

// take moves the letters that have come to the fifos, in the order in which they came.
func (q *queue) take(systems, users *fifo) {
	if q.head.Load() == nil {
		return
	}
	sort(q.head.Swap(nil), systems, users)
}

// close ends the queue for good and moves what is in it to the fifos.
func (q *queue) close(systems, users *fifo) {
	sort(q.head.Swap(&closed), systems, users)
}

// sort turns a stack of letters, the latest on top, into two lists, the latest last.
func sort(stack *letter, systems, users *fifo) {
	var s, u fifo
	for l := stack; l != nil && l != &idle && l != &closed; {
		next := l.next
		list := &u
		if l.system {
			list = &s
		}
		l.next = list.first
		list.first = l
		if list.last == nil {
			list.last = l
		}
		l = next
	}
	systems.join(s)
	users.join(u)
}

// fifo is a list of letters of one goroutine.
type fifo struct {
	first, last *letter
}

func (f *fifo) join(g fifo) {
	if g.first == nil {
		return
	}
	if f.last == nil {
		*f = g
		return
	}
	f.last.next = g.first
	f.last = g.last
}

func (f *fifo) push(l *letter) { f.join(fifo{l, l}) }

func (f *fifo) pop() *letter {
	l := f.first
	if l == nil {
		return nil
	}
	f.first = l.next
	if f.first == nil {
		f.last = nil
	}
	l.next = nil
	return l
}
