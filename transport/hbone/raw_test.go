package hbone

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw is a peer that writes whatever frames it likes. What it receives is told as text, one line a frame.
type raw struct {
	net.Conn
	f    *http2.Framer
	enc  *hpack.Encoder
	buf  bytes.Buffer
	told chan string // closed at the end of the connection
}

func newRaw(conn net.Conn) *raw {
	r := &raw{Conn: conn, told: make(chan string, 1<<16)}
	r.f = http2.NewFramer(conn, conn)
	r.f.AllowIllegalWrites = true
	r.f.AllowIllegalReads = true
	r.f.SetMaxReadFrameSize(1<<24 - 1)
	r.enc = hpack.NewEncoder(&r.buf)
	return r
}

// listen tells what arrives until the end, and closes then.
func (r *raw) listen() {
	defer close(r.told)
	defer func() { _ = r.Close() }()
	dec := hpack.NewDecoder(4096, nil)
	for {
		f, err := r.f.ReadFrame()
		if err != nil {
			return
		}
		r.told <- tell(f, dec)
	}
}

func tell(f http2.Frame, dec *hpack.Decoder) string {
	h := f.Header()
	var b strings.Builder
	fmt.Fprintf(&b, "%v", h.Type)
	if h.StreamID != 0 {
		fmt.Fprintf(&b, " %d", h.StreamID)
	}
	switch f := f.(type) {
	case *http2.GoAwayFrame:
		fmt.Fprintf(&b, " %d %v", f.LastStreamID, f.ErrCode)
	case *http2.RSTStreamFrame:
		fmt.Fprintf(&b, " %v", f.ErrCode)
	case *http2.DataFrame:
		fmt.Fprintf(&b, " %d", len(f.Data()))
		if f.StreamEnded() {
			b.WriteString(" END")
		}
	case *http2.WindowUpdateFrame:
		fmt.Fprintf(&b, " %d", f.Increment)
	case *http2.HeadersFrame:
		fields, _ := dec.DecodeFull(f.HeaderBlockFragment())
		for _, hf := range fields {
			fmt.Fprintf(&b, " %s=%s", hf.Name, hf.Value)
		}
		if f.StreamEnded() {
			b.WriteString(" END")
		}
	case *http2.SettingsFrame:
		if f.IsAck() {
			b.WriteString(" ACK")
		}
	case *http2.PingFrame:
		if f.IsAck() {
			b.WriteString(" ACK")
		}
	}
	return b.String()
}

// await waits for a line and returns all up to it. It fails if the connection ends before.
func (r *raw) await(t testing.TB, line string) []string {
	t.Helper()
	var seen []string
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case got, open := <-r.told:
			if !open {
				t.Fatalf("the connection ended without %q; before: %q", line, tail(seen))
			}
			seen = append(seen, got)
			if got == line {
				return seen
			}
		case <-late.C:
			t.Fatalf("%q did not come; before: %q", line, tail(seen))
		}
	}
}

func tail(s []string) []string { return s[max(0, len(s)-8):] }

// awaitEnd waits for the end of the connection.
func (r *raw) awaitEnd(t testing.TB) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case _, open := <-r.told:
			if !open {
				return
			}
		case <-late.C:
			t.Fatal("the connection does not end")
		}
	}
}

// block encodes name, value pairs.
func (r *raw) block(pairs ...string) []byte {
	r.buf.Reset()
	for i := 0; i < len(pairs); i += 2 {
		_ = r.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return bytes.Clone(r.buf.Bytes())
}

// headers writes a whole block in one frame.
func (r *raw) headers(id uint32, end bool, pairs ...string) {
	_ = r.f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: true, EndStream: end, BlockFragment: r.block(pairs...)})
}

// connect writes a proper CONNECT.
func (r *raw) connect(id uint32) {
	r.headers(id, false, ":method", "CONNECT", ":authority", "10.0.0.2:80")
}

// rawClient is a hostile client of a server.
type rawClient struct {
	*raw
	server   *Server
	served   chan error
	stats    *Stats
	requests chan *ServerStream
}

// attack starts a server and greets it. Requests are left to the test where handle is nil.
func attack(t testing.TB, s Settings, handle func(*ServerStream)) *rawClient {
	t.Helper()
	a, b := connect(t, memory())
	c := silent(t, a, b, s, handle)
	if _, err := a.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	_ = c.f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	_ = c.f.WriteSettingsAck()
	c.await(t, "SETTINGS ACK")
	return c
}

// silent starts a server whose client says nothing yet.
func silent(t testing.TB, a, b net.Conn, s Settings, handle func(*ServerStream)) *rawClient {
	c := &rawClient{raw: newRaw(a), served: make(chan error, 1), stats: &Stats{}, requests: make(chan *ServerStream, 1000)}
	s.Stats = c.stats
	if handle == nil {
		handle = func(r *ServerStream) { c.requests <- r }
	}
	c.server = NewServer(b, s, handle)
	go c.listen()
	go func() { c.served <- c.server.Serve() }()
	t.Cleanup(func() {
		_ = c.Close()
		c.server.Abort(nil)
		<-c.server.c.done
		c.awaitEnd(t)
	})
	return c
}

// code is the error code that the server's connection ended with.
func (c *rawClient) code(t testing.TB) http2.ErrCode {
	t.Helper()
	var ce *ConnError
	if err := <-c.served; !errors.As(err, &ce) {
		t.Fatalf("ended with %v, want a ConnError", err)
	}
	return ce.Code
}

// rawServer is a hostile server of a client.
type rawServer struct {
	*raw
	client *Client
	stats  *Stats
}

// trap starts a client whose server is the test.
func trap(t testing.TB, s Settings) *rawServer {
	t.Helper()
	a, b := connect(t, memory())
	sv := &rawServer{raw: newRaw(b), stats: &Stats{}}
	s.Stats = sv.stats
	var err error
	if sv.client, err = NewClient(a, s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.Close()
		sv.client.Abort(nil)
		<-sv.client.Done()
	})
	return sv
}

// opened is what an Open came to.
type opened struct {
	s   *Stream
	r   *Response
	err error
}

// open starts an Open, reads the client's preface and waits for its first CONNECT.
func (sv *rawServer) open(t testing.TB, first bool, greet ...http2.Setting) chan opened {
	t.Helper()
	done := make(chan opened, 1)
	go func() {
		s, r, err := sv.client.Open(t.Context(), "10.0.0.2:80", nil)
		done <- opened{s, r, err}
	}()
	if first {
		p := make([]byte, len(http2.ClientPreface))
		if _, err := readFull(sv.Conn, p); err != nil || string(p) != http2.ClientPreface {
			t.Fatalf("%q, %v", p, err)
		}
		go sv.listen()
		_ = sv.f.WriteSettings(greet...)
		_ = sv.f.WriteSettingsAck()
		sv.await(t, "HEADERS 1 :method=CONNECT :authority=10.0.0.2:80")
	}
	return done
}

func readFull(c net.Conn, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = c.Read(p[n:])
		n += k
	}
	return n, err
}
