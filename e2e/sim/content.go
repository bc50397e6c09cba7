package sim

import "encoding/binary"

// headerSize is how many bytes tell whose stream it is.
const headerSize = 8

// sourceSize is how much portSource sends, bannerSize what portBanner says first, countSize the answer of portSlow.
const (
	sourceSize = 100_000
	bannerSize = 16
	countSize  = 8
)

// content is the byte at a place of a stream that is named by a key.
func content(key uint64, at int) byte {
	n := uint64(at)
	return byte(n*131 ^ key*17 ^ (n>>8)*29)
}

// said is the byte at a place of what a client says: its number first.
func said(id, at int) byte {
	if at < headerSize {
		var header [headerSize]byte
		binary.BigEndian.PutUint64(header[:], uint64(id)+1)
		return header[at]
	}
	return content(uint64(id), at)
}

// answered is the byte at a place of what the application behind a port answers to what was said.
func answered(port uint16, id, at int) byte {
	switch port {
	case portBanner:
		if at < bannerSize {
			return content(portBanner<<20, at)
		}
		return said(id, at-bannerSize)
	case portSource:
		return content(portSource<<20, at)
	default:
		return said(id, at)
	}
}

// fill is n bytes of a stream from a place on.
func fill(n, at int, stream func(at int) byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = stream(at + i)
	}
	return b
}

// follows reports whether b is what a stream holds from a place on.
func follows(b []byte, at int, stream func(at int) byte) bool {
	for i := range b {
		if b[i] != stream(at+i) {
			return false
		}
	}
	return true
}
