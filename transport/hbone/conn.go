package hbone

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// conn is what both roles share. Its lock guards everything but the reader's own fields; it is never held over I/O,
// and no stream's lock is taken inside it.
type conn struct {
	server bool
	set    Settings
	net    net.Conn
	rec    record

	// The reader's.
	parser  parser
	block   headerBlock
	decoder *hpack.Decoder
	abuse   abuse

	mu       sync.Mutex
	err      error // why it ended; nothing happens after
	streams  map[uint32]*Stream
	lastPeer uint32 // highest stream id that the peer used
	nextID   uint32 // next stream id of ours; 0 when exhausted
	forgot   recent // streams that we reset lately

	// What the peer allows.
	peerFrame      int
	piece          int   // largest DATA payload to send: peerFrame, less what would not fill a TLS record
	streamWindow   int64 // initial window of streams
	peerStreams    uint32
	peerHeaderList uint32
	greeted        bool // its SETTINGS came
	acked          bool // it acknowledged ours
	sendWindow     int64
	recvWindow     int64        // what it may still send
	recvCredit     uint32       // received and not yet given back
	buffered       atomic.Int64 // received bytes that wait for applications

	writer   writer
	encoder  *hpack.Encoder
	encoded  bytes.Buffer
	waiting  []*Stream   // writers that wait for the connection's window or the queue
	slots    []chan bool // Opens that wait for a stream slot
	promised int         // slots given to Opens that have not taken them yet

	goAway      goAway
	limited     bool // the peer named its limit of streams
	keepalive   keepalive
	greeting    *time.Timer
	heading     *time.Timer
	lingering   *time.Timer
	lingerUntil time.Time // when it ends whatever happens

	handle func(*ServerStream)

	quit chan struct{} // closed when the reader has ended
	done chan struct{} // closed when both goroutines have
}

func newConn(nc net.Conn, set Settings, server bool) (*conn, error) {
	rec, err := newRecord(nc)
	if err != nil {
		return nil, err
	}
	c := &conn{
		server:         server,
		set:            set,
		net:            nc,
		rec:            rec,
		streams:        make(map[uint32]*Stream),
		peerFrame:      minFrameSize,
		streamWindow:   initialWindow,
		peerStreams:    maxStreamID,
		peerHeaderList: 1<<32 - 1,
		sendWindow:     initialWindow,
		recvWindow:     int64(set.ConnWindow),
		quit:           make(chan struct{}),
		done:           make(chan struct{}),
	}
	c.writer.kick = make(chan struct{}, 1)
	c.writer.ended = make(chan struct{})
	c.piece = wholeRecords(minFrameSize)
	c.goAway.last = maxStreamID
	c.encoder = hpack.NewEncoder(&c.encoded)
	c.decoder = hpack.NewDecoder(4096, nil)
	c.decoder.SetMaxStringLength(int(set.MaxHeaderListSize))
	own := []http2.Setting{
		{ID: http2.SettingInitialWindowSize, Val: set.StreamWindow},
		{ID: http2.SettingMaxFrameSize, Val: set.MaxFrameSize},
		{ID: http2.SettingMaxHeaderListSize, Val: set.MaxHeaderListSize},
	}
	if server {
		c.parser.preface = len(http2.ClientPreface)
		own = append(own, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: set.MaxConcurrentStreams})
	} else {
		c.nextID = 1
		c.peerStreams = set.MaxConcurrentStreams
		c.writer.queueControl([]byte(http2.ClientPreface))
		own = append(own, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	}
	hello := appendSettings(nil, own...)
	if more := set.ConnWindow - initialWindow; more > 0 {
		hello = appendWindowUpdate(hello, 0, more)
	}
	c.writer.queueControl(hello)
	return c, nil
}

// begin starts what runs beside the reader. A server greets at once, a client with its first CONNECT.
func (c *conn) begin() {
	c.mu.Lock()
	if c.err == nil {
		c.keepalive.start(c)
	}
	c.mu.Unlock()
	if c.server {
		c.drain()
	}
}

// run is the reader: it reads until the connection ends, then ends everything that hangs on it.
func (c *conn) run() {
	go c.write()
	c.begin()
	err := c.read()
	c.fail(err)
	close(c.quit)
	<-c.writer.ended
	c.mu.Lock()
	if c.lingering != nil {
		c.lingering.Stop()
	}
	c.mu.Unlock()
	close(c.done)
}

// read feeds what arrives. A buffer is held only while there is something to read.
func (c *conn) read() error {
	for {
		c.rec.Wait()
		if c.over() {
			c.swallow()
			return io.EOF
		}
		b := TakeBuffer(Buffer128K)
		err := c.readAll(b.mem)
		b.Release()
		if err != nil {
			return err
		}
		c.checkHeading()
		c.drainSealed()
	}
}

