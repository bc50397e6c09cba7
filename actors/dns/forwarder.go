package dns

import (
	"context"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// errOverloaded says that a bound refused a question.
var errOverloaded = errors.New("too many questions are under way")

// forward asks the forwarder what name servers say.
type forward struct {
	messages.Question
	key dnswire.Key
}

// forwarded answers forward: a reply, or an error.
type forwarded struct {
	messages.Answer
	reply *dnswire.Reply
	err   error
	// age is how old the reply is; cached says that no name server was asked, shared that another question had been.
	age            time.Duration
	cached, shared bool
}

// forwarder has the cache, and asks once for a name that several want.
type forwarder struct {
	config  *Config
	cache   *cache
	flights map[dnswire.Key]flight
	waiting int
}

// flight is a question that is with the name servers, and who waits for its end. One that should have ended long ago is made
// again: the news of its end may have got lost.
type flight struct {
	waiters []waiter
	until   time.Time
}

type waiter struct {
	pid    *actor.PID
	header messages.Question
}

// landed is the end of a question to the name servers.
type landed struct {
	key   dnswire.Key
	reply *dnswire.Reply
	err   error
}

func forwarderSpec(c *Config) kit.Spec {
	return kit.Spec{
		Role: RoleForwarder, Capacity: 16384, Run: kit.CallerRuns(),
		New: func() actor.Actor { return &forwarder{config: c, flights: map[dnswire.Key]flight{}} },
	}
}

// Receive takes questions and what became of those under way.
func (f *forwarder) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		f.cache = newCache(f.config.Limits)
	case *forward:
		f.forward(ctx, m)
	case *landed:
		f.landed(ctx, m)
	case *actor.Stopping, *actor.Restarting:
		f.cache.clear()
	default:
		kit.Unknown(ctx)
	}
}

func (f *forwarder) forward(ctx actor.Context, m *forward) {
	limits := f.config.Limits
	if reply, age := f.cache.get(m.key, time.Now()); reply != nil {
		limits.Hits.Add(1)
		ctx.Respond(&forwarded{Answer: f.answer(ctx, &m.Question), reply: reply, age: age, cached: true})
		return
	}
	limits.Misses.Add(1)
	one, flying := f.flights[m.key]
	if now := time.Now(); flying && now.After(one.until) {
		f.waiting -= len(one.waiters)
		delete(f.flights, m.key)
		one, flying = flight{}, false
	}
	if f.waiting >= maxForwarding || !flying && (len(f.flights) >= maxUnderWay || !limits.take()) {
		limits.Refused.Add(1)
		ctx.Respond(&forwarded{Answer: f.answer(ctx, &m.Question), err: errOverloaded})
		return
	}
	f.waiting++
	one.waiters = append(one.waiters, waiter{ctx.Sender(), m.Question})
	if !flying {
		one.until = time.Now().Add(2 * f.config.Upstream.Patience())
	}
	f.flights[m.key] = one
	if flying {
		limits.Shared.Add(1)
		return
	}
	upstream, key := f.config.Upstream, m.key
	kit.Go(ctx, func(ctx context.Context) any {
		defer limits.release()
		ctx, cancel := context.WithTimeout(ctx, upstream.Patience())
		defer cancel()
		reply, err := upstream.Resolve(ctx, key)
		return &landed{key: key, reply: reply, err: err}
	})
}

func (f *forwarder) landed(ctx actor.Context, m *landed) {
	if m.err == nil {
		f.cache.put(m.key, m.reply, time.Now())
	}
	waiters := f.flights[m.key].waiters
	delete(f.flights, m.key)
	f.waiting -= len(waiters)
	for i, w := range waiters {
		if w.pid == nil {
			continue
		}
		ctx.Send(w.pid, &forwarded{Answer: f.answer(ctx, &w.header), reply: m.reply, err: m.err, shared: i > 0})
	}
}

func (f *forwarder) answer(ctx actor.Context, q *messages.Question) messages.Answer {
	return kit.SystemOf(ctx).Answer(q, 0)
}
