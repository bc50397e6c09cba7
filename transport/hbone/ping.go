package hbone

import (
	"encoding/binary"
	"time"

	"golang.org/x/net/http2"
)

// keepalive sends a PING when the interval has passed since the start or the last answer, and ends the connection
// when the answer is late (spec/dataplane.md §3.6). Guarded by conn.mu.
type keepalive struct {
	timer   *time.Timer
	waiting bool // for the answer
	sent    uint64
}

// Payloads of our PINGs: the keepalive's have a zero first byte, the drain's does not.
var drainPing = [8]byte{1, 'd', 'r', 'a', 'i', 'n'}

func (k *keepalive) start(c *conn) {
	k.timer = time.AfterFunc(c.set.PingInterval, func() { c.keepAlive() })
}

func (k *keepalive) stop() {
	if k.timer != nil {
		k.timer.Stop()
	}
}

// keepAlive is the timer's function.
func (c *conn) keepAlive() {
	k := &c.keepalive
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if k.waiting {
		c.mu.Unlock()
		c.set.Stats.PingTimeouts.Add(1)
		err := &ConnError{Code: http2.ErrCodeNo, Cause: ErrPingTimeout}
		if c.server {
			c.conclude(err)
		} else {
			c.fail(&ConnError{Code: http2.ErrCodeInternal, Cause: ErrPingTimeout})
		}
		return
	}
	k.waiting = true
	k.sent++
	c.writer.queueControl(pingFrame(0, k.payload()))
	k.timer.Reset(c.set.PingTimeout)
	c.mu.Unlock()
	c.drain()
}

func (k *keepalive) payload() (b [8]byte) {
	binary.BigEndian.PutUint64(b[:], k.sent&(1<<56-1))
	return b
}

// peerPing is a PING, or the answer to one.
func (c *conn) peerPing(h frameHeader, data [8]byte) error {
	k := &c.keepalive
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !h.has(http2.FlagPingAck):
		if err := c.abuse.ping(c); err != nil {
			return err
		}
		return c.provoke(pingFrame(http2.FlagPingAck, data))
	case data == drainPing:
		c.drained()
	case k.waiting && data == k.payload():
		k.waiting = false
		if c.err == nil {
			k.timer.Reset(c.set.PingInterval)
		}
	default:
		return c.abuse.ignored(c)
	}
	return nil
}
