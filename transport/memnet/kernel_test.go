package memnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// The same expectations hold for the kernel's network and for ours.
var networks = []struct {
	name string
	make func() socket.Network
}{
	{"kernel", func() socket.Network { return socket.New(socket.Config{}) }},
	{"memory", func() socket.Network { return New(Options{}).AddHost(netip.MustParseAddr("10.0.0.1")) }},
}

const patience = 10 * time.Second

// connected is both ends of a connection over loopback.
func connected(t *testing.T, n socket.Network) (client, server socket.Conn) {
	t.Helper()
	l, err := n.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client, err = n.Dial(t.Context(), l.Addr(), socket.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []socket.Conn{client, a.Conn} {
		_ = c.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { _ = c.Close() })
	}
	return client, a.Conn
}

func read(c socket.Conn) (string, error) {
	buf := make([]byte, 64)
	n, err := c.ReadWith(func() []byte { return buf })
	return string(buf[:n]), err
}

func mustWrite(t *testing.T, c socket.Conn, s string) {
	t.Helper()
	if n, err := c.TryWrite([]byte(s)); err != nil || n != len(s) {
		t.Fatalf("wrote %d, %v", n, err)
	}
}

func expect(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s gives %v, want %v", what, got, want)
	}
}

// fill writes until nothing more is taken for a while: the kernel may be late to move bytes on to the receiver.
func fill(t *testing.T, c socket.Conn) (sent int) {
	t.Helper()
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	for {
		n, err := c.TryWrite(chunk)
		if err != nil {
			t.Fatal(err)
		}
		if sent += n; n > 0 {
			continue
		}
		_ = c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		err = c.WaitWritable()
		_ = c.SetWriteDeadline(time.Now().Add(patience))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return sent
		}
	}
}

// writeUntilError writes until the peer's reset shows.
func writeUntilError(c socket.Conn) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := c.TryWrite([]byte("x")); err != nil {
			return err
		}
	}
	return nil
}

