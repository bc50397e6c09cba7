package hbone

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

const (
	frameHeaderLen = 9
	minFrameSize   = 1 << 14
	maxFrameSize   = 1<<24 - 1
	initialWindow  = 1<<16 - 1
	maxWindow      = 1<<31 - 1
	maxStreamID    = 1<<31 - 1
)

// frameHeader is the nine bytes in front of every frame.
type frameHeader struct {
	length   int
	typ      http2.FrameType
	flags    http2.Flags
	streamID uint32
}

func (h frameHeader) has(f http2.Flags) bool { return h.flags.Has(f) }

// put writes the header to the front of b.
func (h frameHeader) put(b []byte) {
	_ = b[frameHeaderLen-1]
	b[0], b[1], b[2] = byte(h.length>>16), byte(h.length>>8), byte(h.length)
	b[3], b[4] = byte(h.typ), byte(h.flags)
	binary.BigEndian.PutUint32(b[5:], h.streamID)
}

// parseFrameHeader reads a header; the reserved bit is ignored.
func parseFrameHeader(b []byte) frameHeader {
	_ = b[frameHeaderLen-1]
	return frameHeader{
		length:   int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		typ:      http2.FrameType(b[3]),
		flags:    http2.Flags(b[4]),
		streamID: binary.BigEndian.Uint32(b[5:]) & maxStreamID,
	}
}

// The frames below are short; each is built on the stack and copied into the write queue.

func appendFrame(b []byte, h frameHeader, payload []byte) []byte {
	var hdr [frameHeaderLen]byte
	h.length = len(payload)
	h.put(hdr[:])
	return append(append(b, hdr[:]...), payload...)
}

func appendRST(b []byte, id uint32, code http2.ErrCode) []byte {
	return appendFrame(b, frameHeader{typ: http2.FrameRSTStream, streamID: id}, binary.BigEndian.AppendUint32(nil, uint32(code)))
}

func appendWindowUpdate(b []byte, id, n uint32) []byte {
	return appendFrame(b, frameHeader{typ: http2.FrameWindowUpdate, streamID: id}, binary.BigEndian.AppendUint32(nil, n))
}

func pingFrame(flags http2.Flags, data [8]byte) []byte {
	return appendFrame(nil, frameHeader{typ: http2.FramePing, flags: flags}, data[:])
}

func appendGoAway(b []byte, last uint32, code http2.ErrCode) []byte {
	p := binary.BigEndian.AppendUint32(nil, last)
	return appendFrame(b, frameHeader{typ: http2.FrameGoAway}, binary.BigEndian.AppendUint32(p, uint32(code)))
}

func appendSettings(b []byte, s ...http2.Setting) []byte {
	var p []byte
	for _, s := range s {
		p = binary.BigEndian.AppendUint16(p, uint16(s.ID))
		p = binary.BigEndian.AppendUint32(p, s.Val)
	}
	return appendFrame(b, frameHeader{typ: http2.FrameSettings}, p)
}

// appendHeaders splits block into HEADERS and CONTINUATION frames of at most limit bytes.
func appendHeaders(b []byte, id uint32, end bool, block []byte, limit int) []byte {
	h := frameHeader{typ: http2.FrameHeaders, streamID: id}
	if end {
		h.flags |= http2.FlagHeadersEndStream
	}
	for {
		n := min(len(block), limit)
		if n == len(block) {
			h.flags |= http2.FlagHeadersEndHeaders
		}
		b = appendFrame(b, h, block[:n])
		if block = block[n:]; len(block) == 0 {
			return b
		}
		h = frameHeader{typ: http2.FrameContinuation, streamID: id}
	}
}
