package hbone

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/transport/memnet"
)

// A tunnel that its client ends with its last stream still brings what was written before, however long a slow network
// takes for it.
func TestNothingIsLostWhenTheTunnelEndsBehindALongTransfer(t *testing.T) {
	for name, secured := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memnet.New(memnet.Options{Buffer: 8 << 10})
				h := n.AddHost(netip.MustParseAddr("10.0.0.1"))
				n.SetLink(h, h, memnet.Link{Latency: 60 * time.Millisecond})
				near, far := connect(t, h)
				var a, b net.Conn = near, far
				if secured {
					a, b = pair(secure(t, near, far))
				}
				got := make(chan int, 1)
				tn := start(t, a, b, Settings{}, Settings{}, func(r *ServerStream) {
					go func() {
						s, err := r.Accept(nil)
						if err != nil {
							t.Error(err)
							return
						}
						_ = s.CloseWrite()
						all, err := io.ReadAll(s)
						if err != nil {
							t.Error(err)
						}
						got <- len(all)
						_ = s.Close()
					}()
				})
				s, _, err := tn.client.Open(t.Context(), "10.0.0.2:80", nil)
				if err != nil {
					t.Fatal(err)
				}
				tn.client.CloseWhenIdle()
				if rest, err := io.ReadAll(s); len(rest) != 0 || err != nil {
					t.Errorf("read %d bytes, %v", len(rest), err)
				}
				sent := payload(1 << 20)
				from := time.Now()
				if _, err := s.Write(sent); err != nil {
					t.Fatal(err)
				}
				_ = s.CloseWrite()
				written := time.Since(from)
				if n := <-got; n != len(sent) {
					t.Errorf("%d of %d bytes arrived", n, len(sent))
				}
				if took := time.Since(from); took < written+time.Second {
					t.Errorf("the transfer took %v, of which %v to hand over: nothing was tested", took, written)
				}
				<-tn.client.Done()
			})
		})
	}
}

// The patience has an end: a peer that does not read, and one that never ends, are left.
func TestLingerIsBounded(t *testing.T) {
	for name, test := range map[string]struct {
		trickle bool
		most    time.Duration
	}{
		"silent": {false, time.Second}, "trickling": {true, lingerMost * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := connect(t, memory())
				sv := newRaw(b)
				client, err := NewClient(a, Settings{LingerTimeout: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				_ = sv.f.WriteSettings()
				synctest.Wait()
				over := make(chan struct{})
				go func() {
					defer close(over)
					for test.trickle {
						<-time.After(300 * time.Millisecond)
						if sv.f.WritePing(true, [8]byte{1}) != nil {
							return
						}
					}
				}()
				from := time.Now()
				client.CloseWhenIdle()
				<-client.Done()
				if took := time.Since(from); took < test.most || took > test.most+time.Second {
					t.Errorf("lingered %v, want %v", took, test.most)
				}
				_ = b.Close()
				<-over
			})
		})
	}
}
