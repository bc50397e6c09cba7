package fault

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

// The bounds of one Faults.
const (
	// MaxRules is how many rules may be in force; making one more panics.
	MaxRules = 256
	// MaxWaiting is how many messages may be held or delayed, and how many replies be about to be lost; faults beyond
	// are not injected, and counted.
	MaxWaiting = 1024
	// MaxInjections is how many injections are listed; later ones are only counted.
	MaxInjections = 4096
	// MaxSeen is how many messages and events a probe keeps; later ones are only counted.
	MaxSeen = 1024
)

// Faults are the faults of one node: pass it to one system, as kit.Config.Faults. Without rules it does nothing.
type Faults struct {
	seed   uint64
	start  time.Time
	system atomic.Pointer[kit.System]

	active  atomic.Int64 // what makes it worth to look at messages
	waiting atomic.Int64 // messages held or delayed
	rules   list[*Rule]
	probes  list[watcher]
	lives   list[*Life]
	losses  losses
	journal journal
	over    atomic.Bool
}

var (
	_ kit.FaultHook    = (*Faults)(nil)
	_ kit.FaultWatcher = (*Faults)(nil)
)

// New makes Faults whose chances are the same in each run.
func New() *Faults { return Seeded(0) }

// Seeded makes Faults that draw their chances from a seed. Each rule draws its own, so that what one rule selects does
// not depend on the messages that others see.
func Seeded(seed uint64) *Faults {
	f := &Faults{seed: seed, start: time.Now()}
	f.losses.init()
	return f
}

// Release ends all rules in force: what they hold or delay goes on, and nothing more is injected.
func (f *Faults) Release() {
	for _, r := range f.rules.all() {
		r.Release()
	}
}

// Serve belongs to kit.FaultWatcher. It panics when the Faults serve a system already: one is for one node; and when they
// were made outside the testing/synctest bubble of the system: whoever waits for them would stop its clock for ever.
func (f *Faults) Serve(s *kit.System) {
	if now := time.Now().Round(0); now.Before(f.start.Round(0).Add(-time.Hour)) { // a bubble's clock begins in the year 2000
		panic("fault: these Faults were made outside the testing/synctest bubble that their system is in; make them inside")
	}
	if !f.system.CompareAndSwap(nil, s) {
		panic("fault: these Faults serve another system; each node needs its own")
	}
}

// Idle belongs to kit.FaultWatcher.
func (f *Faults) Idle() bool { return f.active.Load() == 0 }

// delivery is a message on its way.
type delivery struct {
	to      kit.Target
	msg     any
	deliver func(msg any)
}

// Post belongs to kit.FaultHook.
func (f *Faults) Post(to kit.Target, msg any, deliver func(msg any)) {
	if f.over.Load() {
		deliver(msg)
		return
	}
	if f.losses.lose(to, msg) {
		return
	}
	d := delivery{to, msg, deliver}
	for _, r := range f.rules.all() {
		if r.way == nil {
			continue
		}
		if c := r.consider(to, msg); c != ignored && r.way(d, c == selected) {
			return
		}
	}
	deliver(msg)
}

// Handling belongs to kit.FaultHook.
func (f *Faults) Handling(to kit.Target, msg any) {
	if f.over.Load() {
		return
	}
	to.Sender = f.losses.asker(to.Sender)
	for _, p := range f.probes.all() {
		p.see(to, msg)
	}
	for _, r := range f.rules.all() {
		if r.handler != nil && r.consider(to, msg) == selected {
			r.handler(to, msg)
			return
		}
	}
}

// Starting belongs to kit.FaultWatcher.
func (f *Faults) Starting(who kit.Target, life uint32) {
	if life > 0 {
		for _, l := range f.lives.all() {
			l.restarted(who, life)
		}
	}
	if f.over.Load() {
		return
	}
	for _, r := range f.rules.all() {
		r.starting(who)
	}
}

// Stopped belongs to kit.FaultWatcher.
func (f *Faults) Stopped(who kit.Target) {
	for _, r := range f.rules.all() {
		r.forget(who.PID)
	}
	for _, l := range f.lives.all() {
		l.died(who)
	}
}

// Event belongs to kit.FaultWatcher.
func (f *Faults) Event(e kit.Event) {
	for _, l := range f.lives.all() {
		l.event(e)
	}
}

// Shutdown belongs to kit.FaultWatcher: the system has ended. What is still held is undelivered.
func (f *Faults) Shutdown() {
	f.over.Store(true)
	for _, r := range f.rules.all() {
		r.end(false)
	}
	f.losses.clear()
}

// Notes belongs to kit.FaultWatcher.
func (f *Faults) Notes(pid *actor.PID) []kit.FaultNote { return f.journal.take(pid) }

// work runs actors on a goroutine that is not the system's own.
func (f *Faults) work(do func()) {
	if s := f.system.Load(); s != nil {
		s.Work(do)
		return
	}
	do()
}

// list is read without a lock and changed as a whole.
type list[T comparable] struct {
	mu    sync.Mutex
	items atomic.Pointer[[]T]
}

func (l *list[T]) all() []T {
	if items := l.items.Load(); items != nil {
		return *items
	}
	return nil
}

// add puts an item at the end, unless there are limit already.
func (l *list[T]) add(item T, limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.all()
	if len(old) >= limit {
		return false
	}
	items := append(append(make([]T, 0, len(old)+1), old...), item)
	l.items.Store(&items)
	return true
}

// remove reports whether the item was there.
func (l *list[T]) remove(item T) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.all()
	items := make([]T, 0, len(old))
	for _, i := range old {
		if i != item {
			items = append(items, i)
		}
	}
	l.items.Store(&items)
	return len(items) < len(old)
}

// misuse stops a test that can't mean what it says.
func misuse(format string, args ...any) { panic("fault: " + fmt.Sprintf(format, args...)) }
