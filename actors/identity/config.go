package identity

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

// Errors of fetches. The first has the reference's wording.
var (
	ErrForgotten         = errors.New("the identity is no longer needed")
	ErrTooManyIdentities = errors.New("too many identities are held: no room for another")
	ErrTooManyWaiters    = errors.New("too many connections wait for certificates")
	ErrStopped           = errors.New("the certificates actor stopped")
)

// Config is what the certificates actor needs. Signer is required; zero values of the rest mean the defaults.
type Config struct {
	Signer Signer
	// Concurrency is how many attempts run at a time; 8.
	Concurrency int
	// Deadline is how long one attempt may take; 30 s.
	Deadline time.Duration
	// CheckIdentity refuses a certificate for somebody else than was asked for (shared mode, spec/control.md §5.3).
	CheckIdentity bool
	// MaxIdentities bounds the identities held, MaxWaiters the fetches that wait; 8,192 and 65,536.
	MaxIdentities, MaxWaiters int
	// Now is the clock; time.Now. Random gives numbers in [0, 1) for jitter; that of math/rand/v2.
	Now    func() time.Time
	Random func() float64
	// Log takes the lines of failed attempts; nil for none.
	Log *logs.Logger
	// Observe is told the end of each attempt, in the actor: it must not block. It returns the trace of it, or none. Nil is
	// for nobody.
	Observe func(trace.Signed) (messages.TraceID, messages.SpanID)
}

func (c Config) normalized() Config {
	if c.Signer == nil {
		panic("identity: Config.Signer is nil")
	}
	for _, n := range []struct {
		value    *int
		fallback int
		name     string
	}{
		{&c.Concurrency, 8, "Concurrency"}, {&c.MaxIdentities, 8192, "MaxIdentities"}, {&c.MaxWaiters, 65536, "MaxWaiters"},
	} {
		if *n.value == 0 {
			*n.value = n.fallback
		}
		if *n.value < 0 {
			panic(fmt.Sprintf("identity: Config.%s is %d", n.name, *n.value))
		}
	}
	if c.Deadline <= 0 {
		c.Deadline = 30 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Log == nil {
		c.Log = logs.Discard().Scope("ztunnel::identity::manager")
	}
	if c.Observe == nil {
		c.Observe = func(trace.Signed) (id messages.TraceID, span messages.SpanID) { return id, span }
	}
	return c
}
