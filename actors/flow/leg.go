package flow

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow/failure"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/relay"
	"github.com/troupe-mesh/troupe/transport/socket"
)

var (
	// errCut says that the flow's owner ended the leg, errLeft that its client did.
	errCut  = errors.New("the flow was closed")
	errLeft = errors.New("the client left before the connection was set up")
)

func left() *messages.Failure { return messages.Fail(messages.ReasonCancelled, errLeft.Error()) }

// leg is the goroutine that brings up the second leg of a flow and then carries its bytes. It tells the tunnel actor
// what became of it, and closes both legs before it ends. cut may be called by the flow's other goroutines.
type leg struct {
	system   *kit.System
	flow     *actor.PID
	ctx      context.Context
	cancel   context.CancelCauseFunc
	counters *relay.Counters
	began    time.Time
	// opened is closed when the flow's statistics are built, where that happens only once it is established: bytes must
	// not be counted before. It is nil for all others.
	opened chan struct{}

	mu    sync.Mutex
	legs  []func() // how to abort each leg that is up
	isCut bool
}

func newLeg(t *tunnel, flow *actor.PID) *leg {
	ctx, cancel := context.WithCancelCause(context.Background())
	l := &leg{system: t.System, flow: flow, ctx: ctx, cancel: cancel, counters: &t.counters, began: time.Now()}
	switch {
	case t.entry.Conn != nil:
		conn := t.entry.Conn
		l.add(func() { _ = conn.Close() })
	case t.entry.Stream != nil:
	}
	return l
}

// add says how another leg is aborted; it reports false, and aborts it at once, when the flow was cut meanwhile.
func (l *leg) add(abort func()) bool {
	l.mu.Lock()
	cut := l.isCut
	if !cut {
		l.legs = append(l.legs, abort)
	}
	l.mu.Unlock()
	if cut {
		abort()
	}
	return !cut
}

// cut ends the leg from outside: what it waits for is cancelled and both connections are aborted. It may block, since
// the last words on a tunnel may have to wait for room.
func (l *leg) cut() {
	l.cancel(errCut) // once it carries bytes that means nothing any more, and does no harm
	l.mu.Lock()
	legs := l.legs
	l.legs, l.isCut = nil, true
	l.mu.Unlock()
	for _, abort := range legs {
		abort()
	}
}

// hasEnded reports whether nothing is left to abort.
func (l *leg) hasEnded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isCut
}

// done forgets how to abort: the leg has closed everything itself.
func (l *leg) done() {
	l.mu.Lock()
	l.legs, l.isCut = nil, true
	l.mu.Unlock()
	l.cancel(nil)
}

// carrying lets go of what was only needed to get here, so that an idle connection does not hold it.
func (l *leg) carrying() {
	l.cancel(nil)
	l.ctx = nil
}

// failed and finished are the leg's last words.
func (l *leg) failed(start time.Time, f *messages.Failure, keep bool) any {
	l.done()
	return &messages.EstablishFailed{DialStart: start, DialEnd: time.Now(), Failure: f, KeepTrace: keep}
}

func (l *leg) finished(r relay.Result) any {
	l.done()
	return &messages.Finished{Err: r.Err, ClosedBy: side(r.ClosedBy)}
}

// plainLeg dials the destination of an outbound plain TCP flow, without source preservation (spec/dataplane.md §2.8).
func (t *tunnel) plainLeg() func(*leg) any {
	conn, dst, network, socks := t.entry.Conn, t.request.Dial, t.Network, t.socks
	return func(l *leg) any {
		start := time.Now()
		upstream, err := network.Dial(l.ctx, dst, socket.DialOptions{})
		if err != nil {
			f := failure.Dial("io error: ", err)
			socks.failed(f)
			closeConn(conn)
			return l.failed(start, f, false)
		}
		return l.carryPlain(start, conn, upstream, socks)
	}
}

func (l *leg) carryPlain(start time.Time, downstream, upstream socket.Conn, socks socksAnswer) any {
	end := time.Now()
	if !l.add(func() { _ = upstream.Close() }) || !socks.succeeded() {
		closeConn(upstream)
		closeConn(downstream)
		return l.failed(start, left(), false)
	}
	l.system.Send(l.flow, &messages.Established{DialStart: start, DialEnd: end, At: end})
	l.carrying()
	return l.finished(relay.Plain(downstream, upstream, l.counters))
}

