package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// tooMany is how many deliveries at one instant are a loop.
const tooMany = 100_000

// Director delivers the messages of all nodes, one at a time.
type Director struct {
	random  *rand.Rand
	history *History
	start   time.Time
	wake    chan struct{}
	// delivered is told every message just before it is delivered.
	delivered func(node string, m kit.Delivery)

	mu      sync.Mutex
	fresh   []*pending // posted since everything was quiet
	queues  map[string]*queue
	waiting []string // the queues that are not empty, sorted
	cause   string   // whom the last delivery was for
}

// pending is a message that waits.
type pending struct {
	kit.Delivery
	node, cause, kind string
	goroutine, number uint64
}

// queue is what waits for one actor. What the library says may overtake what others say, as in a mailbox.
type queue struct{ all []*pending }

// NewDirector makes a director that chooses by a seed.
func NewDirector(seed uint64) *Director {
	return &Director{
		random: rand.New(rand.NewPCG(seed, chooses)), history: &History{}, start: time.Now(), cause: outside,
		wake: make(chan struct{}, 1), queues: map[string]*queue{}, delivered: func(string, kit.Delivery) {},
	}
}

// Of is the director as the scheduler of a node.
func (d *Director) Of(node string) kit.Scheduler { return part{d, node} }

type part struct {
	director *Director
	node     string
}

// Post takes a message.
func (p part) Post(m kit.Delivery) {
	d := p.director
	one := &pending{Delivery: m, node: p.node, kind: strings.TrimPrefix(fmt.Sprintf("%T", m.Message), "*"), goroutine: goroutine()}
	d.mu.Lock()
	one.number, one.cause = uint64(len(d.fresh)), d.cause
	d.fresh = append(d.fresh, one)
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (p *pending) target() string { return p.node + "/" + p.To.PID.Id }

// Drive delivers until done is closed and nothing waits any more. Only it may wait for quiet meanwhile.
func (d *Director) Drive(done <-chan struct{}) {
	last, n := time.Time{}, 0
	for {
		synctest.Wait()
		if d.step() {
			if now := time.Now(); now.Equal(last) {
				n++
			} else {
				last, n = now, 0
			}
			if n > tooMany {
				panic("sim: the actors send to each other without end:\n" + d.history.Diagram(40))
			}
			continue
		}
		d.mu.Lock()
		d.cause = outside
		d.mu.Unlock()
		select {
		case <-d.wake:
		case <-done:
			synctest.Wait()
			if !d.idle() {
				continue
			}
			return
		}
	}
}

func (d *Director) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.fresh)+len(d.waiting) == 0
}

// step delivers one message; it returns false when none waits.
func (d *Director) step() bool {
	one := d.choose()
	if one == nil {
		return false
	}
	d.history.add(Event{
		At: time.Since(d.start), From: one.cause, To: one.target(), Message: one.kind,
	})
	d.delivered(one.node, one.Delivery)
	one.Deliver()
	return true
}

func (d *Director) choose() *pending {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.file()
	if len(d.waiting) == 0 {
		return nil
	}
	at := d.random.IntN(len(d.waiting))
	name := d.waiting[at]
	q := d.queues[name]
	one := q.take(d.random)
	if len(q.all) == 0 {
		delete(d.queues, name)
		d.waiting = slices.Delete(d.waiting, at, at+1)
	}
	d.cause = name
	return one
}

// file puts what is fresh in its queues. What one goroutine posted stays in order; of several, none of which can have
// waited for another, the order is that of what they say.
func (d *Director) file() {
	says := map[uint64]string{}
	for _, p := range d.fresh {
		says[p.goroutine] += p.target() + " " + p.kind + "\n"
	}
	slices.SortStableFunc(d.fresh, func(a, b *pending) int {
		return cmp.Or(cmp.Compare(says[a.goroutine], says[b.goroutine]), cmp.Compare(a.goroutine, b.goroutine), cmp.Compare(a.number, b.number))
	})
	for _, p := range d.fresh {
		name := p.target()
		q := d.queues[name]
		if q == nil {
			q = &queue{}
			d.queues[name] = q
			at, _ := slices.BinarySearch(d.waiting, name)
			d.waiting = slices.Insert(d.waiting, at, name)
		}
		q.all = append(q.all, p)
	}
	d.fresh = d.fresh[:0]
}

// take takes the first message, or the first of the library's if the seed says so.
func (q *queue) take(random *rand.Rand) *pending {
	at := 0
	system := slices.IndexFunc(q.all, func(p *pending) bool { return p.System })
	if system > 0 && random.IntN(2) == 0 {
		at = system
	}
	one := q.all[at]
	q.all = slices.Delete(q.all, at, at+1)
	return one
}

// goroutine is the number of the calling goroutine.
func goroutine() uint64 {
	var buf [64]byte
	text := strings.TrimPrefix(string(buf[:runtime.Stack(buf[:], false)]), "goroutine ")
	digits, _, _ := strings.Cut(text, " ")
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("sim: the stack begins with %q", text))
	}
	return n
}
