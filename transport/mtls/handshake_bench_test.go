package mtls

import (
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

// BenchmarkHandshake is client and server over loopback, one byte each way included.
func BenchmarkHandshake(b *testing.B) {
	root := newRoot(b, "root", nil)
	alices, bobs := workload(b, root, alice), workload(b, root, bob)
	expected := []messages.Identity{bob}
	for _, bb := range []struct {
		name string
		o    Options
	}{{"default", Options{}}, {"pqc", Options{PQC: true}}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if o := handshake(b, alices.ClientConfig(expected, bb.o), bobs.ServerConfig(bb.o)); !o.ok() {
					b.Fatal(o.err())
				}
			}
		})
	}
}