func TestBehavesLikeTheKernel(t *testing.T) {
	tests := []struct {
		name string
		run  func(t *testing.T, client, server socket.Conn)
	}{
		{"half-close", func(t *testing.T, client, server socket.Conn) {
			mustWrite(t, client, "question")
			if err := client.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if s, err := read(server); s != "question" || err != nil {
				t.Errorf("read %q, %v", s, err)
			}
			_, err := read(server)
			expect(t, "reading the end", err, io.EOF)
			_, err = read(server)
			expect(t, "reading it again", err, io.EOF)
			mustWrite(t, server, "answer")
			if s, err := read(client); s != "answer" || err != nil {
				t.Errorf("read %q, %v", s, err)
			}
			_, err = client.TryWrite([]byte("x"))
			expect(t, "writing after the end", err, syscall.EPIPE)
			expect(t, "waiting after the end", client.WaitWritable(), nil)
			expect(t, "a second half-close", client.CloseWrite(), nil)
		}},
		{"abort", func(t *testing.T, client, server socket.Conn) {
			mustWrite(t, client, "last words")
			expect(t, "abort", client.Abort(), nil)
			if s, err := read(server); s != "last words" || err != nil {
				t.Errorf("read %q, %v", s, err)
			}
			_, err := read(server)
			expect(t, "reading", err, syscall.ECONNRESET)
			expect(t, "waiting", server.WaitWritable(), nil)
			expect(t, "half-close", server.CloseWrite(), syscall.ENOTCONN)
			expect(t, "close", server.Close(), nil)
		}},
		{"write to an aborted peer", func(t *testing.T, client, server socket.Conn) {
			expect(t, "abort", client.Abort(), nil)
			expect(t, "writing", writeUntilError(server), syscall.ECONNRESET)
		}},
		{"close with unread bytes", func(t *testing.T, client, server socket.Conn) {
			mustWrite(t, client, "ignored")
			if _, err := server.Read(make([]byte, 1)); err != nil { // so it has arrived
				t.Fatal(err)
			}
			expect(t, "close", server.Close(), nil)
			_, err := read(client)
			expect(t, "reading", err, syscall.ECONNRESET)
		}},
		{"write to a closed peer", func(t *testing.T, client, server socket.Conn) {
			expect(t, "close", server.Close(), nil)
			_, err := read(client)
			expect(t, "reading", err, io.EOF)
			mustWrite(t, client, "anybody there?")
			expect(t, "writing again", writeUntilError(client), syscall.EPIPE)
			_, err = read(client)
			expect(t, "reading again", err, io.EOF)
		}},
		{"full buffer", func(t *testing.T, client, server socket.Conn) {
			sent := fill(t, client)
			_ = client.SetWriteDeadline(time.Now().Add(time.Millisecond))
			expect(t, "waiting in vain", client.WaitWritable(), os.ErrDeadlineExceeded)
			_, err := client.Write(make([]byte, 64<<20))
			expect(t, "writing in vain", err, os.ErrDeadlineExceeded)
			_ = client.SetWriteDeadline(time.Now().Add(patience))
			received := make(chan int64, 1)
			go func() {
				n, _ := io.Copy(io.Discard, server)
				received <- n
			}()
			expect(t, "waiting", client.WaitWritable(), nil)
			mustWrite(t, client, "more")
			sent += len("more")
			expect(t, "half-close", client.CloseWrite(), nil)
			if n := <-received; n < int64(sent) {
				t.Errorf("received %d of %d", n, sent)
			}
		}},
		{"blocking write", func(t *testing.T, client, server socket.Conn) {
			const size = 8 << 20
			go func() {
				_, _ = client.Write(make([]byte, size))
				_ = client.CloseWrite()
			}()
			if n, err := io.Copy(io.Discard, server); n != size || err != nil {
				t.Errorf("received %d, %v", n, err)
			}
		}},
		{"read deadline", func(t *testing.T, client, server socket.Conn) {
			_ = server.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := read(server)
			expect(t, "reading", err, os.ErrDeadlineExceeded)
			mustWrite(t, client, "late")
			_, err = read(server)
			expect(t, "reading what came later", err, os.ErrDeadlineExceeded)
			_ = server.SetReadDeadline(time.Time{})
			if s, err := read(server); s != "late" || err != nil {
				t.Errorf("read %q, %v", s, err)
			}
		}},
		{"own close", func(t *testing.T, client, server socket.Conn) {
			fill(t, client)
			result := make(chan error, 3)
			for _, wait := range []func() error{
				func() error { _, err := read(client); return err },
				client.WaitWritable,
			} {
				go func() { result <- wait() }()
			}
			expect(t, "close", client.Close(), nil)
			for range 2 {
				expect(t, "waiting", <-result, net.ErrClosed)
			}
			_, err := client.TryWrite([]byte("x"))
			expect(t, "writing", err, net.ErrClosed)
			expect(t, "half-close", client.CloseWrite(), net.ErrClosed)
			expect(t, "a second close", client.Close(), net.ErrClosed)
			expect(t, "a deadline", client.SetDeadline(time.Time{}), net.ErrClosed)
		}},
	}
	for _, n := range networks {
		for _, tt := range tests {
			t.Run(n.name+"/"+tt.name, func(t *testing.T) {
				client, server := connected(t, n.make())
				tt.run(t, client, server)
			})
		}
	}
}

func TestListensLikeTheKernel(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			network, ctx := n.make(), t.Context()
			l, err := network.Listen(ctx, netip.MustParseAddrPort("[::]:0"), socket.ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, busy := range []string{"[::]", "127.0.0.1", "0.0.0.0", "[::1]"} {
				addr := netip.MustParseAddrPort(busy + l.Addr().String()[len("[::]"):])
				_, err := network.Listen(ctx, addr, socket.ListenOptions{ReusePort: true})
				expect(t, "listening on "+busy, err, syscall.EADDRINUSE)
			}
			_, err = network.Listen(ctx, netip.MustParseAddrPort("192.0.2.9:80"), socket.ListenOptions{})
			expect(t, "listening on somebody else's address", err, syscall.EADDRNOTAVAIL)
			here := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), l.Addr().Port())
			_, err = network.Dial(ctx, here, socket.DialOptions{Source: netip.MustParseAddr("::1")})
			expect(t, "a source of another family", err, syscall.EAFNOSUPPORT)
			gone, cancel := context.WithCancel(ctx)
			cancel()
			_, err = network.Dial(gone, here, socket.DialOptions{})
			expect(t, "a cancelled dial", err, context.Canceled)
			c, err := network.Dial(ctx, here, socket.DialOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(patience))
			_ = l.Close() // nobody accepted it
			_, err = read(c)
			expect(t, "reading from a closed listener", err, syscall.ECONNRESET)
			_, err = l.Accept()
			expect(t, "accepting", err, net.ErrClosed)
			_, err = network.Dial(ctx, here, socket.DialOptions{})
			expect(t, "dialling", err, syscall.ECONNREFUSED)
			if got := socket.Text(err); got != "Connection refused (os error 111)" {
				t.Errorf("the error reads %q", got)
			}
		})
	}
}
