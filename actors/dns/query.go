package dns

import (
	"context"
	"errors"
	"os"

	"github.com/asynkron/protoactor-go/actor"
	wire "github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// query is something that is being resolved, and whom the result is for. A query that has its result ignores others.
type query interface {
	// host is the name to look for in the mesh; empty for what is no business of the mesh.
	host() string
	// keys are what to ask name servers for.
	keys() []dnswire.Key
	// log is what is told of it in the end.
	log() *trace.DNSQuery
	// found, forwarded and fail give the result.
	found(ctx actor.Context, r *resolver, m *messages.HostFound)
	forwarded(ctx actor.Context, r *resolver, m *forwarded)
	fail(ctx actor.Context, r *resolver, f *messages.Failure)
}

// wireQuery is a question that came by a socket.
type wireQuery struct {
	request *dnswire.Request
	entry   trace.DNSQuery
	key     [1]dnswire.Key
	// known is what it is known under.
	known string
}

// begin makes q the query of a request.
func (q *wireQuery) begin(m *dnswire.Request) {
	*q = wireQuery{request: m}
	q.entry.Start, q.entry.Question, q.entry.Protocol = m.At, m, m.Protocol()
}

func (q *wireQuery) log() *trace.DNSQuery { return &q.entry }

func (q *wireQuery) host() string {
	if q.request == nil || !q.request.IsAddress() {
		return ""
	}
	return q.request.Host()
}

func (q *wireQuery) keys() []dnswire.Key {
	q.key[0] = q.request.Key()
	return q.key[:]
}

// found answers for the mesh, as the authority. A service without addresses of the family has no records; its name exists.
func (q *wireQuery) found(_ actor.Context, r *resolver, m *messages.HostFound) {
	a := dnswire.Answer{TTL: answerTTL}
	ipv6 := q.request.WantsIPv6()
	unsupported := ipv6 && !r.config.IPv6 ||
		ipv6 && m.Service.IPFamilies == messages.FamiliesIPv4 || !ipv6 && m.Service.IPFamilies == messages.FamiliesIPv6
	if !unsupported {
		r.addrs = addresses(r.addrs[:0], m, q.entry.Local, ipv6)
		a.Addrs = r.addrs
	}
	switch {
	case unsupported:
		q.entry.Result = trace.DNSUnsupported
	case len(a.Addrs) == 0:
		q.entry.Result = trace.DNSNoRecords
	default:
		q.entry.Result = trace.DNSSuccess
	}
	a.Target = target(m)
	q.entry.Alias, q.entry.Addrs, q.entry.Endpoints = m.Alias.Name, a.Addrs, len(a.Addrs)
	out, _ := dnswire.AppendAnswer(q.request.Room(), &q.request.Query, a, q.request.UDP)
	q.send(r, out)
}

func (q *wireQuery) forwarded(_ actor.Context, r *resolver, m *forwarded) {
	q.entry.Result, q.entry.Rcode, q.entry.Endpoints = trace.DNSForwarded, m.reply.Rcode, m.reply.Answers
	q.entry.Addrs = m.reply.Addrs()
	if m.reply.Negative() {
		q.entry.Result = trace.DNSForwardFailed
		q.entry.Text = wire.RcodeToString[m.reply.Rcode]
		if m.reply.Rcode == wire.RcodeSuccess {
			q.entry.Text = "no records"
		}
	}
	q.send(r, m.reply.Append(q.request.Room(), &q.request.Query, m.age, q.request.UDP))
}

func (q *wireQuery) fail(_ actor.Context, r *resolver, f *messages.Failure) {
	if q.request == nil {
		return
	}
	q.entry.Failure, q.entry.Result, q.entry.Text, q.entry.Rcode = f, trace.DNSFailed, f.Text, rcode(f)
	if q.entry.Forwarded {
		q.entry.Result = trace.DNSForwardFailed
	}
	q.send(r, dnswire.AppendError(q.request.Room(), &q.request.Query, q.entry.Rcode))
}

// send tells of the query and answers it.
func (q *wireQuery) send(r *resolver, message []byte) {
	r.config.Telemetry.DNSAnswered(&q.entry, r.series.of(r.config.Telemetry, q))
	request := q.request
	q.request, q.entry.Question = nil, nil
	request.Send(message)
}

// failure says why there is no reply.
func failure(err error) *messages.Failure {
	var said *dnswire.RcodeError
	reason := messages.ReasonNameResolution
	switch {
	case errors.As(err, &said):
		reason = messages.DNSReason(said.Rcode)
	case errors.Is(err, errOverloaded):
		reason = messages.ReasonOverCapacity
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		reason = messages.ReasonTimedOut
	}
	return messages.FailWith(reason, "", err)
}

// rcode is what a client is told of a failure: the name server's own word, else SERVFAIL.
func rcode(f *messages.Failure) int {
	var said *dnswire.RcodeError
	if errors.As(f.Err, &said) {
		return said.Rcode & 15
	}
	return wire.RcodeServerFailure
}
