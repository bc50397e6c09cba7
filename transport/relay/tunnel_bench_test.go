package relay

import (
	"io"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// processorTime is the processor time that this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU reports the processor time per GiB, of both proxies and both applications.
func reportCPU(b *testing.B, since time.Duration, bytes int64) {
	b.ReportMetric((processorTime()-since).Seconds()/(float64(bytes)*float64(b.N)/(1<<30)), "cpu-s/GiB")
}

const benchBlock = 64 << 10

func benchBulk(b *testing.B, streams int, back bool) {
	tn := startTunnel(b, networks[0].make(), true, hbone.Settings{}, hbone.Settings{})
	per := int64(16<<20) / int64(streams)
	flows := make([]*flow, streams)
	for i := range flows {
		flows[i] = tn.open(b)
	}
	total := per * int64(streams)
	if back {
		total *= 2
	}
	b.SetBytes(total)
	b.ResetTimer()
	before := processorTime()
	for range b.N {
		var wg sync.WaitGroup
		for _, f := range flows {
			wg.Go(func() { pour(b, f.client, per) })
			if back {
				wg.Go(func() { echoBytes(b, f.server, per) })
				wg.Go(func() { swallow(b, f.client, per) })
			} else {
				wg.Go(func() { swallow(b, f.server, per) })
			}
		}
		wg.Wait()
	}
	b.StopTimer()
	reportCPU(b, before, total)
	for _, f := range flows {
		f.close()
	}
}

func (f *flow) close() {
	_ = f.client.Close()
	_ = f.server.Close()
	<-f.done
	<-f.farDone
}

func pour(b *testing.B, c socket.Conn, n int64) {
	p := make([]byte, benchBlock)
	for ; n > 0; n -= int64(len(p)) {
		if _, err := c.Write(p); err != nil {
			b.Error(err)
			return
		}
	}
}

func swallow(b *testing.B, c socket.Conn, n int64) {
	p := make([]byte, 2*benchBlock)
	for n > 0 {
		k, err := c.Read(p)
		if n -= int64(k); err != nil {
			b.Error(err)
			return
		}
	}
}

func echoBytes(b *testing.B, c socket.Conn, n int64) {
	p := make([]byte, 2*benchBlock)
	for n > 0 {
		k, err := c.Read(p)
		if err != nil {
			b.Error(err)
			return
		}
		if _, err := c.Write(p[:k]); err != nil {
			b.Error(err)
			return
		}
		n -= int64(k)
	}
}

func BenchmarkTunnelBulk(b *testing.B)        { benchBulk(b, 1, false) }
func BenchmarkTunnelBulkEight(b *testing.B)   { benchBulk(b, 8, false) }
func BenchmarkTunnelEcho(b *testing.B)        { benchBulk(b, 1, true) }
func BenchmarkTunnelRoundTrip(b *testing.B)   { benchRoundTrips(b, 1, 1) }
func BenchmarkTunnelRoundTrip64(b *testing.B) { benchRoundTrips(b, 64, 1<<10) }

func benchRoundTrips(b *testing.B, streams, size int) {
	tn := startTunnel(b, networks[0].make(), true, hbone.Settings{}, hbone.Settings{})
	flows := make([]*flow, streams)
	for i := range flows {
		flows[i] = tn.open(b)
	}
	var servers, clients sync.WaitGroup
	for _, f := range flows {
		servers.Go(func() {
			p := make([]byte, size)
			for {
				if _, err := io.ReadFull(f.server, p); err != nil {
					return
				}
				if _, err := f.server.Write(p); err != nil {
					return
				}
			}
		})
	}
	b.ResetTimer()
	before := processorTime()
	for i, f := range flows {
		n := b.N/streams + btoi(i < b.N%streams)
		clients.Go(func() {
			p := make([]byte, size)
			for range n {
				if _, err := f.client.Write(p); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(f.client, p); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
	b.StopTimer()
	b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(b.N), "cpu-us/op")
	for _, f := range flows {
		f.close()
	}
	servers.Wait()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// BenchmarkTunnelConnect opens a flow, sends two bytes, gets one, and closes.
func BenchmarkTunnelConnect(b *testing.B) {
	tn := startTunnel(b, networks[0].make(), true, hbone.Settings{}, hbone.Settings{})
	p := make([]byte, 2)
	before := processorTime()
	b.ReportAllocs()
	for b.Loop() {
		f := tn.open(b)
		if _, err := f.client.Write(p); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(f.server, p); err != nil {
			b.Fatal(err)
		}
		if _, err := f.server.Write(p[:1]); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(f.client, p[:1]); err != nil {
			b.Fatal(err)
		}
		f.close()
	}
	b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(b.N), "cpu-us/op")
}
