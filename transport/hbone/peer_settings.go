package hbone

import (
	"encoding/binary"
	"time"

	"golang.org/x/net/http2"
)

// settingsLimit is how many entries one SETTINGS frame may have.
const settingsLimit = 100

func (c *conn) beginSettings(h frameHeader) error {
	if h.length/6 > settingsLimit {
		c.set.Stats.SettingsFloods.Add(1)
		return connErrorf(http2.ErrCodeEnhanceYourCalm, "SETTINGS with %d entries", h.length/6)
	}
	return nil
}

// setting applies one entry of the peer's SETTINGS.
func (c *conn) setting(b []byte) error {
	id, v := http2.SettingID(binary.BigEndian.Uint16(b)), binary.BigEndian.Uint32(b[2:])
	if err := (http2.Setting{ID: id, Val: v}).Valid(); err != nil {
		code := http2.ErrCodeProtocol
		if id == http2.SettingInitialWindowSize {
			code = http2.ErrCodeFlowControl
		}
		return connErrorf(code, "%v = %d", id, v)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch id {
	case http2.SettingHeaderTableSize:
		c.encoder.SetMaxDynamicTableSize(min(v, 4096))
	case http2.SettingEnablePush:
		if !c.server && v != 0 {
			return connErrorf(http2.ErrCodeProtocol, "server enables push")
		}
	case http2.SettingMaxConcurrentStreams:
		c.peerStreams, c.limited = v, true
	case http2.SettingInitialWindowSize:
		return c.resizeWindows(int64(v))
	case http2.SettingMaxFrameSize:
		c.peerFrame, c.piece = int(v), wholeRecords(int(v))
	case http2.SettingMaxHeaderListSize:
		c.peerHeaderList = v
	default: // what we don't know or use is ignored
	}
	return nil
}

// endSettings acknowledges the peer's SETTINGS, or notes its acknowledgement of ours.
func (c *conn) endSettings(h frameHeader) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.has(http2.FlagSettingsAck) {
		if surplus := int64(initialWindow) - int64(c.set.StreamWindow); surplus > 0 && !c.acked {
			for _, s := range c.streams {
				s.recvWindow -= surplus
			}
		}
		c.acked = true
	} else {
		if c.greeted {
			if err := c.abuse.settings(c); err != nil {
				return err
			}
		}
		c.greeted = true
		if !c.limited { // a peer that names no limit has none
			c.peerStreams = maxStreamID
		}
		c.freeSlots()
		if err := c.provoke(appendFrame(nil, frameHeader{typ: http2.FrameSettings, flags: http2.FlagSettingsAck}, nil)); err != nil {
			return err
		}
	}
	if c.greeted && c.acked && c.greeting != nil {
		c.greeting.Stop()
	}
	return nil
}

// startGreeting starts the clock of the peer's greeting when ours is written. c.mu is held.
func (c *conn) startGreeting() {
	if c.greeting != nil || c.err != nil || c.greeted && c.acked {
		return
	}
	c.greeting = time.AfterFunc(c.set.PrefaceTimeout, func() {
		c.mu.Lock()
		late := !c.greeted || !c.acked
		c.mu.Unlock()
		if late {
			c.set.Stats.PrefaceTimeouts.Add(1)
			c.conclude(&ConnError{Code: http2.ErrCodeSettingsTimeout, Cause: ErrPrefaceTimeout})
		}
	})
}