// readAll feeds what is at hand, in pieces as large as p.
func (c *conn) readAll(p []byte) error {
	n := 0
	for {
		k, err := c.rec.Read(p[n:])
		n += k
		if n == len(p) || err != nil && n > 0 {
			if ferr := c.feed(p[:n]); ferr != nil {
				return c.refuse(ferr)
			}
			n = 0
		}
		if errors.Is(err, errAgain) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// refuse tells the peer why the connection ends and returns err.
func (c *conn) refuse(err error) error {
	var ce *ConnError
	if !errors.As(err, &ce) || ce.Remote {
		return err
	}
	switch ce.Code {
	case http2.ErrCodeNo, http2.ErrCodeEnhanceYourCalm:
	case http2.ErrCodeFlowControl:
		c.set.Stats.FlowControlErrors.Add(1)
	default:
		c.set.Stats.ProtocolErrors.Add(1)
	}
	c.conclude(ce)
	c.swallow()
	return err
}

// conclude ends the connection in order: streams are lost, the peer is told with a GOAWAY, the sending side ends
// behind it. The reader swallows what the peer still sends, so that the GOAWAY is not lost in a reset, until the
// peer's end or the linger time.
func (c *conn) conclude(err *ConnError) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	streams := c.end(err)
	c.queueGoAway(c.lastPeer, err.Code)
	c.finish()
	c.mu.Unlock()
	c.lose(streams, err)
	c.drain()
}

// lingerMost is how many linger times an end in good order may take in all.
const lingerMost = 10

// finish ends the sending side behind what is queued. c.mu is held.
func (c *conn) finish() {
	if c.writer.last || c.writer.closed {
		return
	}
	c.writer.last = true
	c.lingerUntil = time.Now().Add(c.set.LingerTimeout * lingerMost)
	c.lingering = time.AfterFunc(c.set.LingerTimeout, func() {
		c.set.Stats.LingerTimeouts.Add(1)
		_ = c.rec.Close()
	})
}

// progressed lets a connection that ends in good order linger on: its last streams' bytes may still be under way, which
// closing would lose, and the peer has taken some or said something. One that ends for an error has the linger time and
// no more.
func (c *conn) progressed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ce *ConnError
	if c.lingering == nil || !errors.As(c.err, &ce) || ce.Code != http2.ErrCodeNo {
		return
	}
	if left := time.Until(c.lingerUntil); left > 0 && c.lingering.Stop() {
		c.lingering.Reset(min(left, c.set.LingerTimeout))
	}
}

// over says whether the connection has ended.
func (c *conn) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil
}

// swallow reads and drops until the end or the linger time.
func (c *conn) swallow() {
	b := TakeBuffer(Buffer16K)
	defer b.Release()
	for {
		_, err := c.rec.Read(b.mem)
		if errors.Is(err, errAgain) {
			c.rec.Wait()
			continue
		}
		if err != nil {
			return
		}
		c.progressed()
	}
}

// fail ends the connection at once: nothing more is written, the socket is closed, every stream is lost.
func (c *conn) fail(err error) {
	c.mu.Lock()
	streams := c.end(err)
	c.writer.closed = true
	c.writer.queue.release()
	c.mu.Unlock()
	// The descriptor's own error tells nobody anything new.
	_ = c.rec.Close()
	c.lose(streams, err)
}

// end makes err the connection's, unless it has one, and returns the streams that are lost with it. c.mu is held;
// the caller passes the streams to lose after releasing it.
func (c *conn) end(err error) []*Stream {
	if c.err != nil {
		return nil
	}
	c.err = err
	c.stopTimers()
	lost := make([]*Stream, 0, len(c.streams))
	for _, s := range c.streams {
		lost = append(lost, s)
	}
	clear(c.streams)
	for _, slot := range c.slots {
		close(slot)
	}
	c.slots = nil
	c.wakeWaiting()
	return lost
}

func (c *conn) stopTimers() {
	c.keepalive.stop()
	for _, t := range []*time.Timer{c.greeting, c.heading, c.goAway.timer} {
		if t != nil {
			t.Stop()
		}
	}
}

// lose tells streams that their connection ended with err.
func (c *conn) lose(streams []*Stream, err error) {
	for _, s := range streams {
		s.lost(err)
		c.mu.Lock()
		told := s.onLost
		c.mu.Unlock()
		if told != nil {
			told(err)
		}
	}
}

// recent remembers the last few streams that this end reset: what is still under way for them is no offence.
type recent struct {
	ids  [256]uint32
	next int
}

func (r *recent) add(id uint32) {
	r.ids[r.next%len(r.ids)] = id
	r.next++
}

func (r *recent) has(id uint32) bool {
	for _, x := range r.ids {
		if x == id {
			return true
		}
	}
	return false
}
