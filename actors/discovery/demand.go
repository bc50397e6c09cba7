package discovery

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/xds"
)

const (
	// maxDemands bounds the names that are looked up at a time, maxAskers who waits for them.
	maxDemands, maxAskers = 1024, 8192
	// demandWait is how long a look-up may last where the asker says nothing, longestDemand at all.
	demandWait, longestDemand = 5 * time.Second, time.Minute
	// absentFor is how long what is not there is not asked for again, of maxAbsent names.
	absentFor, maxAbsent = time.Second, 4096
)

// demands are the look-ups at the control plane. A name is subscribed to and, unless the resource itself has that name and
// is there, unsubscribed from when the look-up ends: istiod answers a name that is new to it only (spec/control.md §2.8).
type demands struct {
	byName map[string]*demand
	askers int
	// absent are the names that were not there, until when.
	absent map[string]int64
	// anchor is the held workload that unsubscribing asks for again.
	anchor string
}

// demand is the look-up of one name.
type demand struct {
	askers []asker
	// subscribed says that the open stream was told.
	subscribed bool
}

type asker struct {
	pid   *actor.PID
	q     *messages.DemandResource
	since int64
	timer *kit.Timer
}

// demandDue says that an asker has waited for as long as it would.
type demandDue struct {
	name string
	id   uint64
	pid  *actor.PID
}

func newDemands() demands { return demands{byName: map[string]*demand{}, absent: map[string]int64{}} }

// interrupt is the end of the stream: names must be told to the next.
func (s *demands) interrupt() {
	for _, d := range s.byName {
		d.subscribed = false
	}
}

