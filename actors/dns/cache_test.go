package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// oracle is a name server in memory, over TCP only: it says a text of some size to whatever it is asked.
type oracle struct{ size int }

func (oracle) DialPacket(context.Context, netip.AddrPort) (net.Conn, error) {
	return answering(func(q *wire.Msg) *wire.Msg {
		m := new(wire.Msg).SetReply(q)
		m.Truncated = true
		return m
	}, false), nil
}

func (o oracle) DialStream(context.Context, netip.AddrPort) (net.Conn, error) {
	return answering(func(q *wire.Msg) *wire.Msg {
		m := new(wire.Msg).SetReply(q)
		text := &wire.TXT{Hdr: wire.RR_Header{Name: q.Question[0].Name, Rrtype: wire.TypeTXT, Class: wire.ClassINET, Ttl: 600}}
		for left := o.size; left > 0; left -= 200 {
			text.Txt = append(text.Txt, strings.Repeat("x", 200))
		}
		m.Answer = []wire.RR{text}
		return m
	}, true), nil
}

// answering is a connection whose other end answers one question.
func answering(answer func(q *wire.Msg) *wire.Msg, framed bool) net.Conn {
	near, far := net.Pipe()
	go func() {
		defer func() { _ = far.Close() }()
		buffer := make([]byte, 4096)
		n, err := far.Read(buffer)
		if err != nil {
			return
		}
		packet := buffer[:n]
		if framed {
			packet = packet[2:]
		}
		q := new(wire.Msg)
		if q.Unpack(packet) != nil {
			return
		}
		out, err := answer(q).Pack()
		if err != nil {
			return
		}
		if framed {
			out = append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)
		}
		_, _ = far.Write(out)
		_, _ = io.Copy(io.Discard, far)
	}()
	return near
}

// saidOf is what an oracle says of a name.
func saidOf(t *testing.T, o oracle, name string) (dnswire.Key, *dnswire.Reply) {
	t.Helper()
	key, ok := dnswire.QuestionKey(name, wire.TypeTXT)
	if !ok {
		t.Fatalf("%s is no name", name)
	}
	u := dnswire.NewUpstream(dnswire.UpstreamConfig{Servers: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53")}, Dialer: o})
	r, err := u.Resolve(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return key, r
}

func nth(i int) string { return fmt.Sprintf("n%d.com", i) }

func TestCacheIsBoundedInNumber(t *testing.T) {
	limits := DefaultLimits()
	c, now := newCache(limits), time.Now()
	_, r := saidOf(t, oracle{100}, "a.com")
	key := func(i int) dnswire.Key {
		k, _ := dnswire.QuestionKey(nth(i), wire.TypeA)
		return k
	}
	const more = 100
	for i := range maxCached + more {
		c.put(key(i), r, now)
		if got, _ := c.get(key(0), now); got == nil {
			t.Fatalf("what is asked for all the time is gone after %d more", i)
		}
	}
	entries, bytes := limits.Cached()
	if entries != maxCached || bytes != maxCached*int64(r.Size()) || limits.Evicted.Load() != more {
		t.Errorf("%d entries, %d bytes, %d evicted", entries, bytes, limits.Evicted.Load())
	}
	for i, want := range map[int]bool{1: false, more: false, more + 1: true, maxCached + more - 1: true} {
		if got, _ := c.get(key(i), now); (got != nil) != want {
			t.Errorf("entry %d is there: %v", i, got != nil)
		}
	}
	if got, _ := c.get(key(0), now.Add(r.TTL)); got != nil {
		t.Error("it outlives its TTL")
	}
	c.clear()
	if entries, bytes := limits.Cached(); entries != 0 || bytes != 0 {
		t.Errorf("after clear: %d entries, %d bytes", entries, bytes)
	}
}

// TestCacheIsBoundedInBytes fills the caches of two pods with large replies, and looks at the heap too.
func TestCacheIsBoundedInBytes(t *testing.T) {
	const large = 60000
	limits := DefaultLimits()
	limits.MaxBytes = maxCachedBytes + maxCachedBytes/2
	one, two := newCache(limits), newCache(limits)
	before := heap()
	for i := range 2 * maxCachedBytes / large {
		for _, c := range []*cache{one, two} {
			key, r := saidOf(t, oracle{large}, nth(i))
			c.put(key, r, time.Now())
			if _, bytes := limits.Cached(); bytes > limits.MaxBytes || c.bytes > maxCachedBytes {
				t.Fatalf("after %d replies: %d bytes of the pod, %d of all", i, c.bytes, bytes)
			}
		}
	}
	entries, bytes := limits.Cached()
	if one.bytes+two.bytes != bytes || int64(one.lru.Len()+two.lru.Len()) != entries || limits.Evicted.Load() == 0 {
		t.Errorf("%d and %d bytes are counted as %d of %d entries; %d evicted", one.bytes, two.bytes, bytes, entries, limits.Evicted.Load())
	}
	if used := heap() - before; !raceEnabled && used > 2*limits.MaxBytes {
		t.Errorf("%d bytes of heap for %d that are counted", used, bytes)
	}
	one.clear()
	two.clear()
	if entries, bytes := limits.Cached(); entries != 0 || bytes != 0 {
		t.Errorf("after clear: %d entries, %d bytes", entries, bytes)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestRepliesWithoutAServer(t *testing.T) {
	key, _ := dnswire.QuestionKey("a.com", wire.TypeA)
	if _, err := dnswire.NewUpstream(dnswire.UpstreamConfig{}).Resolve(t.Context(), key); !errors.Is(err, dnswire.ErrNoServers) {
		t.Errorf("error %v", err)
	}
}
