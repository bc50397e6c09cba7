package memnet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Link: Link{Latency: 10 * time.Millisecond}})
		start := time.Now()
		client, server := w.connect(t)
		if d := time.Since(start); d != 30*time.Millisecond {
			t.Errorf("accepted after %s, want three latencies", d)
		}
		start = time.Now()
		mustWrite(t, client, "ping")
		if s, err := read(server); s != "ping" || err != nil || time.Since(start) != 10*time.Millisecond {
			t.Errorf("read %q, %v after %s", s, err, time.Since(start))
		}
		start = time.Now()
		_ = client.CloseWrite()
		_, err := read(server)
		expect(t, "reading", err, io.EOF)
		if d := time.Since(start); d != 10*time.Millisecond {
			t.Errorf("the end came after %s", d)
		}
		_ = server.Abort()
		_, err = read(client)
		expect(t, "reading", err, syscall.ECONNRESET)
		if d := time.Since(start); d != 20*time.Millisecond {
			t.Errorf("the reset came after %s", d)
		}
	})
}

func TestBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Link: Link{Bandwidth: 1 << 20, Latency: time.Millisecond}})
		client, server := w.connect(t)
		start := time.Now()
		go func() {
			_, _ = client.Write(make([]byte, 4<<20))
			_ = client.Close()
		}()
		n, err := io.Copy(io.Discard, server)
		if want := 4*time.Second + time.Millisecond; n != 4<<20 || err != nil || time.Since(start) != want {
			t.Errorf("%d bytes, %v after %s, want %s", n, err, time.Since(start), want)
		}
	})
}

func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Link: Link{Latency: 10 * time.Millisecond}})
		client, server := w.connect(t)
		mustWrite(t, client, "early")
		<-time.After(10 * time.Millisecond)
		mustWrite(t, client, " under way")
		w.net.Partition(w.a, w.b)
		mustWrite(t, client, " late")
		if s, err := read(server); s != "early" || err != nil {
			t.Errorf("during the partition read %q, %v", s, err)
		}
		_ = server.SetReadDeadline(time.Now().Add(time.Hour))
		_, err := read(server)
		expect(t, "reading on", err, os.ErrDeadlineExceeded)
		_ = server.SetReadDeadline(time.Time{})
		healed := time.AfterFunc(time.Minute, func() { w.net.Heal(w.a, w.b) })
		defer healed.Stop()
		start := time.Now()
		s, err := read(server)
		if s != " under way late" || err != nil || time.Since(start) != time.Minute+10*time.Millisecond {
			t.Errorf("after healing read %q, %v after %s", s, err, time.Since(start))
		}
	})
}

func TestPartitionWithoutLatencyStopsEverything(t *testing.T) {
	for _, abort := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Options{})
			client, server := w.connect(t)
			w.net.Partition(w.a, w.b)
			w.net.Partition(w.b, w.a) // the same link
			mustWrite(t, client, "x")
			_ = client.CloseWrite()
			if abort {
				_ = client.Abort()
			}
			_ = server.SetReadDeadline(time.Now().Add(time.Second))
			_, err := read(server)
			expect(t, "reading", err, os.ErrDeadlineExceeded)
			_ = server.SetReadDeadline(time.Time{})
			w.net.Heal(w.a, w.b)
			s, err := read(server)
			if abort {
				expect(t, "reading after healing", err, syscall.ECONNRESET)
				return
			}
			if s != "x" || err != nil {
				t.Errorf("after healing read %q, %v", s, err)
			}
			_, err = read(server)
			expect(t, "reading on after healing", err, io.EOF)
		})
	}
}

func TestNetworkReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Link: Link{Latency: time.Second}})
		client, server := w.connect(t)
		result := make(chan error, 2)
		for _, c := range []socket.Conn{client, server} {
			go func() { _, err := read(c); result <- err }()
		}
		synctest.Wait()
		mustWrite(t, client, "never arrives")
		if n := w.net.Reset(w.b, w.a); n != 1 {
			t.Errorf("reset %d connections", n)
		}
		for range 2 {
			expect(t, "reading", <-result, syscall.ECONNRESET)
		}
		_ = client.Close()
		_ = server.Close()
		if n := w.net.Open(); n != 0 {
			t.Errorf("%d ends are still open", n)
		}
	})
}

func TestWriteToAClosedPeerTakesARoundTripToFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Link: Link{Latency: time.Second}})
		client, server := w.connect(t)
		mustWrite(t, client, "under way")
		_ = server.Close()
		<-time.After(1500 * time.Millisecond)
		mustWrite(t, client, "the end has arrived, the reset has not")
		<-time.After(500 * time.Millisecond)
		_, err := client.TryWrite([]byte("x"))
		expect(t, "writing", err, syscall.EPIPE)
	})
}

// A run in a bubble is the same every time, as long as no writer waits for room.
func TestRunsAreEqual(t *testing.T) {
	run := func(t *testing.T) (log string) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Options{Link: Link{Latency: 3 * time.Millisecond, Bandwidth: 1 << 20}, Buffer: 1 << 20})
			client, server := w.connect(t)
			start := time.Now()
			go func() {
				for i := range 50 {
					_, _ = client.Write(bytes.Repeat([]byte("y"), 1+i*700))
				}
				_ = client.Close()
			}()
			var b strings.Builder
			buf := make([]byte, 5000)
			for {
				n, err := server.Read(buf)
				fmt.Fprintln(&b, time.Since(start), n, err)
				if err != nil {
					break
				}
			}
			log = b.String()
		})
		return log
	}
	first := run(t)
	for range 20 {
		if again := run(t); again != first {
			t.Fatalf("runs differ:\n%s\n%s", first, again)
		}
	}
}

func TestDialWaitsForHealing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Link: Link{Latency: time.Second}})
		w.net.Partition(w.a, w.b)
		start := time.Now()
		_, err := w.a.Dial(t.Context(), web, socket.DialOptions{})
		expect(t, "dialling", err, socket.ErrDeadline)
		if d := time.Since(start); d != socket.DefaultDialTimeout {
			t.Errorf("the dial took %s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err = w.a.Dial(ctx, web, socket.DialOptions{})
		expect(t, "dialling with less time", err, socket.ErrDeadline)
		healed := time.AfterFunc(5*time.Second, func() { w.net.Heal(w.a, w.b) })
		defer healed.Stop()
		start = time.Now()
		if _, err = w.a.Dial(t.Context(), web, socket.DialOptions{}); err != nil || time.Since(start) != 7*time.Second {
			t.Errorf("the dial gives %v after %s", err, time.Since(start))
		}
	})
}
