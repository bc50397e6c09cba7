package flow

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-mesh/troupe/actors/flow/failure"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/relay"
	"github.com/troupe-mesh/troupe/transport/socket"
)

var (
	// errCut says that the flow's owner ended the leg, errLeft that its client did.
	errCut  = errors.New("the flow was closed")
	errLeft = errors.New("the client left before the connection was set up")
)

func left() *messages.Failure { return messages.Fail(messages.ReasonCancelled, errLeft.Error()) }

// gone is why a request ended before it was answered: its tunnel was cut for a reason of ours, or its client left.
func gone(request *hbone.ServerStream) *messages.Failure {
	var f *messages.Failure
	if errors.As(request.Lost(), &f) {
		return f
	}
	return left()
}

// leg brings up the second leg of a flow on one goroutine, which ends by telling the tunnel actor what became of it, and
// carries the flow's bytes on another, fresh one: what it took to get there was deeper than what an idle connection needs.
// cut may be called from elsewhere at any time.
type leg struct {
	counters *relay.Counters
	began    time.Time
	ctx      context.Context

	mu     sync.Mutex // guards what is below
	cancel context.CancelCauseFunc
	ends   [3]io.Closer // what is open: aborting means closing it
	isCut  bool

	// What carry carries, set before it is started: the application's connection and, on the other side, a tunnel's
	// stream or, where that is nil, a connection.
	app, upstream socket.Conn
	stream        *hbone.Stream
	side          relay.Side
	carrier       *relay.Carrier
	preface       []byte // what the application is told before the first byte
	// from is where an earlier relay of two connections stood; pump is the one that runs, stopping that it is not to.
	from     messages.Halfway
	pump     *relay.Pump
	stopping bool
	// inner is the far end of a double HBONE's inner tunnel; nil where there are no revocation lists. The tunnel actor
	// takes it over with Established.
	inner *mtls.Peer

	// reason is why our own side cut the tunnel that the stream is in, nil where it did not.
	reason atomic.Pointer[messages.Failure]
}

func newLeg(t *tunnel) *leg {
	l := &leg{counters: &t.counters, began: time.Now()}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	if t.entry.Conn != nil {
		l.add(t.entry.Conn)
	}
	return l
}

// add says what else is open; it reports false, and closes it at once, when the flow was cut meanwhile.
func (l *leg) add(end io.Closer) bool {
	l.mu.Lock()
	cut := l.isCut
	for i := range l.ends {
		if !cut && l.ends[i] == nil {
			l.ends[i] = end
			break
		}
	}
	l.mu.Unlock()
	if cut {
		closeConn(end)
	}
	return !cut
}

// cut ends the leg from outside: what it waits for is cancelled and what is open is closed. It may block, since the last
// words on a tunnel may have to wait for room.
func (l *leg) cut() {
	ends := l.finish(errCut)
	for _, end := range ends {
		closeConn(end)
	}
}

// finish forgets what is open, and gives up waiting for a reason.
func (l *leg) finish(why error) (ends [3]io.Closer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends = l.ends
	l.ends, l.isCut = [3]io.Closer{}, true
	l.letGo(why)
	return ends
}

// letGo ends the context that setting up had. l.mu is held.
func (l *leg) letGo(why error) {
	if l.cancel != nil {
		l.cancel(why)
		l.cancel = nil
	}
}

// abandon gives up waiting because the client has left.
func (l *leg) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.letGo(errLeft)
}

// hasEnded reports whether nothing is left to abort.
func (l *leg) hasEnded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isCut
}

// failed is the last word of a leg that did not come up; it has closed everything itself.
func (l *leg) failed(start time.Time, f *messages.Failure, keep bool) any {
	l.finish(nil)
	return &messages.EstablishFailed{DialStart: start, DialEnd: time.Now(), Failure: f, KeepTrace: keep}
}

// established is the last word of a leg that came up: the tunnel actor starts carry.
func (l *leg) established(m *messages.Established) any {
	l.mu.Lock()
	l.letGo(nil)
	l.mu.Unlock()
	l.ctx = nil
	return m
}

// carry passes the bytes until both directions have ended, and both legs are closed.
func (l *leg) carry() any {
	if l.stream == nil {
		r, stopped := l.pumpPlain()
		if stopped {
			return &messages.RelayStopped{At: l.halfway()}
		}
		return l.finished(r)
	}
	if err := l.introduce(); err != nil {
		return l.finished(relay.Result{Err: &relay.CopyError{Direction: relay.Send, Err: err}, ClosedBy: relay.SideUpstream})
	}
	l.carrier = relay.NewCarrier(l.app, l.stream, l.side, l.counters)
	return l.carryStill()
}

