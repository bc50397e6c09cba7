package hbone

import (
	"io"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
)

// A peer that has not seen our SETTINGS yet may use the protocol's initial window, and gets ours from then on.
func TestSmallWindowBeforeItIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := connect(t, memory())
		c := silent(t, a, b, Settings{StreamWindow: 1000}, nil)
		_, _ = a.Write([]byte(http2.ClientPreface))
		_ = c.f.WriteSettings()
		c.connect(1)
		_ = c.f.WriteData(1, false, make([]byte, 16000))
		s, err := (<-c.requests).Accept(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, make([]byte, 16000)); err != nil {
			t.Fatal(err)
		}
		_ = c.f.WriteSettingsAck()
		_ = c.f.WriteData(1, false, make([]byte, 1000))
		if _, err := io.ReadFull(s, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		_ = c.f.WriteData(1, false, make([]byte, 1001))
		c.await(t, "RST_STREAM 1 FLOW_CONTROL_ERROR")
	})
}

func TestZeroSettingsAreTheRoles(t *testing.T) {
	c, s := Settings{}.or(ClientDefaults()), Settings{}.or(ServerDefaults())
	if c.MaxHeaderListSize != 16<<10 || s.MaxHeaderListSize != 64<<10 || s.MaxConcurrentStreams != 200 || c.StreamWindow != 4<<20 || c.ConnWindow != 16<<20 || c.MaxFrameSize != 1<<20 {
		t.Error(c, s)
	}
	odd := Settings{StreamWindow: 1 << 31, ConnWindow: 1, MaxFrameSize: 1 << 30}.or(c)
	if odd.StreamWindow != maxWindow || odd.ConnWindow != initialWindow || odd.MaxFrameSize != maxFrameSize || odd.Stats == nil {
		t.Error(odd)
	}
}
