package state

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

const (
	// maxNames bounds the names that are cached (spec/control.md §3.9).
	maxNames = 4096
	// maxResolving bounds the names that are being resolved, maxAskers those who wait for one of them.
	maxResolving, maxAskers = 256, 1024
	// ResolveTimeout is how long resolving one name may take.
	ResolveTimeout = 10 * time.Second
	// longestTTL bounds how long an answer is kept.
	longestTTL = 24 * time.Hour
)

// ErrOverloaded says that a name was not resolved because too many are being resolved.
var ErrOverloaded = errors.New("too many names are being resolved")

// names is the DNS cache: it keeps answers as long as they hold, and asks once for a name that several want.
type names struct {
	resolver  Resolver
	counters  *Counters
	version   uint64
	cache     *simplelru.LRU[string, resolved]
	resolving map[string][]asker
}

// resolved is the answer for one name; also the message with which a resolver's goroutine ends.
type resolved struct {
	host  string
	addrs []netip.Addr
	err   error
	until time.Time // zero: not to be kept
}

type asker struct {
	pid    *actor.PID
	header *messages.Question
}

// NameStore declares the DNS cache: the only owner of resolved names.
func NameStore(cfg Config) kit.Spec {
	return spec(RoleNames, cfg, func(cfg Config, _ *history) actor.Actor {
		return &names{resolver: cfg.Resolver, counters: cfg.Counters, resolving: map[string][]asker{}}
	})
}

// Receive takes questions and what resolvers found.
func (s *names) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.started()
	case *messages.ResolveName:
		s.resolve(ctx, m)
	case *resolved:
		s.found(ctx, m)
	default:
		kit.Unknown(ctx)
	}
}

func (s *names) started() {
	cache, err := simplelru.NewLRU[string, resolved](maxNames, nil)
	if err != nil {
		panic(err) // the size is not positive
	}
	s.cache = cache
}

func (s *names) resolve(ctx actor.Context, q *messages.ResolveName) {
	if r, ok := s.cache.Get(q.Hostname); ok {
		if time.Now().Before(r.until) {
			ctx.Respond(s.reply(&q.Question, &r, true))
			return
		}
		s.cache.Remove(q.Hostname)
	}
	askers, asked := s.resolving[q.Hostname]
	if len(askers) >= maxAskers || !asked && len(s.resolving) >= maxResolving {
		s.counters.NamesRefused.Add(1)
		ctx.Respond(s.reply(&q.Question, &resolved{host: q.Hostname, err: ErrOverloaded}, false))
		return
	}
	s.resolving[q.Hostname] = append(askers, asker{ctx.Sender(), &q.Question})
	if asked {
		return
	}
	resolver, host := s.resolver, q.Hostname
	kit.Go(ctx, func(ctx context.Context) any { return lookUp(ctx, resolver, host) })
}

// lookUp waits for a resolver, on a goroutine of its own.
func lookUp(ctx context.Context, r Resolver, host string) *resolved {
	ctx, cancel := context.WithTimeout(ctx, ResolveTimeout)
	defer cancel()
	addrs, ttl, err := r.Resolve(ctx, host)
	found := &resolved{host: host, addrs: addrs, err: err}
	var absent Absent
	switch {
	case errors.As(err, &absent):
		ttl = absent.AbsentFor()
	case err != nil:
		ttl = 0
	}
	if ttl = min(ttl, longestTTL); ttl > 0 {
		found.until = time.Now().Add(ttl)
	}
	return found
}

func (s *names) found(ctx actor.Context, r *resolved) {
	s.version++
	if !r.until.IsZero() && s.cache.Add(r.host, *r) {
		s.counters.NamesEvicted.Add(1)
	}
	askers := s.resolving[r.host]
	delete(s.resolving, r.host)
	for _, a := range askers {
		send(ctx, a.pid, s.reply(a.header, r, false))
	}
}

func (s *names) reply(q *messages.Question, r *resolved, cached bool) *messages.NameResolved {
	return &messages.NameResolved{
		Answer: answer(q, s.version), Hostname: r.host, Addrs: r.addrs, Err: r.err, Cached: cached,
	}
}
