package hbone

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// sink is a connection that takes everything and from which nothing comes.
type sink struct{ net.Conn }

func (sink) Read([]byte) (int, error)         { return 0, io.EOF }
func (sink) Write(p []byte) (int, error)      { return len(p), nil }
func (sink) TryWrite(p []byte) (int, error)   { return len(p), nil }
func (sink) WaitWritable() error              { return nil }
func (sink) Close() error                     { return nil }
func (sink) CloseWrite() error                { return nil }
func (sink) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (sink) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (sink) SetDeadline(time.Time) error      { return nil }
func (sink) SetReadDeadline(time.Time) error  { return nil }
func (sink) SetWriteDeadline(time.Time) error { return nil }

// feedAll feeds data in pieces of the size that cut gives, as reads would, and checks what must hold afterwards.
func feedAll(t *testing.T, c *conn, data []byte, cut uint8) {
	go c.write()
	var err error
	for len(data) > 0 && err == nil {
		n := min(len(data), int(cut)+1)
		err = c.feed(data[:n])
		data = data[n:]
		c.checkHeading()
		c.drain()
	}
	var ce *ConnError
	if err != nil && !errors.As(err, &ce) {
		t.Errorf("%v is no ConnError", err)
	}
	c.mu.Lock()
	if n := uint32(len(c.streams)); c.server && n > c.set.MaxConcurrentStreams {
		t.Errorf("%d streams", n)
	}
	if c.recvWindow > int64(c.set.ConnWindow) {
		t.Errorf("the window grew to %d", c.recvWindow)
	}
	c.mu.Unlock()
	c.fail(io.EOF)
	close(c.quit)
	<-c.writer.ended
	if n := c.buffered.Load(); n < 0 || n > int64(c.set.StreamWindow)*int64(c.set.MaxConcurrentStreams) {
		t.Errorf("%d bytes kept", n)
	}
}

// session is a seed: what well-behaved peers say.
func session(frames func(f *http2.Framer, block func(pairs ...string) []byte)) []byte {
	var out, buf bytes.Buffer
	enc := hpack.NewEncoder(&buf)
	f := http2.NewFramer(&out, nil)
	f.AllowIllegalWrites = true
	frames(f, func(pairs ...string) []byte {
		buf.Reset()
		for i := 0; i < len(pairs); i += 2 {
			_ = enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
		}
		return bytes.Clone(buf.Bytes())
	})
	return out.Bytes()
}

func FuzzServerFrames(f *testing.F) {
	f.Add(session(func(f *http2.Framer, block func(...string) []byte) {
		_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 22})
		_ = f.WriteSettingsAck()
		b := block(":method", "CONNECT", ":authority", "10.0.0.1:80", "baggage", "a=b")
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:4], PadLength: 3})
		_ = f.WriteContinuation(1, true, b[4:])
		_ = f.WriteDataPadded(1, false, []byte("hello"), make([]byte, 4))
		_ = f.WriteWindowUpdate(0, 10)
		_ = f.WriteWindowUpdate(1, 10)
		_ = f.WritePing(false, [8]byte{1})
		_ = f.WriteData(1, true, nil)
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block(":method", "GET", ":scheme", "https", ":path", "/"), EndStream: true, EndHeaders: true})
		_ = f.WriteRSTStream(3, http2.ErrCodeCancel)
		_ = f.WriteGoAway(0, http2.ErrCodeNo, []byte("bye"))
	}), uint8(7))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		handle := func(r *ServerStream) {
			if r.Method != "CONNECT" || r.Authority == "" {
				r.Refuse(400)
				return
			}
			if s, err := r.Accept([]Header{{"baggage", "x"}}); err == nil && len(r.Headers)%2 == 1 {
				s.Deliver(&drop{})
			}
		}
		set := Settings{MaxConcurrentStreams: 3, StreamWindow: 100 << 10}
		sv := NewServer(sink{}, set, handle)
		feedAll(t, sv.c, append([]byte(http2.ClientPreface), data...), cut)
	})
}

// drop is an outlet that takes a little, then nothing.
type drop struct{ n, ended int }

