package dns

import (
	"net/netip"

	"github.com/asynkron/protoactor-go/actor"
	wire "github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// nameQuery is a name that another actor of the pod wants the addresses of, both families: SOCKS5 (spec/control.md §6.1).
// It is neither counted nor logged: the connection that it is for is.
type nameQuery struct {
	asker  *actor.PID
	header messages.Question
	name   string
	entry  trace.DNSQuery
	addrs  []netip.Addr
	due    int // replies that are awaited
	cached bool
	failed *messages.Failure
	over   bool
}

// resolveName begins a nameQuery.
func (r *resolver) resolveName(ctx actor.Context, m *messages.ResolveName) {
	if addr, err := netip.ParseAddr(m.Hostname); err == nil {
		ctx.Respond(&messages.NameResolved{
			Answer: kit.SystemOf(ctx).Answer(&m.Question, 0), Hostname: m.Hostname, Addrs: []netip.Addr{addr.Unmap()}, Cached: true,
		})
		return
	}
	r.begin(ctx, &nameQuery{asker: ctx.Sender(), header: m.Question, name: m.Hostname, cached: true})
}

func (q *nameQuery) log() *trace.DNSQuery { return &q.entry }

func (q *nameQuery) host() string { return messages.CanonicalHost(q.name) }

func (q *nameQuery) keys() []dnswire.Key {
	var keys []dnswire.Key
	for _, kind := range []uint16{wire.TypeA, wire.TypeAAAA} {
		if key, ok := dnswire.QuestionKey(q.host(), kind); ok {
			keys = append(keys, key)
		}
	}
	q.due = len(keys)
	return keys
}

func (q *nameQuery) found(ctx actor.Context, r *resolver, m *messages.HostFound) {
	q.addrs = addresses(nil, m, q.entry.Local, false)
	if r.config.IPv6 {
		q.addrs = append(q.addrs, addresses(nil, m, q.entry.Local, true)...)
	}
	q.respond(ctx)
}

func (q *nameQuery) forwarded(ctx actor.Context, r *resolver, m *forwarded) {
	q.cached = q.cached && m.cached
	for _, a := range m.reply.Addrs() {
		if a.Is4() || r.config.IPv6 {
			q.addrs = append(q.addrs, a)
		}
	}
	q.landed(ctx)
}

func (q *nameQuery) fail(ctx actor.Context, _ *resolver, f *messages.Failure) {
	q.failed = f
	q.landed(ctx)
}

// landed responds when nothing is awaited any more; one family that succeeds is enough.
func (q *nameQuery) landed(ctx actor.Context) {
	if q.due--; q.due <= 0 {
		q.respond(ctx)
	}
}

func (q *nameQuery) respond(ctx actor.Context) {
	if q.over || q.asker == nil {
		return
	}
	q.over = true
	a := &messages.NameResolved{Answer: kit.SystemOf(ctx).Answer(&q.header, 0), Hostname: q.name, Addrs: q.addrs, Cached: q.cached}
	if len(q.addrs) == 0 && q.failed != nil {
		a.Err = q.failed
	}
	ctx.Send(q.asker, a)
}
