package state

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// zone is a resolver for tests: it takes a second, and counts.
type zone struct {
	answer func(host string) ([]netip.Addr, time.Duration, error)
	asked  map[string]int // only touched by one resolving goroutine at a time
	slow   time.Duration
}

func (z *zone) Resolve(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	if z.asked != nil {
		z.asked[host]++
	}
	select {
	case <-time.After(z.slow):
		return z.answer(host)
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
}

type nowhere struct{ ttl time.Duration }

func (nowhere) Error() string              { return "no such name" }
func (n nowhere) AbsentFor() time.Duration { return n.ttl }

func name(host string) *messages.ResolveName {
	return &messages.ResolveName{Question: messages.Question{ID: 5}, Hostname: host}
}

func TestResolveName(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		z := &zone{asked: map[string]int{}, slow: time.Second, answer: func(string) ([]netip.Addr, time.Duration, error) {
			return []netip.Addr{ip("10.0.0.1")}, 30 * time.Second, nil
		}}
		store := s.spawn(NameStore(Config{Resolver: z}), RoleNames)
		s.ask(store, name("a.com"))
		s.ask(store, name("a.com"))
		s.quiet()
		for range 2 { // both from one look-up
			if a := hears[*messages.NameResolved](s); a.ID != 5 || a.Hostname != "a.com" || len(a.Addrs) != 1 || a.Cached || a.Err != nil {
				t.Errorf("answer %+v", a)
			}
		}
		<-time.After(29 * time.Second)
		s.ask(store, name("a.com"))
		if a := hears[*messages.NameResolved](s); !a.Cached {
			t.Errorf("answer %+v, want it from the cache", a)
		}
		if z.asked["a.com"] != 1 {
			t.Errorf("asked %d times, want once", z.asked["a.com"])
		}
		<-time.After(time.Second)
		s.ask(store, name("a.com"))
		if a := hears[*messages.NameResolved](s); a.Cached || z.asked["a.com"] != 2 {
			t.Errorf("answer %+v, asked %d times; want it anew", a, z.asked["a.com"])
		}
	})
}

func TestNamesThatDoNotResolve(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		name   string
		err    error
		cached bool
	}{
		{"absent for a while", nowhere{10 * time.Second}, true},
		{"absent, wrapped", fmt.Errorf("resolve: %w", nowhere{10 * time.Second}), true},
		{"absent for no time", nowhere{}, false},
		{"a broken resolver", broken, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onStage(t, kit.Config{}, func(s *stage) {
				store := s.spawn(NameStore(Config{Resolver: &zone{answer: func(string) ([]netip.Addr, time.Duration, error) {
					return nil, time.Hour, tc.err
				}}}), RoleNames)
				for i, cached := range []bool{false, tc.cached} {
					s.ask(store, name("a.com"))
					if a := hears[*messages.NameResolved](s); !errors.Is(a.Err, tc.err) || a.Cached != cached {
						t.Errorf("answer %d: %+v, want cached %v", i, a, cached)
					}
				}
			})
		})
	}
}

func TestResolvingHasADeadline(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		store := s.spawn(NameStore(Config{Resolver: &zone{slow: time.Hour}}), RoleNames)
		start := time.Now()
		s.ask(store, name("a.com"))
		if a := hears[*messages.NameResolved](s); !errors.Is(a.Err, context.DeadlineExceeded) || time.Since(start) != ResolveTimeout {
			t.Errorf("answer %+v after %v", a, time.Since(start))
		}
	})
}

func TestResolvingIsBounded(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		counters := new(Counters)
		store := s.spawn(NameStore(Config{Resolver: &zone{slow: time.Hour}, Counters: counters}), RoleNames)
		for i := range maxResolving {
			s.ask(store, name(fmt.Sprintf("%d.com", i)))
		}
		s.quiet()
		s.ask(store, name("one-too-many.com"))
		if a := hears[*messages.NameResolved](s); !errors.Is(a.Err, ErrOverloaded) {
			t.Errorf("answer %+v", a)
		}
		for range maxAskers - 1 {
			s.ask(store, name("0.com"))
		}
		s.quiet()
		s.ask(store, name("0.com"))
		if a := hears[*messages.NameResolved](s); !errors.Is(a.Err, ErrOverloaded) || counters.NamesRefused.Load() != 2 {
			t.Errorf("answer %+v, %d counted", a, counters.NamesRefused.Load())
		}
	})
}

func TestNamesAreBounded(t *testing.T) {
	onStage(t, kit.Config{}, func(s *stage) {
		counters := new(Counters)
		store := s.spawn(NameStore(Config{Counters: counters, Resolver: &zone{answer: func(string) ([]netip.Addr, time.Duration, error) {
			return []netip.Addr{ip("10.0.0.1")}, time.Hour, nil
		}}}), RoleNames)
		for i := range maxNames + 10 {
			s.ask(store, name(fmt.Sprintf("%d.com", i)))
			hears[*messages.NameResolved](s)
		}
		if n := counters.NamesEvicted.Load(); n != 10 {
			t.Errorf("%d evicted, want 10", n)
		}
	})
}
