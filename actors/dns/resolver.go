package dns

import (
	"net/netip"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// resolver answers the questions of one socket. One that it was asked a moment ago it answers by what it was told then.
//
//	state       message               next
//	–           Asked                 who asks: asks the workload store
//	who asks    LocalWorkloadFound    which service: asks the service store; or upstream; or answered
//	service     HostFound             answered; or upstream: asks the forwarder
//	upstream    forwarded             answered
//	any         Refused, TooLate      answered: SERVFAIL
type resolver struct {
	config    *Config
	forwarder *actor.PID
	// stores and forwards are the open questions, apart, so that silent name servers leave room for the mesh's names.
	stores, forwards kit.Asks
	queries          map[uint64]query
	client           messages.HostQuestion // without a name: as the pod means all names
	watch            domainWatch
	known            known
	series           series
	// Scratch:
	addrs []netip.Addr
	key   []byte
	quick wireQuery
}

func resolverSpec(c *Config, forwarder *actor.PID) kit.Spec {
	return kit.Spec{
		Role: RoleResolver, Capacity: 16384, Run: kit.CallerRuns(),
		New: func() actor.Actor {
			return &resolver{
				config: c, forwarder: forwarder, queries: map[uint64]query{},
				stores: kit.Asks{MaxOpen: maxWaiting}, forwards: kit.Asks{MaxOpen: maxForwarding},
			}
		},
	}
}

// Receive takes questions and the answers of those who are asked about them.
func (r *resolver) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *dnswire.Asked:
		r.asked(ctx, m)
	case *messages.ResolveName:
		r.resolveName(ctx, m)
	case *messages.LocalWorkloadFound:
		r.localWorkloadFound(ctx, m)
	case *messages.HostFound:
		r.hostFound(ctx, m)
	case *messages.HostsChanged:
		r.known.hostsChanged(m)
	case *forwarded:
		r.forwarded(ctx, m)
	case *messages.Refused:
		r.refused(ctx, m)
	case *kit.TooLate:
		r.tooLate(ctx, m)
	case *forgetKnown:
		r.known.end()
	case *messages.Drain, *actor.Stopping, *actor.Restarting:
		r.abandon(ctx)
	case *actor.Started:
	default:
		kit.Unknown(ctx)
	}
}

// asked answers a question by what is known, or begins to find out. A message that comes twice is one question.
func (r *resolver) asked(ctx actor.Context, a *dnswire.Asked) {
	m := a.Take()
	if m == nil {
		return
	}
	r.key = m.AppendKey(r.key[:0])
	if n := r.known.get(r.key, m.At); n != nil {
		r.answerKnown(ctx, m, n)
		return
	}
	q := &wireQuery{}
	q.begin(m)
	q.known = string(r.key)
	r.begin(ctx, q)
}

// answerKnown answers by what is known; only what name servers say may have to be asked for.
func (r *resolver) answerKnown(ctx actor.Context, m *dnswire.Request, n *knownName) {
	q := &r.quick
	q.begin(m)
	q.entry.Local, q.entry.Asked = n.local, n.meant
	switch age := m.At.Sub(n.from); {
	case n.found != nil && n.found.Service != nil:
		q.entry.Service = n.found.Service
		q.found(ctx, r, n.found)
	case n.reply != nil && age < n.reply.TTL:
		r.config.Limits.Hits.Add(1)
		q.entry.Forwarded, q.entry.Cached, q.entry.Server = true, true, n.reply.Server
		q.entry.ForwardedAt, q.entry.Answered = m.At, m.At
		q.forwarded(ctx, r, &forwarded{reply: n.reply, age: age, cached: true})
	default:
		slow := *q
		slow.known = string(r.key)
		r.forward(ctx, &slow)
	}
	r.quick = wireQuery{}
}

// begin asks who asks.
func (r *resolver) begin(ctx actor.Context, q query) {
	question := r.stores.Question(ctx, r.config.WorkloadWait+r.config.StageDeadline)
	r.queries[question.ID] = q
	ctx.Request(r.config.Workloads, &messages.FindLocalWorkload{
		Question: question, Info: r.config.Info, Wait: r.config.WorkloadWait,
	})
}

// taken is the query that an answer is for; nil when there is none any more.
func (r *resolver) taken(asks *kit.Asks, answer interface{ AnswerID() uint64 }) query {
	if !asks.Answered(answer) {
		return nil
	}
	return r.pop(answer.AnswerID())
}

