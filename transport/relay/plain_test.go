package relay

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/troupe-mesh/troupe/transport/socket"
)

func TestPlain(t *testing.T) {
	tests := []struct {
		name     string
		run      func(t *testing.T, r *relayed)
		closedBy Side
		failed   error
	}{
		{"the client ends first", func(t *testing.T, r *relayed) {
			say(t, r.client, "question")
			_ = r.client.CloseWrite()
			hear(t, r.server, "question")
			hearEnd(t, r.server)
			say(t, r.server, "answer")
			_ = r.server.Close()
			hear(t, r.client, "answer")
		}, SideDownstream, nil},
		{"the server speaks and ends first", func(t *testing.T, r *relayed) {
			say(t, r.server, "220 ready")
			_ = r.server.CloseWrite()
			hear(t, r.client, "220 ready")
			hearEnd(t, r.client)
			say(t, r.client, "thanks")
			_ = r.client.CloseWrite()
			hear(t, r.server, "thanks")
		}, SideUpstream, nil},
		{"the client resets", func(t *testing.T, r *relayed) {
			say(t, r.client, "oops")
			_ = r.client.Abort()
			hear(t, r.server, "oops")
			hearEnd(t, r.server)
			_ = r.server.Close()
		}, SideDownstream, nil},
		{"the server resets", func(t *testing.T, r *relayed) {
			_ = r.server.Abort()
			hearEnd(t, r.client)
			_ = r.client.Close()
		}, SideUpstream, nil},
		{"the owner closes both", func(t *testing.T, r *relayed) {
			_ = r.downstream.Close()
			_ = r.upstream.Close()
			hearEnd(t, r.client)
			hearEnd(t, r.server)
		}, SideProxy, net.ErrClosed},
		{"the owner aborts both", func(_ *testing.T, r *relayed) {
			_ = r.downstream.Abort()
			_ = r.upstream.Abort()
		}, SideProxy, net.ErrClosed},
	}
	for _, n := range networks {
		for _, tt := range tests {
			t.Run(n.name+"/"+tt.name, func(t *testing.T) {
				r := startPlain(t, n.make())
				tt.run(t, r)
				res := r.result(t)
				if res.ClosedBy != tt.closedBy || !errors.Is(res.Err, tt.failed) {
					t.Errorf("closed by %d with %v, want %d with %v", res.ClosedBy, res.Err, tt.closedBy, tt.failed)
				}
				for _, leg := range []socket.Conn{r.downstream, r.upstream} {
					if err := leg.Close(); !errors.Is(err, net.ErrClosed) {
						t.Errorf("a leg was left open: %v", err)
					}
				}
			})
		}
	}
}

func say(t *testing.T, c socket.Conn, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
}

// hearEnd reads the end of the stream.
func hearEnd(t *testing.T, c socket.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("heard %d bytes, %v, want the end", n, err)
	}
}

// hear reads what is wanted.
func hear(t *testing.T, c socket.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("heard %q, %v, want %q", got, err, want)
	}
}

// noise is n bytes that depend on seed.
func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// The reference's "copy": many equal writes, enough to pass every change of gear.
func TestPlainCopy(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			r := startPlain(t, n.make())
			chunk, total := noise(1, 32_000), 0
			go func() {
				for range 1000 {
					if _, err := r.client.Write(chunk); err != nil {
						t.Error(err)
						break
					}
				}
				_ = r.client.CloseWrite()
			}()
			got := make([]byte, len(chunk))
			for {
				n, err := io.ReadFull(r.server, got)
				total += n
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil || !bytes.Equal(got, chunk) {
					t.Fatalf("after %d bytes: altered, or %v", total, err)
				}
			}
			_ = r.server.CloseWrite()
			if res := r.result(t); res.Err != nil {
				t.Error(res.Err)
			}
			if got := r.counters.Received.Load(); total != 32_000_000 || got != 32_000_000 {
				t.Errorf("moved %d bytes, counted %d", total, got)
			}
		})
	}
}

// The reference's "copystress", in both directions at once: writes of ever larger sizes, reads of any size.
func TestPlainStress(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			r := startPlain(t, n.make())
			const size = 3 << 20 // the sum of 1 to 2560, and a little
			sent := map[socket.Conn][]byte{r.client: noise(2, size), r.server: noise(3, size)}
			done := make(chan error, 4)
			for from, data := range sent {
				go func() {
					for n := 1; len(data) > 0; n++ {
						k := min(n, len(data))
						if _, err := from.Write(data[:k]); err != nil {
							done <- err
							return
						}
						data = data[k:]
					}
					done <- from.CloseWrite()
				}()
			}
			for to, want := range map[socket.Conn][]byte{r.server: sent[r.client], r.client: sent[r.server]} {
				go func() {
					rnd := rand.New(rand.NewPCG(4, 5))
					got, buf := make([]byte, 0, size), make([]byte, 20_000)
					for {
						n, err := to.Read(buf[:1+rnd.IntN(len(buf))])
						got = append(got, buf[:n]...)
						if errors.Is(err, io.EOF) {
							break
						}
						if err != nil {
							done <- err
							return
						}
					}
					if !bytes.Equal(got, want) {
						done <- errors.New("bytes were lost or altered")
						return
					}
					done <- nil
				}()
			}
			for range 4 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			if res := r.result(t); res.Err != nil {
				t.Error(res.Err)
			}
			if s, v := r.counters.Sent.Load(), r.counters.Received.Load(); s != size || v != size {
				t.Errorf("counted %d sent and %d received", s, v)
			}
		})
	}
}

func TestPlainCountsWhileItLives(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			r := startPlain(t, n.make())
			chunk, total := noise(5, 50_000), 0
			for range 20 { // well into splice
				say(t, r.client, string(chunk))
				hear(t, r.server, string(chunk))
				total += len(chunk)
				// A byte is there before it is counted.
				eventually(t, "all is counted", func() bool { return r.counters.Received.Load() == uint64(total) })
			}
		})
	}
}

// A stalled receiver holds up its own direction only, and the owner can still cut the relay.
func TestPlainCutWhileStalled(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			r := startPlain(t, n.make())
			stalled := make(chan struct{})
			go func() {
				defer close(stalled)
				_, _ = r.client.Write(make([]byte, 64<<20))
			}()
			say(t, r.server, "unharmed")
			hear(t, r.client, "unharmed")
			eventually(t, "the relay splices", func() bool { return r.counters.Received.Load() >= 2*spliceAfter })
			_ = r.downstream.Abort()
			_ = r.upstream.Abort()
			if res := r.result(t); res.ClosedBy != SideProxy {
				t.Errorf("closed by %d", res.ClosedBy)
			}
			<-stalled
		})
	}
}
