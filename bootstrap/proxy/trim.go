package proxy

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// After a storm of new connections much memory is held by nobody: garbage that no collection has looked for since, and
// stacks that were deep once. The collector would come for it within minutes; a node full of idle connections shall not
// look big for so long.
const (
	// trimEvery is how often it is looked at, trimPause how long at least between two trims.
	trimEvery = 3 * time.Second
	// trimAfter is how many looks in a row have to find no collection.
	trimAfter = 2
	trimPause = 30 * time.Second
	// trimLeast is how many bytes must be to be had, and trimShare which part of what is in use.
	trimLeast = 16 << 20
	trimShare = 0.25
)

// usage is what the runtime holds, in bytes, and how often it has collected.
type usage struct {
	cycles, objects, live, idle, stacks uint64
}

// trimmer gives memory back to the system when nothing is going on.
type trimmer struct {
	read   func() usage
	trim   func()
	cycles uint64
	quiet  int // looks in a row without a collection
	last   time.Time
}

func newTrimmer() *trimmer { return &trimmer{read: readUsage, trim: giveBack} }

func readUsage() usage {
	var u usage
	var free, unused uint64
	places := [...]struct {
		name  string
		value *uint64
	}{
		{"/gc/cycles/total:gc-cycles", &u.cycles},
		{"/memory/classes/heap/objects:bytes", &u.objects},
		{"/gc/heap/live:bytes", &u.live},
		{"/memory/classes/heap/free:bytes", &free},
		{"/memory/classes/heap/unused:bytes", &unused},
		{"/memory/classes/heap/stacks:bytes", &u.stacks},
	}
	samples := make([]metrics.Sample, len(places))
	for i, p := range places {
		samples[i].Name = p.name
	}
	metrics.Read(samples)
	for i, p := range places {
		if v := samples[i].Value; v.Kind() == metrics.KindUint64 {
			*p.value = v.Uint64()
		}
	}
	u.idle = free + unused
	return u
}

// giveBack collects twice, since each collection halves a stack that has become too big, and frees what is left over.
func giveBack() {
	runtime.GC()
	debug.FreeOSMemory()
}

// look trims when there was no collection since the look before the last, which means that little was allocated and that
// connections have gone idle (relay.Carrier), and much is held by nobody.
func (t *trimmer) look(now time.Time) {
	u := t.read()
	if t.cycles != u.cycles {
		t.cycles, t.quiet = u.cycles, 0
	} else {
		t.quiet++
	}
	if t.quiet < trimAfter || !t.last.IsZero() && now.Sub(t.last) < trimPause || !u.worthTrimming() {
		return
	}
	t.trim()
	t.last = now
	t.cycles, t.quiet = t.read().cycles, 0
}

// worthTrimming reports whether a trim brings enough: what objects hold beyond what was live, what is free or unused, and
// half of the stacks.
func (u usage) worthTrimming() bool {
	gain := u.objects - min(u.objects, u.live) + u.idle + u.stacks/2
	return gain >= trimLeast && float64(gain) >= trimShare*float64(u.live+u.stacks)
}

// run looks again and again until ctx ends.
func (t *trimmer) run(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			t.look(now)
		case <-ctx.Done():
			return
		}
	}
}
