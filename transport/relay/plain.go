package relay

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"

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
	r := &plain{}
	send := direction{relay: r, way: Send, from: downstream, to: upstream, source: SideDownstream, sink: SideUpstream, count: c.AddReceived}
	receive := direction{relay: r, way: Receive, from: upstream, to: downstream, source: SideUpstream, sink: SideDownstream, count: c.AddSent}
	var receiving sync.WaitGroup
	var received error
	receiving.Go(func() { received = receive.run() })
	err := send.run()
	receiving.Wait()
	if err == nil {
		err = received
	}
	_ = downstream.Close()
	_ = upstream.Close()
	return Result{Err: err, ClosedBy: Side(r.closedBy.Load())}
}

// plain is what the two directions share.
type plain struct{ closedBy atomic.Uint32 }

// ended notes who ended a direction, if nobody did before.
func (r *plain) ended(by Side) { r.closedBy.CompareAndSwap(uint32(SideNone), uint32(by)) }

// direction copies one way.
type direction struct {
	relay        *plain
	way          Direction
	from, to     socket.Conn
	source, sink Side
	count        func(n int)
	class        int     // of the next read's buffer
	buf          *[]byte // held from the arrival of bytes until they are written
	take         func() []byte
}

// run copies until the end, then half-closes the leg that it wrote to.
func (d *direction) run() error {
	d.take = d.buffer
	by, err := d.copy()
	if errors.Is(err, net.ErrClosed) {
		by = SideProxy // only the owner closes
	}
	d.relay.ended(by)
	if err != nil {
		err = &CopyError{Direction: d.way, Err: err}
	}
	if cerr := d.to.CloseWrite(); cerr != nil && !benignClose(cerr) {
		if err == nil || !errors.Is(cerr, net.ErrClosed) {
			err = &CopyError{Direction: d.way, Closing: true, Err: cerr}
		}
	}
	return err
}

// copy moves bytes until the end of the stream or an error, and says which side it came from. Benign errors are
// none.
func (d *direction) copy() (by Side, err error) {
	for copied := 0; copied < spliceAfter; {
		n, side, err := d.step()
		if copied += n; err != nil {
			return side, unlessBenign(err)
		}
	}
	by, err = d.splice()
	for errors.Is(err, errNoSplice) {
		if _, by, err = d.step(); err == nil {
			err = errNoSplice
		}
	}
	return by, unlessBenign(err)
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
