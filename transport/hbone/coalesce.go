package hbone

import (
	"errors"
	"net"
	"sync"
)

// Coalescer is a net.Conn to put below a *tls.Conn. Until a tunnel takes the connection over it passes everything
// through. Afterwards it reads up to 128 KiB at once into a buffer that it takes only when the socket is readable,
// gives TLS whole records from it, and gathers the records that TLS writes until they are flushed: TLS then never
// waits for the socket, neither while reading nor while writing.
type Coalescer struct {
	net.Conn
	from  readWither
	to    tryWriter
	plain bool // the stream has no records: any byte can be delivered

	// For the reader.
	held       bool
	in         *Buffer // in.bytes() is received and not delivered
	recordLeft int     // what is left to deliver of a record that was begun
	inErr      error

	// For the writer. A record may also come from the reader (TLS key update), hence the lock.
	mu     sync.Mutex
	gather bool
	out    *Buffer
	extra  []byte // what did not fit
	// For the flusher alone.
	flushing *Buffer
}

// readWither and tryWriter are the parts of socket.Conn that are used where a connection has them.
type readWither interface {
	ReadWith(buffer func() []byte) (int, error)
}

type tryWriter interface {
	TryWrite(p []byte) (int, error)
	WaitWritable() error
}

// errAgain says that no whole record is at hand. It counts as temporary, so that TLS does not remember it.
var errAgain error = againError{}

type againError struct{}

func (againError) Error() string   { return "no record at hand" }
func (againError) Timeout() bool   { return true }
func (againError) Temporary() bool { return true }

// Coalesce puts a Coalescer over conn. Where conn is a socket.Conn its non-blocking operations are used.
func Coalesce(conn net.Conn) *Coalescer { return newCoalescer(conn, false) }

func newCoalescer(conn net.Conn, plain bool) *Coalescer {
	c := &Coalescer{Conn: conn, plain: plain}
	c.from, _ = conn.(readWither)
	c.to, _ = conn.(tryWriter)
	return c
}

// hold ends the passing through. Nobody else may be reading or writing.
func (c *Coalescer) hold() {
	c.held = true
	c.mu.Lock()
	c.gather = true
	c.mu.Unlock()
}

// letGo makes writes pass through again; nothing may be waiting to be flushed.
func (c *Coalescer) letGo() {
	c.mu.Lock()
	c.gather = false
	c.mu.Unlock()
}

// Read delivers bytes of at most one record. While the connection is held it does not wait: it returns errAgain
// unless a whole record (or the end) is at hand.
func (c *Coalescer) Read(p []byte) (int, error) {
	for {
		if n := c.deliver(p); n > 0 || len(p) == 0 {
			return n, nil
		}
		if c.inErr != nil {
			return 0, c.inErr
		}
		if c.held {
			return 0, errAgain
		}
		c.receive()
	}
}

const (
	recordHeader = 5
	// recordLimit is the largest length that a TLS record may announce; TLS refuses more as soon as it is told.
	recordLimit = 16384 + 2048
)

// ready says whether Read has something to deliver.
func (c *Coalescer) ready() bool {
	if c.in == nil {
		return false
	}
	have := c.in.bytes()
	if c.plain || c.recordLeft > 0 {
		return len(have) > 0
	}
	if len(have) < recordHeader {
		return false
	}
	length := int(have[3])<<8 | int(have[4])
	return length > recordLimit || len(have) >= recordHeader+length
}

func (c *Coalescer) deliver(p []byte) int {
	if c.in == nil {
		return 0
	}
	have := c.in.bytes()
	if !c.plain {
		if c.recordLeft == 0 {
			if len(have) < recordHeader || c.held && !c.ready() {
				return 0
			}
			c.recordLeft = recordHeader + (int(have[3])<<8 | int(have[4]))
		}
		have = have[:min(len(have), c.recordLeft)]
	}
	n := copy(p, have)
	c.in.r += n
	if !c.plain {
		c.recordLeft -= n
	}
	if c.in.r == c.in.w {
		c.in.Release()
		c.in = nil
	}
	return n
}

// wait waits until Read has something to deliver, be it an error. Nothing is held meanwhile, but a part of a record.
func (c *Coalescer) wait() {
	for !c.ready() && c.inErr == nil {
		c.receive()
	}
}

// receive reads once.
func (c *Coalescer) receive() {
	if c.in != nil && c.in.r > 0 {
		c.in.w = copy(c.in.mem, c.in.bytes())
		c.in.r = 0
	}
	var n int
	var err error
	if c.from != nil {
		n, err = c.from.ReadWith(c.room)
	} else {
		n, err = c.Conn.Read(c.room())
	}
	if c.in != nil {
		c.in.w += n
		if c.in.w == 0 {
			c.in.Release()
			c.in = nil
		}
	}
	c.inErr = err
}

func (c *Coalescer) room() []byte {
	if c.in == nil {
		class := Buffer128K
		if !c.held {
			class = Buffer64K
		}
		c.in = TakeBuffer(class)
	}
	return c.in.mem[c.in.w:]
}

// Write passes p on, or gathers it while the connection is held; it never waits then.
func (c *Coalescer) Write(p []byte) (int, error) {
	c.mu.Lock()
	if !c.gather {
		c.mu.Unlock()
		return c.Conn.Write(p)
	}
	defer c.mu.Unlock()
	if c.out == nil {
		c.out = TakeBuffer(bufferSealed)
	}
	n := copy(c.out.mem[c.out.w:], p)
	c.out.w += n
	if n == len(p) {
		return n, nil
	}
	if len(c.extra) > extraLimit {
		return n, errSealedOverflow
	}
	c.extra = append(c.extra, p[n:]...)
	return len(p), nil
}

// extraLimit bounds what TLS has to say by itself while the socket takes nothing: answers to key updates.
const extraLimit = 64 * kib

// errSealedOverflow ends the connection at TLS's next write.
var errSealedOverflow = errors.New("the peer does not read the answers to its key updates")

// buffered is how many bytes have been gathered.
func (c *Coalescer) buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		return 0
	}
	return c.out.w + len(c.extra)
}

// waits says that flush waits for the socket, because the connection has no way to try.
func (c *Coalescer) waits() bool { return c.to == nil }

// flush writes what has been gathered. It reports false if the socket takes no more; the rest is kept. One
// goroutine may be in it.
func (c *Coalescer) flush() (bool, error) {
	for {
		if c.flushing == nil {
			if c.flushing = c.takeOut(); c.flushing == nil {
				return true, nil
			}
		}
		b := c.flushing
		var n int
		var err error
		if c.to != nil {
			n, err = c.to.TryWrite(b.bytes())
		} else {
			n, err = c.Conn.Write(b.bytes())
		}
		b.r += n
		if err != nil {
			return false, err
		}
		if b.r < b.w {
			return false, nil
		}
		b.Release()
		c.flushing = nil
	}
}

func (c *Coalescer) takeOut() *Buffer {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.out
	c.out = nil
	if len(c.extra) > 0 {
		c.out = TakeBuffer(bufferSealed)
		c.out.w = copy(c.out.mem, c.extra)
		c.extra = append(c.extra[:0], c.extra[c.out.w:]...)
	} else {
		c.extra = nil
	}
	return b
}

// waitWritable waits until flush can go on.
func (c *Coalescer) waitWritable() error {
	if c.to == nil {
		return nil
	}
	return c.to.WaitWritable()
}
