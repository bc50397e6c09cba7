package istiod

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/anypb"

	wire "github.com/troupe-mesh/troupe/transport/wire/discovery"
)

// A response far above gRPC's usual limit is taken in (CP17).
func TestMessageLimit(t *testing.T) {
	s := start(t, Options{})
	s.World.Change(func(c *Change) {
		c.Workload(pod("a", "10.0.0.1"))
		c.Raw(AddressType, &wire.Resource{Name: "huge", Version: "1", Resource: &anypb.Any{Value: bytes.Repeat([]byte{0xff}, 20<<20)}})
	})
	p := drive(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := s.Await(ctx, func(o Observed) bool { return strings.HasPrefix(o.Request.GetErrorDetail().GetMessage(), "huge: ") }); err != nil {
		t.Fatal(err)
	}
	p.eventually("what came with it", func() bool { return p.workload(uid("a")) != nil })
	if s.Streams() != 1 || p.counters.Bytes[0].Load() < 20<<20 {
		t.Errorf("%d streams, %d bytes", s.Streams(), p.counters.Bytes[0].Load())
	}
}

// A peer that is silently gone is noticed by the pings, in 40 s at most, and another connection is tried (CP29).
// TROUPE_SCALE=full has the time for it.
func TestHalfOpenIsNoticed(t *testing.T) {
	if os.Getenv("TROUPE_SCALE") != "full" {
		t.Skip("it lasts 40 s: TROUPE_SCALE=full")
	}
	s := start(t, Options{})
	p := drive(t, s)
	p.awaitSync()
	s.Stall(true)
	began := time.Now()
	for p.connected() && time.Since(began) < time.Minute {
		p.workload("anything") // the stores answer meanwhile
		<-time.After(100 * time.Millisecond)
	}
	took := time.Since(began)
	t.Logf("noticed after %s", took.Round(time.Second))
	if p.connected() || took < 5*time.Second {
		t.Fatalf("connected %v after %s", p.connected(), took)
	}
	s.Stall(false)
	p.eventually("it is back", p.connected)
}
