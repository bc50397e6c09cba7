package relay

import (
	"io"
	"sync"
	"syscall"
	"testing"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// bare is the proxy to compare with: io.Copy both ways, which splices from the first byte.
func bare(downstream, upstream socket.Conn) {
	d, _ := socket.AsTCP(downstream)
	u, _ := socket.AsTCP(upstream)
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(d, u); _ = d.CloseWrite() })
	_, _ = io.Copy(u, d)
	_ = u.CloseWrite()
	both.Wait()
	_ = d.Close()
	_ = u.Close()
}

func cpu() (seconds float64) {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// BenchmarkBulk moves 256 MiB; its CPU is that of the ends and the relay together.
func BenchmarkBulk(b *testing.B) {
	const size = 256 << 20
	proxies := []struct {
		name string
		run  func(downstream, upstream socket.Conn)
	}{
		{"bare", bare},
		{"plain", func(d, u socket.Conn) { Plain(d, u, &Counters{}) }},
	}
	for _, p := range proxies {
		b.Run(p.name, func(b *testing.B) {
			b.SetBytes(size)
			n := socket.New(socket.Config{})
			before := cpu()
			for b.Loop() {
				client, downstream := connect(b, n)
				upstream, server := connect(b, n)
				var all sync.WaitGroup
				all.Go(func() { p.run(downstream, upstream) })
				all.Go(func() {
					chunk := make([]byte, 256<<10)
					for sent := 0; sent < size; sent += len(chunk) {
						_, _ = client.Write(chunk)
					}
					_ = client.CloseWrite()
				})
				buf := make([]byte, 256<<10)
				for {
					if _, err := server.Read(buf); err != nil {
						break
					}
				}
				_ = server.Close()
				all.Wait()
				_ = client.Close()
			}
			b.ReportMetric((cpu()-before)/float64(b.N)*(1<<30)/size, "cpu-s/GiB")
		})
	}
}

// BenchmarkPingPong exchanges one byte at a time.
func BenchmarkPingPong(b *testing.B) {
	for _, p := range []struct {
		name string
		run  func(downstream, upstream socket.Conn)
	}{
		{"bare", bare},
		{"plain", func(d, u socket.Conn) { Plain(d, u, &Counters{}) }},
	} {
		b.Run(p.name, func(b *testing.B) {
			n := socket.New(socket.Config{})
			client, downstream := connect(b, n)
			upstream, server := connect(b, n)
			var all sync.WaitGroup
			all.Go(func() { p.run(downstream, upstream) })
			all.Go(func() { _, _ = io.Copy(struct{ io.Writer }{server}, struct{ io.Reader }{server}); _ = server.Close() })
			buf := make([]byte, 1)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = client.Write(buf)
				_, _ = client.Read(buf)
			}
			_ = client.Close()
			all.Wait()
		})
	}
}
