package discovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/trace"
	wire "github.com/troupe-mesh/troupe/transport/wire/discovery"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// Opener opens streams to the control plane.
type Opener interface {
	// Open connects and begins a stream; the caller closes it.
	Open(ctx context.Context) (xds.Stream, error)
}

// Control is the control plane. Opener and Node are required.
type Control struct {
	Opener Opener
	// Node is who we are.
	Node *wire.Node
	// OnDemand asks for addresses by name only (XDS_ON_DEMAND).
	OnDemand bool
	// Silence is how long a stream may stay without any answer; 5 minutes. istiod may need long for its first push, and a
	// broken connection is noticed by the transport.
	Silence time.Duration
	// Random gives numbers in [0, 1) for jitter; that of math/rand/v2.
	Random func() float64
	// Log takes the lines; nil for none. Counters are kept up to date; nil means nobody looks.
	Log      *logs.Logger
	Counters *Counters
	// Applied is told of each response that the stores have taken in, for its trace. It must not block. Nil is for nobody.
	Applied func(trace.Applied)
}

func (c *Control) normalized() *Control {
	n := *c
	if n.Silence <= 0 {
		n.Silence = 5 * time.Minute
	}
	if n.Random == nil {
		n.Random = rand.Float64
	}
	if n.Log == nil {
		n.Log = logs.Discard().Scope("ztunnel::xds::client")
	}
	if n.Counters == nil {
		n.Counters = &Counters{}
	}
	if n.Applied == nil {
		n.Applied = func(trace.Applied) {}
	}
	return &n
}

// maxOutgoing bounds the requests that wait for the server to take them: one that sends and never reads is left.
const maxOutgoing = 2 * maxDemands

// client is the connection to the control plane:
//
//	            connect            opened               received            settled
//	waiting ───────────► opening ─────────► receiving ───────────► applying ─────────► receiving
//	   ▲                    │ failed            │ failed
//	   └────────────────────┴───────────────────┘
type client struct {
	*Control
	// stream is the open one, session its protocol; nil between streams. number tells streams apart.
	stream  xds.Stream
	session *xds.Session
	number  uint64
	// log writes the lines of the stream of that number (spec/ops.md §7.1).
	log *logs.Logger
	// heard is when the stream first answered, by System.Nanos; 0 before.
	heard   int64
	backoff xds.Backoff
	// silence waits for the first answer.
	silence *kit.Timer
	// batch is in the hands of the stores, since begun.
	batch *xds.Batch
	begun time.Time
	// outgoing wait to be sent; the first is under way while sending.
	outgoing []*wire.DeltaDiscoveryRequest
	sending  bool
	demands  demands
}

func newClient(c *Control) *client { return &client{Control: c, log: c.Log, demands: newDemands()} }

// opened is the end of opening a stream.
type opened struct {
	number  uint64
	session *xds.Session
	stream  xds.Stream
	err     error
}

// Undeliver closes a stream that nobody takes.
func (m *opened) Undeliver() {
	if m.stream != nil {
		m.stream.Close()
	}
}

// received is a response, or the end of the stream.
type received struct {
	number uint64
	batch  *xds.Batch
	err    error
}

// sent says that a request is with the server, or that the stream has broken.
type sent struct {
	number uint64
	err    error
}

// reconnect says that it is time to do so.
type reconnect struct{}

// silent says that a stream has had its time to answer.
type silent struct{ number uint64 }

// connect opens a stream and sends the first requests.
func (d *discovery) connect(ctx actor.Context) {
	c := d.control
	c.number++
	c.log = c.Log.With("xds", logs.Display("id", strconv.FormatUint(c.number, 10)))
	number, session := c.number, xds.NewSession(c.Node, d.memory.ledger, c.OnDemand)
	initial := session.Initial()
	kit.Go(ctx, func(work context.Context) any {
		stream, err := c.Opener.Open(work)
		if err != nil {
			return &opened{number: number, err: err}
		}
		defer context.AfterFunc(work, stream.Close)()
		for _, r := range initial {
			if stream.Send(r) != nil {
				break // receiving says why
			}
		}
		return &opened{number: number, session: session, stream: stream}
	})
}

