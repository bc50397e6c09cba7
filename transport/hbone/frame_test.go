package hbone

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"
)

func TestFrameHeaderRoundTrip(t *testing.T) {
	h := frameHeader{length: 0x123456, typ: http2.FrameData, flags: 9, streamID: maxStreamID}
	var b [frameHeaderLen]byte
	h.put(b[:])
	if got := parseFrameHeader(b[:]); got != h {
		t.Error(got)
	}
	b[5] |= 0x80 // the reserved bit
	if got := parseFrameHeader(b[:]); got != h {
		t.Error(got)
	}
}

func TestLongHeaderBlocksAreSplit(t *testing.T) {
	block := bytes.Repeat([]byte("h"), 25)
	fr := http2.NewFramer(nil, bytes.NewReader(appendHeaders(nil, 5, true, block, 10)))
	fr.AllowIllegalReads = true
	var got []byte
	for i := range 3 {
		f, err := fr.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		var end bool
		switch f := f.(type) {
		case *http2.HeadersFrame:
			if i != 0 || !f.StreamEnded() {
				t.Error(f)
			}
			got, end = append(got, f.HeaderBlockFragment()...), f.HeadersEnded()
		case *http2.ContinuationFrame:
			got, end = append(got, f.HeaderBlockFragment()...), f.HeadersEnded()
		}
		if end != (i == 2) {
			t.Errorf("frame %d ends the block: %v", i, end)
		}
	}
	if !bytes.Equal(got, block) {
		t.Errorf("%q", got)
	}
}

func TestPiecesFillRecords(t *testing.T) {
	for limit, want := range map[int]int{16384: 16375, 1 << 20: 1<<20 - 9, 1<<24 - 1: 1<<24 - 9, 20000: 16375} {
		if got := wholeRecords(limit); got != want || got > limit {
			t.Errorf("limit %d: %d, want %d", limit, got, want)
		}
	}
}
