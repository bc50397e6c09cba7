package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestReadWithTakesNoBufferWhileIdle(t *testing.T) {
	client, server := pair(t)
	taken := make(chan struct{})
	type outcome struct {
		n   int
		err error
	}
	done := make(chan outcome)
	buf := make([]byte, 16)
	go func() {
		n, err := server.ReadWith(func() []byte { close(taken); return buf })
		done <- outcome{n, err}
	}()
	select {
	case <-taken:
		t.Fatal("a buffer was taken before anything came")
	case <-time.After(20 * time.Millisecond):
	}
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if o := <-done; o.err != nil || string(buf[:o.n]) != "hello" {
		t.Errorf("read %q, %v", buf[:o.n], o.err)
	}
}

func TestReadWithBytesLeftFromAnEarlierEdge(t *testing.T) {
	client, server := pair(t)
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	var got []byte
	buf := make([]byte, 2)
	for len(got) < 5 {
		n, err := server.ReadWith(func() []byte { return buf })
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
	}
	if string(got) != "hello" {
		t.Errorf("read %q", got)
	}
}

func TestReadWithEnds(t *testing.T) {
	buf := make([]byte, 8)
	tests := []struct {
		name string
		act  func(t *testing.T, client, server Conn)
		want error
	}{
		{"half-close", func(_ *testing.T, client, _ Conn) { _ = client.CloseWrite() }, io.EOF},
		{"close", func(_ *testing.T, client, _ Conn) { _ = client.Close() }, io.EOF},
		{"reset", func(_ *testing.T, client, _ Conn) { _ = client.Abort() }, syscall.ECONNRESET},
		{"own close", func(_ *testing.T, _, server Conn) { _ = server.Close() }, net.ErrClosed},
		{"deadline", func(_ *testing.T, _, server Conn) { _ = server.SetReadDeadline(time.Now()) }, os.ErrDeadlineExceeded},
	}
	for _, tt := range tests {
		for _, when := range []string{"before", "while waiting"} {
			t.Run(tt.name+" "+when, func(t *testing.T) {
				client, server := pair(t)
				done := make(chan error, 1)
				read := func() {
					_, err := server.ReadWith(func() []byte { return buf })
					done <- err
				}
				if when == "before" {
					tt.act(t, client, server)
					go read()
				} else {
					go read()
					tt.act(t, client, server)
				}
				if err := <-done; !errors.Is(err, tt.want) {
					t.Errorf("ends with %v, want %v", err, tt.want)
				}
			})
		}
	}
}

func TestReadWithDataThenEnd(t *testing.T) {
	client, server := pair(t)
	if _, err := client.Write([]byte("bye")); err != nil {
		t.Fatal(err)
	}
	_ = client.CloseWrite() // the end comes with the data: there is no second edge
	buf := make([]byte, 64)
	n, err := server.ReadWith(func() []byte { return buf })
	if err != nil || string(buf[:n]) != "bye" {
		t.Fatalf("read %q, %v", buf[:n], err)
	}
	if _, err := server.ReadWith(func() []byte { t.Error("a buffer was taken for the end"); return buf }); !errors.Is(err, io.EOF) {
		t.Errorf("then %v, want the end", err)
	}
	if _, err := server.Write([]byte("still open")); err != nil {
		t.Errorf("the other half: %v", err)
	}
}

func TestTryWriteFillsAndWaitWritableWakes(t *testing.T) {
	client, server := pair(t)
	sent, chunk := 0, bytes.Repeat([]byte("x"), 64<<10)
	for {
		n, err := client.TryWrite(chunk)
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		if n == 0 {
			break
		}
		if sent > 1<<30 {
			t.Fatal("the send buffer never fills")
		}
	}
	woken := make(chan error, 1)
	go func() { woken <- client.WaitWritable() }()
	select {
	case err := <-woken:
		// The kernel may have moved bytes on to the receiver meanwhile: then there is room indeed.
		if n, werr := client.TryWrite(chunk); err != nil || werr != nil || n == 0 {
			t.Fatalf("woken with %v, then wrote %d, %v", err, n, werr)
		} else {
			sent += n
		}
		go func() { woken <- client.WaitWritable() }()
	case <-time.After(20 * time.Millisecond):
	}
	received := make(chan int64, 1)
	go func() {
		n, _ := io.Copy(io.Discard, server)
		received <- n
	}()
	if err := <-woken; err != nil {
		t.Fatal(err)
	}
	n, err := client.TryWrite(chunk)
	if err != nil || n == 0 {
		t.Fatalf("after waking wrote %d, %v", n, err)
	}
	sent += n
	_ = client.CloseWrite()
	if got := <-received; got != int64(sent) {
		t.Errorf("received %d of %d bytes", got, sent)
	}
}

func TestTryWriteToAGonePeer(t *testing.T) {
	client, server := pair(t)
	_ = server.Abort()
	if _, err := client.ReadWith(func() []byte { return make([]byte, 1) }); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("reading gives %v", err)
	}
	if err := client.WaitWritable(); err != nil {
		t.Errorf("waiting gives %v, want it to leave the error to TryWrite", err)
	}
	if _, err := client.TryWrite([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing gives %v", err)
	}
	_ = client.Close()
	if _, err := client.TryWrite([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing to a closed one gives %v", err)
	}
	if err := client.WaitWritable(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("waiting on a closed one gives %v", err)
	}
}

func TestDataPathAllocatesNothing(t *testing.T) {
	client, server := pair(t)
	buf, message := make([]byte, 64), []byte("ping")
	buffer := func() []byte { return buf }
	exchange := func() {
		if _, err := client.TryWrite(message); err != nil {
			t.Fatal(err)
		}
		if _, err := server.ReadWith(buffer); err != nil {
			t.Fatal(err)
		}
		if err := server.WaitWritable(); err != nil {
			t.Fatal(err)
		}
	}
	exchange()
	if n := testing.AllocsPerRun(100, exchange); n > 0 {
		t.Errorf("an exchange makes %.1f allocations", n)
	}
}
