package state

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// passAgain is how long the workload store waits before it tells the service store everything again, since something got
// lost; passPatience is how long the service store may acknowledge nothing before it does.
const (
	passAgain    = 100 * time.Millisecond
	passPatience = 5 * time.Second
)

// passage is what the workload store has told the service store and has not heard of. A service store that was not told of
// an endpoint would go without it for ever.
type passage struct {
	// open are the numbers of the messages that are not acknowledged; heard counts those that were.
	open  map[uint64]struct{}
	heard uint64
	// watched says that somebody looks whether acknowledgements come, again that everything is told again soon.
	watched, again bool
}

// What the store sends itself: it is time to look, and to tell everything again.
type (
	unheard  struct{ heard uint64 }
	passAnew struct{}
)

// passEndpoints sends the service store a message and takes down that it must be acknowledged.
func (s *workloads) passEndpoints(ctx actor.Context, e *messages.UpdateEndpoints) {
	to := s.services()
	if to == nil {
		return
	}
	p := &s.passage
	s.history.passed++
	e.Delivery = s.history.passed
	p.open[e.Delivery] = struct{}{}
	ctx.Request(to, e)
	if !p.watched {
		p.watched = true
		kit.After(ctx, passPatience, &unheard{p.heard})
	}
}

// passed takes an acknowledgement. They come in the order of the messages: what was sent before and is still open is lost.
func (s *workloads) passed(ctx actor.Context, m *messages.Applied) {
	p := &s.passage
	if _, ok := p.open[m.Delivery]; !ok {
		return // of an earlier life, or given up
	}
	delete(p.open, m.Delivery)
	p.heard++
	for number := range p.open {
		if number < m.Delivery {
			s.passAnewSoon(ctx)
			return
		}
	}
}

// undelivered forgets what the service store crashed over: it says itself that it must be told everything.
func (s *workloads) undelivered(m *kit.Undelivered) {
	if e, ok := m.Message.(*messages.UpdateEndpoints); ok {
		delete(s.passage.open, e.Delivery)
	}
}

// unheard looks whether the service store says anything.
func (s *workloads) unheard(ctx actor.Context, m *unheard) {
	p := &s.passage
	p.watched = false
	if len(p.open) == 0 {
		return
	}
	if p.heard == m.heard {
		s.passAnewSoon(ctx)
		return
	}
	p.watched = true
	kit.After(ctx, passPatience, &unheard{p.heard})
}

func (s *workloads) passAnewSoon(ctx actor.Context) {
	clear(s.passage.open)
	if !s.passage.again {
		s.passage.again = true
		kit.After(ctx, passAgain, &passAnew{})
	}
}

func (s *workloads) passAnew(ctx actor.Context) {
	s.passage.again = false
	s.servicesLost(ctx)
}
