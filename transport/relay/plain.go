package relay

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// spliceAfter is how many bytes a direction copies before it splices: for short exchanges splice costs more than
// it saves, two more system calls and a pipe (PERFORMANCE.md §3).
const spliceAfter = 128 << 10

// Plain relays between two legs that are not tunnels: by read and write at first and, where both are the kernel's
// TCP, by splice once a direction has copied 128 KiB. It returns when both directions have ended, and has closed
// both legs then. An end or an error of one direction half-closes the leg that it writes to and leaves the other
// direction running; there is no idle time-out (spec/dataplane.md §9). Closing or aborting both legs cuts it short.
// An idle relay holds no buffer and no pipe.
func Plain(downstream, upstream socket.Conn, c *Counters) Result {
	r, _ := NewPump(downstream, upstream, c, messages.Halfway{}).Run()
	return r
}

// Pump is a plain relay that can be stopped between two bytes.
type Pump struct {
	downstream, upstream socket.Conn
	counters             *Counters
	from                 messages.Halfway
	ending
	stopping atomic.Bool
}

// NewPump makes a relay that goes on from where another one stood; the zero value is the beginning.
func NewPump(downstream, upstream socket.Conn, c *Counters, from messages.Halfway) *Pump {
	p := &Pump{downstream: downstream, upstream: upstream, counters: c, from: from}
	p.closedBy.Store(uint32(sideNamed(from.ClosedBy)))
	return p
}

func (r *Pump) moved() uint64 { return r.counters.moved() }

func (r *Pump) abort() { _, _ = r.downstream.Abort(), r.upstream.Abort() }

// Run relays as [Plain] does. When Stop ended it, stopped is true, both legs are open and Halfway says where it stands.
func (r *Pump) Run() (result Result, stopped bool) {
	r.relay = r
	defer r.stop()
	send := direction{
		relay: r, way: Send, from: r.downstream, to: r.upstream, source: SideDownstream, sink: SideUpstream,
		count: r.counters.AddReceived, held: &r.from.ToUpstream,
	}
	receive := direction{
		relay: r, way: Receive, from: r.upstream, to: r.downstream, source: SideUpstream, sink: SideDownstream,
		count: r.counters.AddSent, held: &r.from.ToDownstream,
	}
	var receiving sync.WaitGroup
	var received error
	receiving.Go(func() { received = receive.run() })
	err := send.run()
	receiving.Wait()
	if err == nil {
		err = received
	}
	by := Side(r.closedBy.Load())
	if send.stopped || receive.stopped {
		r.from.ClosedBy = by.String()
		return Result{Err: err, ClosedBy: by}, true
	}
	_ = r.downstream.Close()
	_ = r.upstream.Close()
	return r.result(err), false
}

// Stop makes Run return as soon as its system calls do: it lets the legs' deadlines pass. A relay that ends meanwhile
// ends as usual.
func (r *Pump) Stop() {
	r.stopping.Store(true)
	for _, c := range []socket.Conn{r.downstream, r.upstream} {
		_ = c.SetDeadline(past) // it fails where the leg is closed, and then Run ends anyway
	}
}

// past is a deadline that has been missed.
var past = time.Unix(1, 0)

// Halfway is where a stopped relay stands. The legs' deadlines are taken back, so that another relay can go on.
func (r *Pump) Halfway() messages.Halfway {
	for _, c := range []socket.Conn{r.downstream, r.upstream} {
		_ = c.SetDeadline(time.Time{})
	}
	return r.from
}

// direction copies one way.
type direction struct {
	relay        *Pump
	way          Direction
	from, to     socket.Conn
	source, sink Side
	count        func(n int)
	held         *messages.Held // from where it goes on, and where it stopped
	stopped      bool
	class        int     // of the next read's buffer
	buf          *[]byte // held from the arrival of bytes until they are written
	take         func() []byte
}

// run copies until the end, then half-closes the leg that it wrote to.
func (d *direction) run() error {
	if d.held.Ended {
		return nil
	}
	d.take = d.buffer
	by, err := d.resume()
	if d.relay.stopping.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		d.stopped = true
		return nil
	}
	d.held.Ended = true
	d.relay.ended(by, err, true)
	if err = unlessBenign(err); err != nil {
		err = &CopyError{Direction: d.way, Err: err}
	}
	if cerr := d.to.CloseWrite(); cerr != nil && !benignClose(cerr) {
		if err == nil || !errors.Is(cerr, net.ErrClosed) {
			err = &CopyError{Direction: d.way, Closing: true, Err: cerr}
		}
	}
	return err
}

// resume writes what an earlier relay had on its way, and copies on.
func (d *direction) resume() (Side, error) {
	if held := d.held.Bytes; len(held) > 0 {
		d.held.Bytes = nil
		if written, err := d.write(held); err != nil {
			d.keep(held[written:])
			return d.sink, err
		}
	}
	return d.copy()
}

// keep remembers bytes that were read and could not be written before the relay stopped.
func (d *direction) keep(rest []byte) {
	if d.relay.stopping.Load() {
		d.held.Bytes = append([]byte(nil), rest...)
	}
}

// copy moves bytes until the end of the stream or an error, and says which side it came from.
func (d *direction) copy() (by Side, err error) {
	for copied := 0; copied < spliceAfter; {
		n, side, err := d.step()
		if copied += n; err != nil {
			return side, err
		}
	}
	by, err = d.splice()
	for errors.Is(err, errNoSplice) {
		if _, by, err = d.step(); err == nil {
			err = errNoSplice
		}
	}
	return by, err
}

func unlessBenign(err error) error {
	if benign(err) {
		return nil
	}
	return err
}

// step reads once and writes what it read. It returns the bytes written, and the side that an error is from.
func (d *direction) step() (int, Side, error) {
	n, err := d.from.ReadWith(d.take)
	if d.buf == nil {
		return 0, d.source, err
	}
	class := d.class
	defer func() {
		returnBuffer(class, d.buf)
		d.buf = nil
	}()
	if err != nil {
		return 0, d.source, err
	}
	d.class = nextClass(class, n)
	written, err := d.write((*d.buf)[:n])
	if err != nil {
		d.keep((*d.buf)[written:n])
	}
	return written, d.sink, err
}

// buffer gives ReadWith a place for the bytes.
func (d *direction) buffer() []byte {
	if d.buf == nil {
		d.buf = takeBuffer(d.class)
	}
	return *d.buf
}

// write writes all of p, waiting where the leg takes no more.
func (d *direction) write(p []byte) (int, error) {
	for written := 0; ; {
		n, err := d.to.TryWrite(p[written:])
		if n > 0 {
			d.count(n)
			written += n
		}
		if err != nil || written == len(p) {
			return written, err
		}
		if err := d.to.WaitWritable(); err != nil {
			return written, err
		}
	}
}