func (d *drop) TryWrite(p []byte) (int, error) {
	if d.n++; d.n > 3 {
		return 0, io.ErrClosedPipe
	}
	return len(p) / d.n, nil
}
func (d *drop) WaitWritable() error { return nil }
func (d *drop) Delivered(int)       {}
func (d *drop) Ended(_, _ error) {
	if d.ended++; d.ended > 1 {
		panic("ended twice")
	}
}

func FuzzClientFrames(f *testing.F) {
	f.Add(session(func(f *http2.Framer, block func(...string) []byte) {
		_ = f.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 10}, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 20})
		_ = f.WriteSettingsAck()
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(":status", "200", "baggage", "a=b"), EndHeaders: true})
		_ = f.WriteData(1, false, []byte("hello"))
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block(":status", "103"), EndHeaders: true})
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block(":status", "401"), EndHeaders: true, EndStream: true})
		_ = f.WriteRSTStream(3, http2.ErrCodeNo)
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block("grpc-status", "0"), EndHeaders: true, EndStream: true})
		_ = f.WriteGoAway(5, http2.ErrCodeNo, nil)
	}), uint8(50))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		c, err := newConn(sink{}, Settings{StreamWindow: 100 << 10}.or(ClientDefaults()), false)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			s, err := c.open(t.Context(), "10.0.0.1:80", nil)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				s.Deliver(&drop{})
			}
		}
		feedAll(t, c, data, cut)
	})
}

// A request that is taken has none of what makes one malformed.
func FuzzConnectHeaders(f *testing.F) {
	f.Add("CONNECT", "10.0.0.1:80", "baggage", "a=b")
	f.Add("CONNECT", "[::1]:80", "forwarded", `for="[::1]:80";host=a.b`)
	f.Add("GET", "a", ":path", "/")
	f.Fuzz(func(t *testing.T, method, authority, name, value string) {
		data := session(func(f *http2.Framer, block func(...string) []byte) {
			_ = f.WriteSettings()
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(":method", method, ":authority", authority, name, value), EndHeaders: true})
		})
		sv := NewServer(sink{}, Settings{}, func(r *ServerStream) {
			for _, h := range append(r.Headers, Header{"a", r.Authority}, Header{"a", r.Method}) {
				if h.Name == "" || h.Name != strings.ToLower(h.Name) || strings.ContainsAny(h.Name, ": \r\n\x00") || strings.ContainsAny(h.Value, "\r\n\x00") {
					t.Errorf("taken: %q: %q", h.Name, h.Value)
				}
			}
			if r.Method == "CONNECT" && strings.HasPrefix(name, ":") {
				t.Errorf("taken with %s", name)
			}
			if strings.ContainsAny(r.Authority, "/@?#\\ \"<>") {
				t.Errorf("authority %q", r.Authority)
			}
		})
		feedAll(t, sv.c, append([]byte(http2.ClientPreface), data...), 255)
	})
}

// Records reach TLS whole, in order and complete, however they arrive.
func FuzzCoalescer(f *testing.F) {
	f.Add([]byte{23, 3, 3, 0, 4, 1, 2, 3, 4, 23, 3, 3, 0, 1, 9}, uint8(3), uint8(5))
	f.Add([]byte{23, 3, 3, 0xff, 0xff, 1}, uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, arrive, take uint8) {
		c := Coalesce(&trickle{data: data, size: int(arrive) + 1})
		c.hold()
		var got []byte
		p := make([]byte, int(take)+1)
		for {
			n, err := c.Read(p)
			got = append(got, p[:n]...)
			if errors.Is(err, errAgain) {
				c.wait()
				continue
			}
			if err != nil {
				break
			}
		}
		if !bytes.HasPrefix(data, got) || len(data)-len(got) > recordLimit+recordHeader {
			t.Errorf("%d of %d bytes, a prefix: %v", len(got), len(data), bytes.HasPrefix(data, got))
		}
		if c.in != nil && c.in.w-c.in.r != len(data)-len(got) {
			t.Error("bytes are lost")
		}
	})
}

// trickle delivers a few bytes at a time.
type trickle struct {
	sink
	data []byte
	size int
}

func (tr *trickle) Read(p []byte) (int, error) {
	if len(tr.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, tr.data[:min(tr.size, len(tr.data))])
	tr.data = tr.data[n:]
	return n, nil
}
