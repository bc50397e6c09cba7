package dnswire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// Dialer is how upstream servers are reached.
type Dialer interface {
	// DialPacket makes a socket of its own, with a port that can't be guessed, that hears only addr.
	DialPacket(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
	// DialStream connects to addr.
	DialStream(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
}

// UpstreamConfig says whom to ask and how.
type UpstreamConfig struct {
	// Servers are preferred in order, while they answer.
	Servers []netip.AddrPort
	// Timeout is how long a server may take, Attempts how often all of them are asked; zero means 5 s and 2.
	Timeout  time.Duration
	Attempts int
	Dialer   Dialer
	// Local answers what the proxy knows by itself, such as the hosts file; nil knows nothing. It may read files.
	Local func(k Key) []netip.Addr
	// Mismatched counts datagrams that answer another question than the one that was asked: late ones, or forged; nil means
	// that nobody looks.
	Mismatched *atomic.Uint64
}

// Upstream asks upstream servers. It is safe for concurrent use and keeps nothing but how its servers do.
type Upstream struct {
	config  UpstreamConfig
	servers []*server
}

// The pace at which a question goes on to the next server while the one before is silent.
const (
	// nextServerAfter is for another server, sameServerAfter for the same one.
	nextServerAfter = 300 * time.Millisecond
	sameServerAfter = time.Second
	// maxParallel bounds the servers that work on one question.
	maxParallel = 2
)

// ErrNoServers says that there is no upstream server to ask.
var ErrNoServers = errors.New("resolv.conf names no name server")

// RcodeError says that no server gave an answer, and what they gave instead.
type RcodeError struct {
	Server netip.AddrPort
	Rcode  int
}

// Error names the server.
func (e *RcodeError) Error() string {
	return fmt.Sprintf("name server %s answered %s", e.Server, dns.RcodeToString[e.Rcode])
}

// NewUpstream makes an Upstream.
func NewUpstream(c UpstreamConfig) *Upstream {
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Attempts <= 0 {
		c.Attempts = 2
	}
	if c.Mismatched == nil {
		c.Mismatched = new(atomic.Uint64)
	}
	u := &Upstream{config: c}
	for _, addr := range c.Servers {
		u.servers = append(u.servers, &server{addr: addr})
	}
	return u
}

// Patience is how long a question may take in all, whatever the number of servers: two of them are asked at once.
func (u *Upstream) Patience() time.Duration {
	return time.Duration(u.config.Attempts) * u.config.Timeout
}

// outcome is what became of one server's turn.
type outcome struct {
	server  *server
	message *dns.Msg
	err     error
}

// Ask asks the servers, one after another, until one has an answer; a silent one is not waited for before the next is
// asked. No goroutine is left when it returns. The error is a *RcodeError where a server gave one.
func (u *Upstream) Ask(ctx context.Context, k Key) (*dns.Msg, netip.AddrPort, error) {
	if len(u.servers) == 0 {
		return nil, netip.AddrPort{}, ErrNoServers
	}
	ctx, cancel := context.WithCancel(ctx)
	r := race{upstream: u, key: k, order: rank(u.servers, time.Now()), ends: make(chan outcome, maxParallel)}
	defer r.wait()
	defer cancel()
	return r.run(ctx)
}

// race is one question on its way.
type race struct {
	upstream       *Upstream
	key            Key
	order          []*server
	started, under int
	ends           chan outcome
	failed         error
}

func (r *race) turns() int { return len(r.order) * r.upstream.config.Attempts }

// start asks the next server.
func (r *race) start(ctx context.Context) {
	s := r.order[r.started%len(r.order)]
	r.started++
	r.under++
	go func() {
		within, cancel := context.WithTimeout(ctx, r.upstream.config.Timeout)
		defer cancel()
		began := time.Now()
		m, err := r.upstream.exchange(within, s, r.key)
		if ctx.Err() == nil {
			s.note(time.Now(), time.Since(began), err)
		}
		r.ends <- outcome{s, m, err}
	}()
}

func (r *race) wait() {
	for ; r.under > 0; r.under-- {
		<-r.ends
	}
}

func (r *race) run(ctx context.Context) (*dns.Msg, netip.AddrPort, error) {
	pace := time.NewTimer(r.pause())
	defer pace.Stop()
	r.start(ctx)
	for {
		select {
		case o := <-r.ends:
			r.under--
			if o.err == nil {
				return o.message, o.server.addr, nil
			}
			r.blame(o)
			switch {
			case ctx.Err() != nil:
				return nil, netip.AddrPort{}, r.ended(ctx)
			case r.started < r.turns():
				r.start(ctx)
				pace.Reset(r.pause())
			case r.under == 0:
				return nil, netip.AddrPort{}, r.failed
			}
		case <-pace.C:
			if r.started < r.turns() && r.under < maxParallel {
				r.start(ctx)
			}
			pace.Reset(r.pause())
		case <-ctx.Done():
			return nil, netip.AddrPort{}, r.ended(ctx)
		}
	}
}

// blame remembers why a turn failed: a server's own word is worth more than silence.
func (r *race) blame(o outcome) {
	var said *RcodeError
	if errors.As(r.failed, &said) {
		return
	}
	r.failed = fmt.Errorf("name server %s: %w", o.server.addr, o.err)
	if errors.As(o.err, &said) {
		r.failed = said
	}
}

// ended says why there is no answer when nobody waits any longer: the servers have been too slow, unless ctx was cancelled.
func (r *race) ended(ctx context.Context) error {
	switch {
	case !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return context.Cause(ctx)
	case r.failed != nil:
		return r.failed
	}
	return fmt.Errorf("name server %s: %w", r.order[0].addr, errNoAnswer)
}

func (r *race) pause() time.Duration {
	if len(r.order) > 1 {
		return nextServerAfter
	}
	return sameServerAfter
}
