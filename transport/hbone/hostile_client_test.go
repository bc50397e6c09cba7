package hbone

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
)

// Each of these ends the connection with a code, and counts.
func TestServerEndsConnections(t *testing.T) {
	for _, c := range []struct {
		name    string
		do      func(c *rawClient)
		want    http2.ErrCode
		counter func(s *Stats) *atomic.Uint64
	}{
		{"reset flood", func(c *rawClient) {
			for id := uint32(1); id < 2000; id += 2 {
				c.connect(id)
				_ = c.f.WriteRSTStream(id, http2.ErrCodeCancel)
			}
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.ResetFloods }},
		{"ping flood", func(c *rawClient) {
			for range 1000 {
				_ = c.f.WritePing(false, [8]byte{})
			}
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.PingFloods }},
		{"settings flood", func(c *rawClient) {
			for range 200 {
				_ = c.f.WriteSettings()
			}
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.SettingsFloods }},
		{"settings of many entries", func(c *rawClient) {
			_ = c.f.WriteRawFrame(http2.FrameSettings, 0, 0, make([]byte, 6*(settingsLimit+1)))
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.SettingsFloods }},
		{"empty DATA flood", func(c *rawClient) {
			c.connect(1)
			for range 3000 {
				_ = c.f.WriteData(1, false, nil)
			}
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.EmptyFrameFloods }},
		{"padding flood", func(c *rawClient) {
			c.connect(1)
			for range 3000 {
				_ = c.f.WriteDataPadded(1, false, nil, make([]byte, 7))
			}
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.EmptyFrameFloods }},
		{"priority flood", func(c *rawClient) {
			for range 20000 {
				_ = c.f.WritePriority(1, http2.PriorityParam{StreamDep: 3})
			}
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.IgnoredFrameFloods }},
		{"unknown frame flood", func(c *rawClient) {
			for range 20000 {
				_ = c.f.WriteRawFrame(0xf0, 0xff, 5, []byte("?"))
			}
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.IgnoredFrameFloods }},
		{"continuation flood", func(c *rawClient) {
			_ = c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})
			for range 200 {
				_ = c.f.WriteContinuation(1, false, nil)
			}
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.ContinuationFloods }},
		{"endless header block", func(c *rawClient) {
			_ = c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block(":method", "CONNECT")})
			for range 40 {
				_ = c.f.WriteContinuation(1, false, bytes.Repeat(c.block("x-a", strings.Repeat("~", 5000)), 3))
			}
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.HeaderListsTooLarge }},
		{"header longer than the list may be", func(c *rawClient) {
			c.headers(1, false, ":method", "CONNECT", "x-a", strings.Repeat("~", 70<<10))
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.HeaderListsTooLarge }},
		{"malformed request flood", func(c *rawClient) {
			for id := uint32(1); id < 4000; id += 2 {
				c.headers(id, true, ":method", "CONNECT", ":path", "/")
			}
		}, http2.ErrCodeEnhanceYourCalm, func(s *Stats) *atomic.Uint64 { return &s.ErrorFloods }},
		{"connection window overrun", func(c *rawClient) {
			c.connect(1)
			for range 20 {
				_ = c.f.WriteRawFrame(http2.FrameData, 0, 1, nil)
			}
			_ = c.f.WriteWindowUpdate(0, 1<<31-1)
		}, http2.ErrCodeFlowControl, func(s *Stats) *atomic.Uint64 { return &s.FlowControlErrors }},
		{"initial window above the limit", func(c *rawClient) {
			_ = c.f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
		}, http2.ErrCodeFlowControl, func(s *Stats) *atomic.Uint64 { return &s.FlowControlErrors }},
		{"initial window overflows a stream", func(c *rawClient) {
			c.connect(1)
			_ = c.f.WriteWindowUpdate(1, 1<<30)
			_ = c.f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		}, http2.ErrCodeFlowControl, func(s *Stats) *atomic.Uint64 { return &s.FlowControlErrors }},
		{"push promise", func(c *rawClient) {
			_ = c.f.WriteRawFrame(http2.FramePushPromise, 0, 1, make([]byte, 8))
		}, http2.ErrCodeProtocol, protocolErrors},
		{"DATA on stream 0", func(c *rawClient) { _ = c.f.WriteRawFrame(http2.FrameData, 0, 0, nil) }, http2.ErrCodeProtocol, protocolErrors},
		{"DATA on an idle stream", func(c *rawClient) { _ = c.f.WriteRawFrame(http2.FrameData, 0, 5, nil) }, http2.ErrCodeProtocol, protocolErrors},
		{"RST on an idle stream", func(c *rawClient) { _ = c.f.WriteRSTStream(5, 0) }, http2.ErrCodeProtocol, protocolErrors},
		{"WINDOW_UPDATE on an idle stream", func(c *rawClient) { _ = c.f.WriteWindowUpdate(5, 1) }, http2.ErrCodeProtocol, protocolErrors},
		{"WINDOW_UPDATE of 0", func(c *rawClient) { _ = c.f.WriteWindowUpdate(0, 0) }, http2.ErrCodeProtocol, protocolErrors},
		{"even stream", func(c *rawClient) { c.connect(2) }, http2.ErrCodeProtocol, protocolErrors},
		{"HEADERS on a closed stream", func(c *rawClient) {
			c.connect(3)
			c.connect(1)
		}, http2.ErrCodeStreamClosed, protocolErrors},
		{"CONTINUATION without HEADERS", func(c *rawClient) { _ = c.f.WriteContinuation(1, true, nil) }, http2.ErrCodeProtocol, protocolErrors},
		{"PING inside a header block", func(c *rawClient) {
			_ = c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})
			_ = c.f.WritePing(false, [8]byte{})
		}, http2.ErrCodeProtocol, protocolErrors},
		{"padding longer than the frame", func(c *rawClient) {
			c.connect(1)
			_ = c.f.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, 1, []byte{200, 1, 2})
		}, http2.ErrCodeProtocol, protocolErrors},
		{"padded HEADERS longer than the frame", func(c *rawClient) {
			_ = c.f.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, 1, []byte{9, 1, 2})
		}, http2.ErrCodeProtocol, protocolErrors},
		{"garbage in a header block", func(c *rawClient) {
			_ = c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})
		}, http2.ErrCodeCompression, protocolErrors},
		{"frame above the limit", func(c *rawClient) {
			_, _ = c.Write([]byte{0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1})
		}, http2.ErrCodeFrameSize, protocolErrors},
		{"short PING", func(c *rawClient) { _ = c.f.WriteRawFrame(http2.FramePing, 0, 0, make([]byte, 7)) }, http2.ErrCodeFrameSize, protocolErrors},
		{"short RST_STREAM", func(c *rawClient) { _ = c.f.WriteRawFrame(http2.FrameRSTStream, 0, 1, make([]byte, 3)) }, http2.ErrCodeFrameSize, protocolErrors},
		{"short GOAWAY", func(c *rawClient) { _ = c.f.WriteRawFrame(http2.FrameGoAway, 0, 0, make([]byte, 7)) }, http2.ErrCodeFrameSize, protocolErrors},
		{"SETTINGS ACK with payload", func(c *rawClient) {
			_ = c.f.WriteRawFrame(http2.FrameSettings, http2.FlagSettingsAck, 0, make([]byte, 6))
		}, http2.ErrCodeFrameSize, protocolErrors},
		{"SETTINGS on a stream", func(c *rawClient) { _ = c.f.WriteRawFrame(http2.FrameSettings, 0, 1, nil) }, http2.ErrCodeProtocol, protocolErrors},
		{"PING on a stream", func(c *rawClient) { _ = c.f.WriteRawFrame(http2.FramePing, 0, 1, make([]byte, 8)) }, http2.ErrCodeProtocol, protocolErrors},
		{"invalid frame size setting", func(c *rawClient) {
			_ = c.f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1})
		}, http2.ErrCodeProtocol, protocolErrors},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := attack(t, Settings{}, nil)
			c.do(a)
			if code := a.code(t); code != c.want {
				t.Errorf("ended with %v, want %v", code, c.want)
			}
			found := false
			for line := range a.told {
				found = found || strings.HasPrefix(line, "GOAWAY") && strings.HasSuffix(line, " "+c.want.String())
			}
			if !found {
				t.Error("no GOAWAY with the code")
			}
			if n := c.counter(a.stats).Load(); n != 1 {
				t.Errorf("counted %d", n)
			}
		})
	}
}

