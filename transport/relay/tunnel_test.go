package relay

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/socket"
)

var crcTable = crc64.MakeTable(crc64.ECMA)

// talk sends a random amount in random pieces, sometimes pausing, and half-closes; at the same time it reads
// everything, in random pieces, sometimes pausing. It returns how much it sent and received, and checksums of both.
func talk(c socket.Conn, seed uint64, most int) (sent, received int, sentSum, receivedSum uint64, err error) {
	var sending sync.WaitGroup
	var werr error
	sending.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 1))
		total := rng.IntN(most + 1)
		if rng.IntN(8) == 0 {
			total = 0
		}
		p := make([]byte, 64<<10)
		for sent < total {
			n := min(1+rng.IntN(1<<rng.IntN(17)), total-sent, len(p))
			for i := 0; i < n; i += 8 {
				v := rng.Uint64()
				for j := i; j < min(i+8, n); j++ {
					p[j] = byte(v >> (8 * (j - i)))
				}
			}
			if _, werr = c.Write(p[:n]); werr != nil {
				return
			}
			sentSum = crc64.Update(sentSum, crcTable, p[:n])
			sent += n
			if rng.IntN(16) == 0 {
				pause(rng.IntN(50))
			}
		}
		werr = c.CloseWrite()
	})
	rng := rand.New(rand.NewPCG(seed, 2))
	p := make([]byte, 64<<10)
	for {
		n, rerr := c.Read(p[:1+rng.IntN(len(p))])
		receivedSum = crc64.Update(receivedSum, crcTable, p[:n])
		received += n
		if rerr != nil {
			if !errors.Is(rerr, io.EOF) {
				err = rerr
			}
			break
		}
		if rng.IntN(16) == 0 {
			pause(rng.IntN(200))
		}
	}
	sending.Wait()
	return sent, received, sentSum, receivedSum, errors.Join(err, werr)
}

// pause lets others run n times.
func pause(n int) {
	for range n {
		runtime.Gosched()
	}
}

func flows() int {
	if n, err := strconv.Atoi(os.Getenv("TROUPE_RELAY_FLOWS")); err == nil {
		return n
	}
	if testing.Short() || raceEnabled {
		return 150
	}
	return 2000
}

func TestTunnelLosesNothing(t *testing.T) {
	small := hbone.Settings{StreamWindow: 70 << 10, ConnWindow: 100 << 10, MaxFrameSize: 16 << 10, StreamSendBuffer: 32 << 10, MaxBuffered: 256 << 10}
	for _, c := range []struct {
		name    string
		network func() socket.Network
		secured bool
		set     hbone.Settings
		most    int
	}{
		{"kernel TLS", networks[0].make, true, hbone.Settings{}, 1 << 20},
		{"kernel TLS small windows", networks[0].make, true, small, 200 << 10},
		{"memory", networks[1].make, false, hbone.Settings{}, 200 << 10},
		{"memory TLS small windows", networks[1].make, true, small, 200 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn := startTunnel(t, c.network(), c.secured, c.set, c.set)
			seeds := make(chan uint64)
			stop := sync.OnceFunc(func() { close(seeds) })
			defer stop()
			var opening sync.Mutex
			var workers sync.WaitGroup
			for range 24 {
				workers.Go(func() {
					for seed := range seeds {
						f := func() *flow {
							opening.Lock()
							defer opening.Unlock()
							return tn.open(t)
						}()
						if err := f.exchange(t, seed, c.most); err != nil {
							t.Errorf("flow %d: %v", seed, err)
						}
					}
				})
			}
			for seed := range uint64(flows() / 4) {
				select {
				case seeds <- seed:
				case <-tn.client.Done():
					t.Fatalf("the tunnel ended: %v", tn.client.Err())
				}
			}
			stop()
			workers.Wait()
			if n := tn.client.ActiveStreams(); n != 0 {
				t.Errorf("%d streams are left", n)
			}
		})
	}
}

// exchange runs both applications of a flow and compares what they saw.
func (f *flow) exchange(t testing.TB, seed uint64, most int) error {
	type side struct {
		sent, received       int
		sentSum, receivedSum uint64
		err                  error
	}
	var a, b side
	var both sync.WaitGroup
	both.Go(func() { a.sent, a.received, a.sentSum, a.receivedSum, a.err = talk(f.client, seed*2, most) })
	both.Go(func() { b.sent, b.received, b.sentSum, b.receivedSum, b.err = talk(f.server, seed*2+1, most) })
	both.Wait()
	near, far := f.results(t)
	_ = f.client.Close()
	_ = f.server.Close()
	switch {
	case a.err != nil || b.err != nil:
		return fmt.Errorf("applications: %w", errors.Join(a.err, b.err))
	case a.sent != b.received || a.sentSum != b.receivedSum:
		return fmt.Errorf("%d bytes sent, %d received", a.sent, b.received)
	case b.sent != a.received || b.sentSum != a.receivedSum:
		return fmt.Errorf("%d bytes sent back, %d received", b.sent, a.received)
	case near.Err != nil || far.Err != nil:
		return fmt.Errorf("relays: %w", errors.Join(near.Err, far.Err))
	}
	for _, c := range []*Counters{f.counters, f.far} {
		if c.Received.Load() != uint64(a.sent) || c.Sent.Load() != uint64(b.sent) {
			return fmt.Errorf("counted %d and %d, want %d and %d", c.Received.Load(), c.Sent.Load(), a.sent, b.sent)
		}
	}
	return nil
}