// hboneLeg opens a stream in a pooled tunnel and carries the client's bytes in it (spec/dataplane.md §2.9).
func (t *tunnel) hboneLeg(client *hbone.Client, headers []hbone.Header) func(*leg) any {
	conn, authority, socks := t.entry.Conn, t.request.Authority.String(), t.socks
	return func(l *leg) any {
		start := time.Now()
		stream, answer, f := l.open(client, authority, headers)
		keep := answer != nil && keeps(answer)
		if f != nil {
			socks.failed(f)
			closeConn(conn)
			return l.failed(start, f, keep)
		}
		return l.carryStream(start, conn, stream, answer, socks, messages.Identity{})
	}
}

// open sends a CONNECT and waits for its answer; the tunnel's settings bound the wait.
func (l *leg) open(client *hbone.Client, authority string, headers []hbone.Header) (*hbone.Stream, *hbone.Response, *messages.Failure) {
	stream, answer, err := client.Open(l.ctx, authority, headers)
	if err != nil {
		return nil, answer, openFailure(err)
	}
	if answer.Status != 200 {
		return nil, answer, refusal(answer.Status)
	}
	return stream, answer, nil
}

func (l *leg) carryStream(start time.Time, conn socket.Conn, stream *hbone.Stream, answer *hbone.Response, socks socksAnswer, peer messages.Identity) any {
	end := time.Now()
	if !l.add(func() { _ = stream.Close() }) || !socks.succeeded() {
		_ = stream.Close()
		closeConn(conn)
		return l.failed(start, left(), keeps(answer))
	}
	baggage, has := answer.Get("baggage")
	l.system.Send(l.flow, &messages.Established{
		DialStart: start, DialEnd: end, At: end, Baggage: baggage, HasBaggage: has, KeepTrace: keeps(answer), DstIdentity: peer,
	})
	if l.opened != nil {
		select {
		case <-l.opened:
		case <-l.ctx.Done():
		}
	}
	l.carrying()
	return l.finished(relay.Tunnel(conn, stream, relay.SideDownstream, l.counters))
}

// inboundLeg dials the application and answers the peer (spec/dataplane.md §4.9, §5).
func (t *tunnel) inboundLeg(headers []hbone.Header) func(*leg) any {
	in, conn, stream, network := t.inbound, t.entry.Conn, t.entry.Stream, t.Network
	options := socket.DialOptions{Source: t.dialSource()}
	preface := t.proxyHeader()
	return func(l *leg) any {
		start := time.Now()
		settled := l.heed(stream)
		app, err := network.Dial(l.ctx, in.Dial, options)
		settled()
		if err != nil {
			f := failure.Dial("connection failed: ", err)
			if errors.Is(context.Cause(l.ctx), errLeft) {
				f = left()
			}
			closeConn(conn) // a stream is refused by the tunnel actor, who knows whether spans are kept
			return l.failed(start, f, false)
		}
		if stream == nil {
			return l.carryPlain(start, conn, app, socksAnswer{})
		}
		return l.answer(start, app, stream, headers, preface)
	}
}

// heed gives a dial up when the peer leaves meanwhile. The function that it returns must be called after the dial.
func (l *leg) heed(request *hbone.ServerStream) (settled func()) {
	if request == nil {
		return func() {}
	}
	request.OnLeave(func() { l.cancel(errLeft) })
	return func() { request.OnLeave(nil) }
}

// answer sends the 200, writes what an application tunnel wants to be told first, and carries the stream.
func (l *leg) answer(start time.Time, app socket.Conn, request *hbone.ServerStream, headers []hbone.Header, preface []byte) any {
	end := time.Now()
	if !l.add(func() { _ = app.Close() }) {
		closeConn(app)
		return l.failed(start, messages.Fail(messages.ReasonCancelled, errCut.Error()), false)
	}
	stream, err := request.Accept(headers)
	if err != nil {
		closeConn(app)
		select {
		case <-request.Done():
			return l.failed(start, left(), false)
		default:
			return l.failed(start, messages.FailWith(messages.ReasonH2Failed, "h2 failed: ", err), false)
		}
	}
	l.add(func() { _ = stream.Close() })
	l.system.Send(l.flow, &messages.Established{DialStart: start, DialEnd: end, At: time.Now()})
	if len(preface) > 0 {
		if _, err := app.Write(preface); err != nil {
			_ = stream.Close()
			closeConn(app)
			return l.finished(relay.Result{Err: messages.FailWith(messages.ReasonRelayFailed, "send: ", err), ClosedBy: relay.SideUpstream})
		}
	}
	l.carrying()
	return l.finished(relay.Tunnel(app, stream, relay.SideUpstream, l.counters))
}

func closeConn(c io.Closer) {
	if c != nil {
		_ = c.Close()
	}
}
