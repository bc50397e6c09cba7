package hbone

import (
	"golang.org/x/net/http2"
)

// parser cuts what arrives into frames. It keeps no payload but that of the few-byte frames; DATA and header blocks
// are handed on piece by piece. It belongs to the reader.
type parser struct {
	preface int // bytes of the client's preface still to come
	first   bool

	hdr    [frameHeaderLen]byte
	hdrLen int
	frame  frameHeader
	inside bool
	left   int // bytes of the frame's payload still to come

	skipFirst int  // bytes of priority still to be skipped
	padded    bool // the pad length is still to come
	pad       int  // bytes of padding at the end
	small     [16]byte
	smallLen  int

	target *Stream   // where this DATA frame goes; nil discards it
	got    int       // bytes of its payload, less padding
	broken []*Stream // reset by this frame
}

// feed takes the next bytes from the peer. Its error ends the connection.
func (c *conn) feed(b []byte) error {
	p := &c.parser
	for len(b) > 0 {
		if p.preface > 0 {
			n := min(p.preface, len(b))
			at := len(http2.ClientPreface) - p.preface
			if string(b[:n]) != http2.ClientPreface[at:at+n] {
				return connErrorf(http2.ErrCodeProtocol, "not an HTTP/2 client preface")
			}
			p.preface -= n
			b = b[n:]
			continue
		}
		if !p.inside {
			n := copy(p.hdr[p.hdrLen:], b)
			p.hdrLen += n
			b = b[n:]
			if p.hdrLen < frameHeaderLen {
				return nil
			}
			p.hdrLen = 0
			p.frame = parseFrameHeader(p.hdr[:])
			p.left, p.inside = p.frame.length, true
			p.skipFirst, p.padded, p.pad, p.smallLen = 0, false, 0, 0
			err := c.beginFrame(p.frame)
			c.buryBroken()
			if err != nil {
				return err
			}
		} else {
			n := min(len(b), p.left)
			p.left -= n
			if err := c.payload(b[:n]); err != nil {
				return err
			}
			b = b[n:]
		}
		if p.left == 0 {
			p.inside = false
			err := c.endFrame(p.frame)
			c.buryBroken()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// beginFrame checks what can be known from a frame's header.
func (c *conn) beginFrame(h frameHeader) error {
	p := &c.parser
	if h.length > int(c.set.MaxFrameSize) {
		return connErrorf(http2.ErrCodeFrameSize, "frame of %d bytes, %d allowed", h.length, c.set.MaxFrameSize)
	}
	if !p.first {
		if h.typ != http2.FrameSettings || h.has(http2.FlagSettingsAck) {
			return connErrorf(http2.ErrCodeProtocol, "first frame is %v, not SETTINGS", h.typ)
		}
		p.first = true
	}
	if id := c.block.streamID; id != 0 && (h.typ != http2.FrameContinuation || h.streamID != id) {
		return connErrorf(http2.ErrCodeProtocol, "%v for stream %d inside the header block of stream %d", h.typ, h.streamID, id)
	}
	onStream := func() error {
		if h.streamID == 0 {
			return connErrorf(http2.ErrCodeProtocol, "%v without a stream", h.typ)
		}
		return nil
	}
	onConn := func() error {
		if h.streamID != 0 {
			return connErrorf(http2.ErrCodeProtocol, "%v on stream %d", h.typ, h.streamID)
		}
		return nil
	}
	length := func(n int) error {
		if h.length != n {
			return connErrorf(http2.ErrCodeFrameSize, "%v of %d bytes, want %d", h.typ, h.length, n)
		}
		return nil
	}
	switch h.typ {
	case http2.FrameData:
		if err := onStream(); err != nil {
			return err
		}
		if p.padded = h.has(http2.FlagDataPadded); p.padded && h.length == 0 {
			return connErrorf(http2.ErrCodeFrameSize, "padded DATA without a pad length")
		}
		return c.beginData(h)
	case http2.FrameHeaders:
		if err := onStream(); err != nil {
			return err
		}
		need := 0
		if p.padded = h.has(http2.FlagHeadersPadded); p.padded {
			need++
		}
		if h.has(http2.FlagHeadersPriority) {
			p.skipFirst = 5
			need += 5
		}
		if h.length < need {
			return connErrorf(http2.ErrCodeFrameSize, "HEADERS of %d bytes", h.length)
		}
		return c.beginHeaders(h)
	case http2.FrameContinuation:
		if c.block.streamID == 0 {
			return connErrorf(http2.ErrCodeProtocol, "CONTINUATION without HEADERS")
		}
		return c.continueHeaders(h)
	case http2.FramePriority:
		return first(onStream(), length(5))
	case http2.FrameRSTStream, http2.FrameWindowUpdate:
		if h.typ == http2.FrameRSTStream {
			return first(onStream(), length(4))
		}
		return length(4)
	case http2.FrameSettings:
		if err := onConn(); err != nil {
			return err
		}
		if h.has(http2.FlagSettingsAck) && h.length != 0 || h.length%6 != 0 {
			return connErrorf(http2.ErrCodeFrameSize, "SETTINGS of %d bytes", h.length)
		}
		return c.beginSettings(h)
	case http2.FramePing:
		return first(onConn(), length(8))
	case http2.FrameGoAway:
		if err := onConn(); err != nil {
			return err
		}
		if h.length < 8 {
			return connErrorf(http2.ErrCodeFrameSize, "GOAWAY of %d bytes", h.length)
		}
	case http2.FramePushPromise:
		return connErrorf(http2.ErrCodeProtocol, "PUSH_PROMISE")
	default: // unknown
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// payload takes a piece of a frame's payload.
func (c *conn) payload(b []byte) error {
	p := &c.parser
	switch p.frame.typ {
	case http2.FrameData:
		b, err := p.unpad(b)
		if err != nil {
			return err
		}
		c.data(b)
	case http2.FrameHeaders, http2.FrameContinuation:
		b, err := p.unpad(b)
		if err != nil {
			return err
		}
		return c.headerFragment(b)
	case http2.FrameSettings:
		for len(b) > 0 {
			n := copy(p.small[p.smallLen:6], b)
			p.smallLen += n
			b = b[n:]
			if p.smallLen == 6 {
				p.smallLen = 0
				if err := c.setting(p.small[:6]); err != nil {
					return err
				}
			}
		}
	default:
		p.smallLen += copy(p.small[p.smallLen:], b)
	}
	return nil
}

// unpad takes pad length, priority and padding off a piece of DATA or HEADERS.
func (p *parser) unpad(b []byte) ([]byte, error) {
	if p.padded && len(b) > 0 {
		p.pad, p.padded = int(b[0]), false
		b = b[1:]
		if p.pad > p.left+len(b)-p.skipFirst {
			return nil, connErrorf(http2.ErrCodeProtocol, "padding of %d bytes is longer than the frame", p.pad)
		}
	}
	n := min(p.skipFirst, len(b))
	p.skipFirst -= n
	b = b[n:]
	// p.left bytes come after b; the last p.pad of all are padding.
	if over := p.pad - p.left; over > 0 {
		b = b[:len(b)-min(over, len(b))]
	}
	return b, nil
}

// endFrame acts on a frame that is complete.
func (c *conn) endFrame(h frameHeader) error {
	small := c.parser.small[:]
	switch h.typ {
	case http2.FrameData:
		return c.endData(h)
	case http2.FrameHeaders, http2.FrameContinuation:
		if h.has(http2.FlagHeadersEndHeaders) {
			return c.endHeaders()
		}
		return nil
	case http2.FrameRSTStream:
		return c.peerReset(h.streamID, small)
	case http2.FrameSettings:
		return c.endSettings(h)
	case http2.FramePing:
		return c.peerPing(h, [8]byte(small))
	case http2.FrameGoAway:
		return c.peerGoAway(small)
	case http2.FrameWindowUpdate:
		return c.peerWindow(h.streamID, small)
	default: // PRIORITY and unknown frames are ignored
		return c.abuse.ignored(c)
	}
}