func TestTunnelCarriesHalfCloses(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			f := startTunnel(t, n.make(), true, hbone.Settings{}, hbone.Settings{}).open(t)
			_ = f.client.CloseWrite()
			if got, err := io.ReadAll(f.server); len(got) != 0 || err != nil {
				t.Fatalf("server read %q, %v", got, err)
			}
			if _, err := f.server.Write([]byte("late")); err != nil {
				t.Fatal(err)
			}
			_ = f.server.CloseWrite()
			if got, err := io.ReadAll(f.client); string(got) != "late" || err != nil {
				t.Fatalf("client read %q, %v", got, err)
			}
			near, far := f.results(t)
			if near != (Result{ClosedBy: SideDownstream}) || far != (Result{ClosedBy: SideDownstream}) {
				t.Fatal(near, far)
			}
		})
	}
}

func TestTunnelIsCutFromOutside(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			f := startTunnel(t, n.make(), true, hbone.Settings{}, hbone.Settings{}).open(t)
			if _, err := f.client.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(f.server, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			f.in.Reset(http2.ErrCodeCancel)
			_ = f.upstream.Close()
			far := <-f.farDone
			if far.ClosedBy != SideProxy || !errors.Is(far.Err, net.ErrClosed) {
				t.Fatal(far)
			}
			if got, err := io.ReadAll(f.client); len(got) > 0 || err != nil {
				t.Fatalf("client read %q, %v", got, err)
			}
			_ = f.client.Close()
			near := <-f.done
			var ce *CopyError
			if !errors.As(near.Err, &ce) || !ce.Closing || ce.Direction != Send || ce.Err.Error() != "broken pipe" || near.ClosedBy != SideUpstream {
				t.Fatalf("%v, want a broken pipe while closing", near)
			}
		})
	}
}

func TestTunnelSaysThatTheDestinationIsGone(t *testing.T) {
	f := startTunnel(t, networks[1].make(), true, hbone.Settings{}, hbone.Settings{}).open(t)
	_ = f.server.CloseWrite()
	if _, err := io.ReadAll(f.client); err != nil {
		t.Fatal(err)
	}
	f.in.Reset(http2.ErrCodeNo)
	eventually(t, "the reset arrives", func() bool {
		_, err := f.out.TryWrite([]byte("x"))
		return errors.Is(err, hbone.ErrWriteClosed)
	})
	if _, err := f.client.Write([]byte("more")); err != nil {
		t.Fatal(err)
	}
	near := <-f.done
	const want = "send: destination disconnected before all data was written"
	if near.Err == nil || near.Err.Error() != want {
		t.Fatalf("%v, want %s", near.Err, want)
	}
}

func TestTunnelWaitsForASlowApplication(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			tn := startTunnel(t, n.make(), true, hbone.Settings{}, hbone.Settings{})
			slow, quick := tn.open(t), tn.open(t)
			sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
			var writing sync.WaitGroup
			writing.Go(func() {
				if _, err := slow.client.Write(sent); err != nil {
					t.Error(err)
				}
				_ = slow.client.CloseWrite()
			})
			// The stalled flow harms no other.
			eventually(t, "the slow flow stalls", func() bool { return slow.far.Received.Load() > 0 })
			_ = quick.server.CloseWrite()
			writing.Go(func() {
				if _, err := quick.client.Write(sent); err != nil {
					t.Error(err)
				}
				_ = quick.client.CloseWrite()
			})
			if got, err := io.ReadAll(quick.server); err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			_ = slow.server.CloseWrite()
			if got, err := io.ReadAll(slow.server); err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			writing.Wait()
			for _, f := range []*flow{slow, quick} {
				if near, far := f.results(t); near.Err != nil || far.Err != nil {
					t.Error(near, far)
				}
			}
		})
	}
}

// A reset by an application ends its own direction like a FIN; the other one ends when it is written to, and what is
// not finished is reset (spec/dataplane.md §9, §3.8).
func TestTunnelCarriesResets(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			f := startTunnel(t, n.make(), true, hbone.Settings{}, hbone.Settings{}).open(t)
			if _, err := f.server.Write([]byte("never read")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the bytes arrive", func() bool { return f.counters.Sent.Load() > 0 })
			_ = f.client.Abort()
			if got, err := io.ReadAll(f.server); len(got) > 0 || err != nil {
				t.Fatalf("server read %q, %v", got, err)
			}
			block := make([]byte, 64<<10)
			for {
				if _, err := f.server.Write(block); err != nil {
					break
				}
			}
			near, _ := f.results(t)
			if near.Err != nil || near.ClosedBy != SideDownstream {
				t.Error(near)
			}
		})
	}
}
