package memnet

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Bytes arrive whole and in order, whatever the sizes, the stalls and the partitions.
func TestIntegrity(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t, Options{
				Link:   Link{Latency: time.Duration(r.IntN(20)) * time.Millisecond, Bandwidth: int64(r.IntN(4)) << 20},
				Buffer: 1 << (10 + r.IntN(8)),
			})
			client, server := w.connect(t)
			sent := make([]byte, 1<<18)
			for i := range sent {
				sent[i] = byte(r.Uint32())
			}
			sizes, stalls := rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 3))
			go func() {
				for rest := sent; len(rest) > 0; {
					n, err := client.TryWrite(rest[:min(len(rest), 1+sizes.IntN(20_000))])
					if err != nil {
						t.Error(err)
						return
					}
					if rest = rest[n:]; n == 0 {
						if err := client.WaitWritable(); err != nil {
							t.Error(err)
							return
						}
					}
				}
				_ = client.Close()
			}()
			var partitions sync.WaitGroup
			defer partitions.Wait()
			partitions.Go(func() {
				for range 5 {
					<-time.After(time.Duration(stalls.IntN(50)) * time.Millisecond)
					w.net.Partition(w.a, w.b)
					<-time.After(time.Duration(stalls.IntN(50)) * time.Millisecond)
					w.net.Heal(w.a, w.b)
				}
			})
			var got bytes.Buffer
			buf := make([]byte, 30_000)
			for {
				n, err := server.Read(buf[:1+r.IntN(len(buf))])
				got.Write(buf[:n])
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if r.IntN(50) == 0 {
					<-time.After(time.Duration(r.IntN(30)) * time.Millisecond)
				}
			}
			if !bytes.Equal(got.Bytes(), sent) {
				t.Errorf("seed %d: %d of %d bytes, or others", seed, got.Len(), len(sent))
			}
		})
	}
}