// carryStill carries a stream until it has ended. Whenever it is idle it goes on afresh: there may be tens of thousands of them.
func (l *leg) carryStill() any {
	r, ended := l.carrier.Carry()
	if !ended {
		return kit.Afresh(l.carryStill)
	}
	return l.finished(r)
}

// finished is the last word of a leg that was carried.
func (l *leg) finished(r relay.Result) any {
	l.finish(nil)
	if f := l.reason.Load(); f != nil {
		return &messages.Finished{Err: f, ClosedBy: side(relay.SideProxy)}
	}
	return &messages.Finished{Err: r.Err, ClosedBy: side(r.ClosedBy), CutBy: side(r.CutBy)}
}

// lost hears that the tunnel has ended. Where our side has cut it for a reason of its own both directions end at once: the
// application must not go on talking to nobody.
func (l *leg) lost(why error) {
	var f *messages.Failure
	if errors.As(why, &f) {
		l.reason.Store(f)
		closeConn(l.app)
	}
}

// introduce writes what the application is told first, if anything. Where it can't, both ends are closed.
func (l *leg) introduce() error {
	if l.preface == nil {
		return nil
	}
	_, err := l.app.Write(l.preface)
	l.preface = nil
	if err != nil {
		_ = l.stream.Close()
		closeConn(l.app)
	}
	return err
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
	if !l.add(upstream) || !socks.succeeded() {
		closeConn(upstream)
		closeConn(downstream)
		return l.failed(start, left(), false)
	}
	l.app, l.upstream = downstream, upstream
	return l.established(&messages.Established{DialStart: start, DialEnd: end})
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
	if !l.add(stream) || !socks.succeeded() {
		_ = stream.Close()
		closeConn(conn)
		return l.failed(start, left(), keeps(answer))
	}
	baggage, has := answer.Get("baggage")
	l.app, l.stream, l.side = conn, stream, relay.SideDownstream
	stream.OnLost(l.lost)
	return l.established(&messages.Established{
		DialStart: start, DialEnd: end, Baggage: baggage, HasBaggage: has, KeepTrace: keeps(answer), DstIdentity: peer,
	})
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
				f = gone(stream)
			}
			closeConn(conn) // a stream is refused by the tunnel actor, who knows whether spans are kept
			return l.failed(start, f, false)
		}
		var up any
		if stream == nil {
			up = l.carryPlain(start, conn, app, socksAnswer{})
		} else {
			up = l.answer(start, app, stream, headers, preface)
		}
		if m, ok := up.(*messages.Established); ok {
			m.SourceLost = isLost(options.Source, in.Dial.Addr(), app)
		}
		return up
	}
}

// isLost reports whether a connection to an application is not from the address that it was to be from. A pod that calls
// itself has none to keep.
func isLost(source, to netip.Addr, app socket.Conn) bool {
	if !source.IsValid() || source == to {
		return false
	}
	local, ok := app.LocalAddr().(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap() != source
}

// heed gives a dial up when the peer leaves meanwhile. The function that it returns must be called after the dial.
func (l *leg) heed(request *hbone.ServerStream) (settled func()) {
	if request == nil {
		return func() {}
	}
	request.OnLeave(l.abandon)
	return func() { request.OnLeave(nil) }
}

// answer sends the 200, writes what an application tunnel wants to be told first, and carries the stream.
func (l *leg) answer(start time.Time, app socket.Conn, request *hbone.ServerStream, headers []hbone.Header, preface []byte) any {
	end := time.Now()
	if !l.add(app) {
		return l.failed(start, messages.Fail(messages.ReasonCancelled, errCut.Error()), false)
	}
	stream, err := request.Accept(headers)
	if err != nil {
		closeConn(app)
		select {
		case <-request.Done():
			return l.failed(start, gone(request), false)
		default:
			return l.failed(start, messages.FailWith(messages.ReasonH2Failed, "h2 failed: ", err), false)
		}
	}
	l.add(stream)
	l.app, l.stream, l.side, l.preface = app, stream, relay.SideUpstream, preface
	stream.OnLost(l.lost)
	return l.established(&messages.Established{DialStart: start, DialEnd: end})
}

func closeConn(c io.Closer) {
	if c != nil {
		_ = c.Close()
	}
}