func protocolErrors(s *Stats) *atomic.Uint64 { return &s.ProtocolErrors }

// Each of these resets a stream and leaves the connection alone.
func TestServerResetsStreams(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(c *rawClient)
		want string
	}{
		{"CONNECT with :path", func(c *rawClient) { c.headers(1, false, ":method", "CONNECT", ":authority", "a:1", ":path", "/") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"CONNECT with :scheme", func(c *rawClient) { c.headers(1, false, ":method", "CONNECT", ":authority", "a:1", ":scheme", "https") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"CONNECT with :protocol", func(c *rawClient) {
			c.headers(1, false, ":method", "CONNECT", ":authority", "a:1", ":protocol", "websocket")
		}, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"bad authority", func(c *rawClient) { c.headers(1, false, ":method", "CONNECT", ":authority", "a b:1") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"upper-case name", func(c *rawClient) { c.headers(1, false, ":method", "CONNECT", "Baggage", "x") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"connection header", func(c *rawClient) { c.headers(1, false, ":method", "CONNECT", "connection", "close") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"te", func(c *rawClient) { c.headers(1, false, ":method", "CONNECT", "te", "gzip") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"pseudo header at the end", func(c *rawClient) { c.headers(1, false, ":method", "CONNECT", "a", "b", ":authority", "a:1") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"two methods", func(c *rawClient) { c.headers(1, false, ":method", "CONNECT", ":method", "CONNECT") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"no method", func(c *rawClient) { c.headers(1, false, ":authority", "a:1") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"unknown pseudo header", func(c *rawClient) { c.headers(1, false, ":method", "CONNECT", ":x", "y") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"line feed in a value", func(c *rawClient) { c.headers(1, false, ":method", "CONNECT", "a", "b\nc") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{":status in a request", func(c *rawClient) { c.headers(1, false, ":method", "CONNECT", ":status", "200") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"header list too large", func(c *rawClient) {
			pairs := []string{":method", "CONNECT"}
			for range 70 {
				pairs = append(pairs, "x-a", strings.Repeat("b", 1000))
			}
			c.headers(1, false, pairs...)
		}, "HEADERS 1 :status=431 END"},
		{"stream window overrun", func(c *rawClient) {
			c.connect(1)
			for range 5 {
				_ = c.f.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 1<<20))
			}
		}, "RST_STREAM 1 FLOW_CONTROL_ERROR"},
		{"stream window overflow", func(c *rawClient) {
			c.connect(1)
			_ = c.f.WriteWindowUpdate(1, 1<<31-1)
		}, "RST_STREAM 1 FLOW_CONTROL_ERROR"},
		{"WINDOW_UPDATE of 0", func(c *rawClient) {
			c.connect(1)
			_ = c.f.WriteWindowUpdate(1, 0)
		}, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"DATA after END_STREAM", func(c *rawClient) {
			c.connect(1)
			_ = c.f.WriteData(1, true, nil)
			_ = c.f.WriteData(1, false, []byte("x"))
		}, "RST_STREAM 1 STREAM_CLOSED"},
		{"HEADERS inside a stream", func(c *rawClient) {
			c.connect(1)
			c.headers(1, false, "a", "b")
		}, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"pseudo header in trailers", func(c *rawClient) {
			c.connect(1)
			c.headers(1, true, ":method", "CONNECT")
		}, "RST_STREAM 1 PROTOCOL_ERROR"},
		{"DATA after the peer's own reset", func(c *rawClient) {
			c.connect(1)
			_ = c.f.WriteRSTStream(1, http2.ErrCodeCancel)
			_ = c.f.WriteData(1, false, []byte("x"))
		}, "RST_STREAM 1 STREAM_CLOSED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := attack(t, Settings{}, nil)
			c.do(a)
			a.await(t, c.want)
			a.connect(101)
			r := <-a.requests
			for r.s.id != 101 {
				r = <-a.requests
			}
			if _, err := r.Accept(nil); err != nil {
				t.Fatal(err)
			}
			a.await(t, "HEADERS 101 :status=200")
		})
	}
}

func TestServerRefusesStreamsAboveTheLimit(t *testing.T) {
	a := attack(t, Settings{MaxConcurrentStreams: 2}, nil)
	a.connect(1)
	a.connect(3)
	a.connect(5)
	a.await(t, "RST_STREAM 5 REFUSED_STREAM")
	if n := a.stats.StreamsRefused.Load(); n != 1 {
		t.Errorf("counted %d", n)
	}
	(<-a.requests).Refuse(503)
	a.await(t, "HEADERS 1 :status=503 END")
	a.await(t, "RST_STREAM 1 NO_ERROR")
	a.connect(7)
	<-a.requests
	if r := <-a.requests; r.s.id != 7 {
		t.Errorf("stream %d was let in", r.s.id)
	}
}

// A peer that does not read its answers must not make them pile up.
func TestServerBoundsProvokedFrames(t *testing.T) {
	a, b := connect(t, memory())
	c := &rawClient{raw: newRaw(a), served: make(chan error, 1), stats: &Stats{}}
	c.server = NewServer(b, Settings{Stats: c.stats, MaxConcurrentStreams: 1}, func(*ServerStream) {})
	go func() { c.served <- c.server.Serve() }()
	_, _ = a.Write([]byte(http2.ClientPreface))
	_ = c.f.WriteSettings()
	s := c.server.c
	err := func() (err error) { // nobody writes meanwhile: that takes the lock
		s.mu.Lock()
		defer s.mu.Unlock()
		for range provokedLimit + 1 {
			if err = s.provoke(pingFrame(http2.FlagPingAck, [8]byte{})); err != nil {
				return err
			}
		}
		return nil
	}()
	if err == nil || c.stats.ProvokedOverflows.Load() != 1 {
		t.Errorf("%v, counted %d", err, c.stats.ProvokedOverflows.Load())
	}
	_ = a.Close()
	<-c.served
}