func (r *resolver) pop(id uint64) query {
	q := r.queries[id]
	delete(r.queries, id)
	return q
}

func (r *resolver) localWorkloadFound(ctx actor.Context, m *messages.LocalWorkloadFound) {
	q := r.taken(&r.stores, m)
	if q == nil {
		return
	}
	q.log().Held = m.Held
	if m.Workload == nil {
		q.fail(ctx, r, messages.Fail(messages.ReasonWorkloadUnknown,
			"failed to fetch information about local workload: "+r.config.Info.String()))
		return
	}
	q.log().Local = m.Workload
	host := q.host()
	if host == "" {
		r.learn(ctx, q, nil)
		r.forward(ctx, q)
		return
	}
	question := r.stores.Question(ctx, r.config.StageDeadline)
	r.queries[question.ID] = q
	q.log().Asked = r.meant(host, m.Workload.Namespace)
	ctx.Request(r.config.Services, &messages.FindHost{
		Question: question, Preferred: r.config.Preferred, HostQuestion: q.log().Asked, Keep: true,
	})
}

// learn remembers what a question came to in the mesh; nil is that it is no business of the mesh's.
func (r *resolver) learn(ctx actor.Context, q query, found *messages.HostFound) {
	w, ok := q.(*wireQuery)
	if !ok {
		return
	}
	if r.known.put(w.known, &knownName{local: w.entry.Local, meant: w.entry.Asked, found: found}, time.Now()) {
		kit.After(ctx, knownFor, &forgetKnown{})
	}
}

// meant is a host name as a client of a namespace means it. The namespace hardly ever changes: it is the pod's.
func (r *resolver) meant(host, namespace string) messages.HostQuestion {
	if r.client.Namespace != namespace || r.client.Domain == "" {
		r.client = messages.HostQuestion{Namespace: namespace, Domain: r.config.Domain, Search: r.config.search(namespace)}
	}
	meant := r.client
	meant.Name = host
	return meant
}

func (r *resolver) hostFound(ctx actor.Context, m *messages.HostFound) {
	q := r.taken(&r.stores, m)
	if q == nil {
		return
	}
	q.log().Resolved = time.Now()
	if seen := r.watch.see(q.host(), r.config.Domain); seen != "" {
		r.config.Log.DNSDomainUnused(r.config.Domain, seen)
	}
	r.learn(ctx, q, m)
	if m.Service == nil {
		r.forward(ctx, q)
		return
	}
	q.log().Service = m.Service
	q.found(ctx, r, m)
}

// forward asks the forwarder: once for each kind of record that the query wants.
func (r *resolver) forward(ctx actor.Context, q query) {
	l := q.log()
	l.Forwarded, l.ForwardedAt = true, time.Now()
	for _, key := range q.keys() {
		question := r.forwards.Question(ctx, r.config.Upstream.Patience()+r.config.StageDeadline)
		r.queries[question.ID] = q
		ctx.Request(r.forwarder, &forward{Question: question, key: key})
	}
}

func (r *resolver) forwarded(ctx actor.Context, m *forwarded) {
	q := r.taken(&r.forwards, m)
	if q == nil {
		return
	}
	l := q.log()
	l.Answered, l.Cached, l.Shared = time.Now(), m.cached, m.shared
	if m.err != nil {
		q.fail(ctx, r, failure(m.err))
		return
	}
	l.Server = m.reply.Server
	if w, ok := q.(*wireQuery); ok {
		r.known.putReply(w.known, m, l.Answered)
	}
	q.forwarded(ctx, r, m)
}

// refused fails the query of a question that a store did not answer.
func (r *resolver) refused(ctx actor.Context, m *messages.Refused) {
	if q := r.taken(&r.stores, m); q != nil {
		q.fail(ctx, r, m.Refusal())
	}
}

func (r *resolver) tooLate(ctx actor.Context, m *kit.TooLate) {
	if q := r.pop(m.ID); q != nil {
		q.fail(ctx, r, messages.FailWith(messages.ReasonStoreTimeout, "dns: ", m.Err))
	}
}

// abandon fails what is under way: the proxy ends, or this actor does.
func (r *resolver) abandon(ctx actor.Context) {
	for id, q := range r.queries {
		delete(r.queries, id)
		q.fail(ctx, r, messages.Fail(messages.ReasonDrained, "dns: the proxy ends"))
	}
}