func (d *discovery) opened(ctx actor.Context, m *opened) {
	c := d.control
	if m.err != nil {
		d.lost(ctx, m.err)
		return
	}
	c.stream, c.session = m.stream, m.session
	c.log.Info("Stream established").Send()
	c.silence = kit.After(ctx, c.Silence, &silent{m.number})
	d.receive(ctx)
	if names := c.demands.resume(); len(names) > 0 {
		d.send(ctx, c.session.Subscribe(names...))
	}
}

// receive waits for the next response: there is never more than one in our hands.
func (d *discovery) receive(ctx actor.Context) {
	number, stream := d.control.number, d.control.stream
	kit.Go(ctx, func(work context.Context) any {
		defer context.AfterFunc(work, stream.Close)()
		batch, err := stream.Receive()
		return &received{number: number, batch: batch, err: err}
	})
}

// silent leaves a server that has not said a word.
func (d *discovery) silent(ctx actor.Context, m *silent) {
	c := d.control
	if m.number != c.number || c.stream == nil || c.heard != 0 {
		return
	}
	c.log.Warn(fmt.Sprintf("XDS server has not answered for %s: trying another connection", c.Silence)).Send()
	c.closeStream(ctx)
}

func (d *discovery) received(ctx actor.Context, m *received) {
	c := d.control
	if m.number != c.number || c.stream == nil {
		return
	}
	if m.err != nil {
		d.lost(ctx, m.err)
		return
	}
	if c.heard == 0 {
		c.silence.Stop()
		c.heard = kit.SystemOf(ctx).Nanos()
		c.Counters.Connected.Store(1)
	}
	c.session.Complete(m.batch)
	c.note(m.batch)
	c.batch, c.begun = m.batch, time.Now()
	changes := d.memory.apply(m.batch)
	d.deliverChanges(ctx, changes)
	if d.delivery.settled() {
		d.settled(ctx)
	}
}

// finish answers a batch that the stores have taken in, wakes who waited for it, and takes the next.
func (d *discovery) finish(ctx actor.Context) {
	c := d.control
	if c.batch == nil {
		return
	}
	batch := c.batch
	c.batch = nil
	d.memory.ledger.Apply(batch)
	for k := range xds.Kind(xds.Kinds) {
		c.Counters.Held[k].Store(uint64(d.memory.ledger.Len(k)))
	}
	if c.stream != nil {
		d.send(ctx, c.session.Acknowledge(batch))
	}
	c.Applied(applied(batch, c.begun))
	d.meet(ctx, batch)
	if c.stream != nil {
		d.receive(ctx)
	}
}

// applied is a batch for its trace.
func applied(b *xds.Batch, begun time.Time) trace.Applied {
	a := trace.Applied{
		Kind: b.Kind.String(), Start: begun, End: time.Now(), Resources: len(b.Items), Removed: len(b.Removed), Bytes: b.Bytes,
		RejectedCount: len(b.Rejected),
	}
	for i := range b.Rejected[:min(len(b.Rejected), maxTold)] {
		a.Rejected = append(a.Rejected, trace.Rejected{Name: b.Rejected[i].Name, Why: b.Rejected[i].Reason.Error()})
	}
	return a
}

// lost is the end of a stream, or of the attempt to have one: the state stays, and another is opened a little later.
func (d *discovery) lost(ctx actor.Context, err error) {
	c := d.control
	ending := xds.EndingOf(err, c.heard != 0)
	var lived time.Duration
	if c.heard != 0 {
		lived = time.Duration(kit.SystemOf(ctx).Nanos() - c.heard)
	}
	wait := c.backoff.Next(ending, lived, c.Random())
	c.Counters.Terminations[ending].Add(1)
	c.Counters.Connected.Store(0)
	if ending == xds.EndReconnect || ending == xds.EndComplete {
		c.log.Info(fmt.Sprintf("XDS client closed by the server, reconnecting in %s", wait.Round(time.Millisecond))).Err(err).Send()
	} else {
		c.log.Warn(fmt.Sprintf("XDS client connection error, retrying in %s", wait.Round(time.Millisecond))).Err(err).Send()
	}
	c.closeStream(ctx)
	if c.silence != nil {
		c.silence.Stop()
	}
	c.stream, c.session, c.heard, c.silence = nil, nil, 0, nil
	c.outgoing, c.sending = nil, false
	c.demands.interrupt()
	kit.After(ctx, wait, &reconnect{})
}

