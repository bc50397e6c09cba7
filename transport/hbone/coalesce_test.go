package hbone

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
)

// counting counts writes to the socket.
type counting struct {
	net.Conn
	writes int
	taken  []byte
	full   bool
}

func (c *counting) TryWrite(p []byte) (int, error) {
	c.writes++
	n := len(p)
	if c.full {
		n /= 2
	}
	c.taken = append(c.taken, p[:n]...)
	return n, nil
}
func (c *counting) WaitWritable() error { return nil }

func TestCoalescerGathersWrites(t *testing.T) {
	under := &counting{}
	c := Coalesce(under)
	c.hold()
	var want []byte
	for i := range 100 {
		p := bytes.Repeat([]byte{byte(i)}, 1000)
		want = append(want, p...)
		if n, err := c.Write(p); n != 1000 || err != nil {
			t.Fatal(n, err)
		}
	}
	if under.writes != 0 || c.buffered() != 100_000 {
		t.Errorf("%d writes, %d bytes kept", under.writes, c.buffered())
	}
	under.full = true
	if done, err := c.flush(); done || err != nil {
		t.Errorf("flushed into a full socket: %v, %v", done, err)
	}
	under.full = false
	if done, err := c.flush(); !done || err != nil {
		t.Error(done, err)
	}
	if !bytes.Equal(under.taken, want) || under.writes != 2 {
		t.Errorf("%d bytes in %d writes", len(under.taken), under.writes)
	}
}

// What TLS says by itself while the socket takes nothing is bounded.
func TestCoalescerBoundsWhatItGathers(t *testing.T) {
	c := Coalesce(&counting{})
	c.hold()
	var err error
	total := 0
	for range 1000 {
		var n int
		if n, err = c.Write(make([]byte, 4096)); err != nil {
			break
		}
		total += n
	}
	if !errors.Is(err, errSealedOverflow) || total > bufferSizes[bufferSealed]+extraLimit+4096 {
		t.Errorf("took %d bytes, %v", total, err)
	}
	for c.buffered() > 0 {
		if done, err := c.flush(); !done || err != nil {
			t.Fatal(done, err)
		}
	}
	if n := len(c.Conn.(*counting).taken); n < total {
		t.Errorf("%d of %d bytes written", n, total)
	}
}

func TestCoalescerPassesTheHandshakeThrough(t *testing.T) {
	a, b := connect(t, memory())
	client, server := secure(t, a, b)
	sent := payload(300_000)
	go func() {
		_, _ = client.Write(sent)
		_ = client.CloseWrite()
	}()
	if got, err := io.ReadAll(server); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	_ = a.Close()
	_ = b.Close()
}

// Nothing is held while a connection idles.
func TestCoalescerHoldsNothingWhileIdle(t *testing.T) {
	a, b := connect(t, memory())
	client, server := secure(t, a, b)
	under := server.NetConn().(*Coalescer)
	rec, err := newRecord(server)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	rec.Wait()
	p := make([]byte, 100)
	if n, err := rec.Read(p); string(p[:n]) != "hello" || err != nil {
		t.Errorf("%q, %v", p[:n], err)
	}
	if _, err := rec.Read(p); !errors.Is(err, errAgain) {
		t.Errorf("%v, want errAgain", err)
	}
	if under.in != nil || under.out != nil || under.flushing != nil {
		t.Error("it holds a buffer")
	}
	_ = a.Close()
	rec.Wait()
	if _, err := rec.Read(p); err == nil || errors.Is(err, errAgain) {
		t.Errorf("%v, want the end", err)
	}
	_ = b.Close()
}

func TestUnfinishedHandshakeIsRefused(t *testing.T) {
	a, b := net.Pipe()
	if _, err := NewClient(tls.Client(Coalesce(a), clientTLS()), Settings{}); !errors.Is(err, ErrHandshakeIncomplete) {
		t.Error(err)
	}
	sv := NewServer(tls.Server(Coalesce(b), serverTLS()), Settings{}, nil)
	sv.Drain()
	sv.Abort(nil)
	if err := sv.Serve(); !errors.Is(err, ErrHandshakeIncomplete) || sv.ActiveStreams() != 0 {
		t.Error(err)
	}
}