// resume are the names that a new stream must be told.
func (s *demands) resume() []string {
	var names []string
	for name, d := range s.byName {
		d.subscribed = true
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// isAbsent reports whether the name was not there a moment ago.
func (s *demands) isAbsent(name string, now int64) bool {
	until, ok := s.absent[name]
	if ok && until <= now {
		delete(s.absent, name)
		return false
	}
	return ok
}

func (s *demands) noteAbsent(name string, now int64) {
	if len(s.absent) >= maxAbsent {
		clear(s.absent) // they are asked for again, which is no harm
	}
	s.absent[name] = now + int64(absentFor)
}

// demandResource looks a name up, or joins those who wait for it.
func (d *discovery) demandResource(ctx actor.Context, q *messages.DemandResource) {
	c := d.control
	if c == nil || !c.OnDemand {
		ctx.Respond(&messages.ResourceDemanded{Answer: d.answer(ctx, q), Name: q.Name, Outcome: messages.DemandUnsupported})
		return
	}
	now := kit.SystemOf(ctx).Nanos()
	one := asker{pid: ctx.Sender(), q: q, since: now}
	known := c.demands.byName[q.Name]
	switch {
	case d.memory.ledger.Holds(xds.Addresses, q.Name) && c.batch == nil:
		d.tell(ctx, one, messages.DemandArrived)
		return
	case c.demands.isAbsent(q.Name, now):
		d.tell(ctx, one, messages.DemandAbsent)
		return
	case c.demands.askers >= maxAskers, known == nil && len(c.demands.byName) >= maxDemands:
		d.tell(ctx, one, messages.DemandRefused)
		return
	}
	wait := q.Wait
	if wait <= 0 {
		wait = demandWait
	}
	one.timer = kit.After(ctx, min(wait, longestDemand), &demandDue{q.Name, q.ID, one.pid})
	c.demands.askers++
	if known != nil {
		known.askers = append(known.askers, one)
		return
	}
	known = &demand{askers: []asker{one}, subscribed: c.stream != nil}
	c.demands.byName[q.Name] = known
	if known.subscribed {
		d.send(ctx, c.session.Subscribe(q.Name))
	}
}

// demandDue tells an asker that it was too late; the last who goes ends the look-up.
func (d *discovery) demandDue(ctx actor.Context, m *demandDue) {
	c := d.control
	known := c.demands.byName[m.name]
	if known == nil {
		return
	}
	at := slices.IndexFunc(known.askers, func(a asker) bool { return a.q.ID == m.id && a.pid == m.pid })
	if at < 0 {
		return
	}
	one := known.askers[at]
	known.askers = slices.Delete(known.askers, at, at+1)
	c.demands.askers--
	d.tell(ctx, one, messages.DemandLate)
	if len(known.askers) == 0 {
		delete(c.demands.byName, m.name)
		if known.subscribed {
			d.unsubscribe(ctx, m.name)
		}
	}
}

// meet wakes those whose resource is in a batch that the stores have taken in.
func (d *discovery) meet(ctx actor.Context, b *xds.Batch) {
	c := d.control
	if !c.OnDemand || b.Kind != xds.Addresses {
		return
	}
	for i := range b.Items {
		item := &b.Items[i]
		d.end(ctx, item.Name, messages.DemandArrived, false)
		delete(c.demands.absent, item.Name)
		for _, alias := range item.Aliases {
			delete(c.demands.absent, alias)
			d.end(ctx, alias, messages.DemandArrived, alias != item.Name)
		}
	}
	for i := range b.Rejected {
		for _, name := range append([]string{b.Rejected[i].Name}, b.Rejected[i].Aliases...) {
			d.end(ctx, name, messages.DemandAbsent, true)
		}
	}
	now := kit.SystemOf(ctx).Nanos()
	for _, name := range b.Removed {
		c.demands.noteAbsent(name, now)
		d.end(ctx, name, messages.DemandAbsent, false)
	}
	// They were asked for now or earlier, and may come again on another node: then they are asked for anew.
	for names := range slices.Chunk(b.Removed, chunk) {
		d.unsubscribe(ctx, names...)
	}
}

// end ends the look-up of a name, if there is one.
func (d *discovery) end(ctx actor.Context, name string, outcome messages.DemandOutcome, unsubscribe bool) {
	c := d.control
	known := c.demands.byName[name]
	if known == nil {
		return
	}
	delete(c.demands.byName, name)
	c.demands.askers -= len(known.askers)
	for _, one := range known.askers {
		d.tell(ctx, one, outcome)
	}
	if unsubscribe && known.subscribed {
		d.unsubscribe(ctx, name)
	}
}

func (d *discovery) unsubscribe(ctx actor.Context, names ...string) {
	if c := d.control; c.stream != nil {
		d.send(ctx, c.session.Unsubscribe(d.anchor(names), names...))
	}
}

// anchor is a name that stays subscribed to while names do not: a workload, whose answer is the shortest, or else anything
// that is held or looked up. It is kept for as long as it is held.
func (d *discovery) anchor(names []string) string {
	s := &d.control.demands
	stays := func(name string) bool { return !slices.Contains(names, name) }
	if s.anchor != "" && stays(s.anchor) && d.memory.ledger.Holds(xds.Addresses, s.anchor) {
		return s.anchor
	}
	s.anchor = d.memory.ledger.First(xds.Addresses, func(name string) bool {
		return stays(name) && d.memory.workloads.has(d.memory.keyOf(name))
	})
	if s.anchor != "" {
		return s.anchor
	}
	if service := d.memory.ledger.First(xds.Addresses, stays); service != "" {
		return service
	}
	first := ""
	for name := range s.byName {
		if stays(name) && (first == "" || name < first) {
			first = name
		}
	}
	return first
}

// tell answers an asker.
func (d *discovery) tell(ctx actor.Context, a asker, outcome messages.DemandOutcome) {
	d.control.Counters.Demands[outcome].Add(1)
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.pid == nil {
		return
	}
	now := kit.SystemOf(ctx).Nanos()
	ctx.Send(a.pid, &messages.ResourceDemanded{
		Answer: d.answer(ctx, a.q), Name: a.q.Name, Outcome: outcome, Held: time.Duration(now - a.since),
	})
}

func (d *discovery) answer(ctx actor.Context, q *messages.DemandResource) messages.Answer {
	return kit.SystemOf(ctx).Answer(&q.Question, d.memory.numbered)
}