// send sends a request behind those that wait.
func (d *discovery) send(ctx actor.Context, r *wire.DeltaDiscoveryRequest) {
	c := d.control
	if len(c.outgoing) >= maxOutgoing {
		c.log.Warn("XDS server takes no requests: trying another connection").Send()
		c.closeStream(ctx)
		return
	}
	c.outgoing = append(c.outgoing, r)
	d.sendNext(ctx)
}

func (d *discovery) sendNext(ctx actor.Context) {
	c := d.control
	if c.sending || len(c.outgoing) == 0 {
		return
	}
	c.sending = true
	number, stream, r := c.number, c.stream, c.outgoing[0]
	kit.Go(ctx, func(work context.Context) any {
		defer context.AfterFunc(work, stream.Close)()
		return &sent{number: number, err: stream.Send(r)}
	})
}

func (d *discovery) sent(ctx actor.Context, m *sent) {
	c := d.control
	if m.number != c.number || c.stream == nil {
		return
	}
	c.sending = false
	c.outgoing = c.outgoing[1:]
	if m.err == nil { // receiving says why
		d.sendNext(ctx)
	}
}

// closeStream ends the stream; who receives from it then says so.
func (c *client) closeStream(ctx actor.Context) {
	if c.stream == nil {
		return
	}
	stream := c.stream
	kit.Do(ctx, func() any {
		stream.Close()
		return nil
	})
}

// close ends the stream at the actor's end.
func (c *client) close(ctx actor.Context) {
	c.closeStream(ctx)
	c.Counters.Connected.Store(0)
}

// maxTold bounds the lines about one batch.
const maxTold = 16

// note counts and logs a batch.
func (c *client) note(b *xds.Batch) {
	if int(b.Kind) >= xds.Kinds {
		c.log.Warn(fmt.Sprintf("XDS response of an unknown type %.256s", b.TypeURL)).Send()
		return
	}
	c.Counters.Messages[b.Kind].Add(1)
	c.Counters.Bytes[b.Kind].Add(uint64(b.Bytes))
	c.Counters.Rejected[b.Kind].Add(uint64(len(b.Rejected)))
	c.log.Debug(fmt.Sprintf("received %s: %d resources, %d removed, %d rejected, %d bytes",
		b.Kind, len(b.Items), len(b.Removed), len(b.Rejected), b.Bytes)).Send()
	for i, r := range b.Rejected {
		if i == maxTold {
			c.log.Warn(fmt.Sprintf("XDS resources rejected: %d more", len(b.Rejected)-i)).Send()
			break
		}
		c.log.Warn("XDS resource rejected: " + r.Name).Err(r.Reason).Send()
	}
	if b.Kind == xds.Authorizations {
		c.notePolicies(b)
	}
}

// notePolicies says which policies came and went, as the reference does.
func (c *client) notePolicies(b *xds.Batch) {
	log := c.log.In("ztunnel::xds")
	told := 0
	for i := range b.Items {
		if told++; told <= maxTold {
			log.Info("handling RBAC update " + b.Items[i].Name).Send()
		}
	}
	for _, name := range b.Removed {
		if told++; told <= maxTold {
			log.Info(fmt.Sprintf("handling RBAC delete %.256s", name)).Send()
		}
	}
	if told > maxTold {
		log.Info(fmt.Sprintf("handling RBAC: %d more updates and deletes", told-maxTold)).Send()
	}
}
