package hbone

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/net/http2"
)

// goAway is how far a connection's end has come. Guarded by conn.mu.
type goAway struct {
	received bool   // the peer takes no new streams
	closing  bool   // we close when the last stream has ended
	draining bool   // Drain was called
	last     uint32 // highest stream id of the peer that is still accepted
	timer    *time.Timer
}

// queueGoAway queues a GOAWAY. c.mu is held.
func (c *conn) queueGoAway(last uint32, code http2.ErrCode) {
	c.writer.queueControl(appendGoAway(nil, last, code))
}

// drainGracefully announces the end: a first GOAWAY that still lets in what is under way, and, a round trip later,
// the real one (spec/dataplane.md §10.2).
func (c *conn) drainGracefully() {
	c.mu.Lock()
	g := &c.goAway
	if g.draining || c.err != nil {
		c.mu.Unlock()
		return
	}
	g.draining = true
	c.queueGoAway(maxStreamID, http2.ErrCodeNo)
	c.writer.queueControl(pingFrame(0, drainPing))
	g.timer = time.AfterFunc(c.set.PingTimeout, func() {
		c.mu.Lock()
		c.drained()
		c.mu.Unlock()
		c.drain()
	})
	c.mu.Unlock()
	c.drain()
}

// drained is the end of the round trip. c.mu is held.
func (c *conn) drained() {
	g := &c.goAway
	if !g.draining || g.closing || c.err != nil {
		return
	}
	g.timer.Stop()
	g.last = c.lastPeer
	g.closing = true
	if len(c.streams) > 0 {
		c.queueGoAway(g.last, http2.ErrCodeNo)
	}
	c.checkIdle()
}

// checkIdle ends a connection that nobody needs any more: no streams are left and there will be none. c.mu is held;
// whoever holds it drains.
func (c *conn) checkIdle() {
	g := &c.goAway
	if c.err != nil || len(c.streams) > 0 || !g.closing && !(g.received && !c.server) {
		return
	}
	c.end(&ConnError{Code: http2.ErrCodeNo, Cause: ErrClosed})
	c.queueGoAway(c.lastPeer, http2.ErrCodeNo)
	c.finish()
}

// peerGoAway is a GOAWAY: streams that the peer has not processed fail, and may be tried elsewhere.
func (c *conn) peerGoAway(b []byte) error {
	last := binary.BigEndian.Uint32(b) & maxStreamID
	code := http2.ErrCode(binary.BigEndian.Uint32(b[4:]))
	c.mu.Lock()
	if c.server { // a client that goes away opens nothing more; its streams go on
		c.goAway.received = true
		c.mu.Unlock()
		return nil
	}
	c.goAway.received = true
	cause := fmt.Errorf("%w (%v)", ErrGoAway, code)
	var lost []*Stream
	for id, s := range c.streams {
		if id > last {
			lost = append(lost, s)
			delete(c.streams, id)
		}
	}
	for _, slot := range c.slots {
		close(slot)
	}
	c.slots = nil
	c.checkIdle()
	c.mu.Unlock()
	c.lose(lost, &ConnError{Code: code, Remote: true, Cause: cause})
	return nil
}
