package dns

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	wire "github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/messages"
)

// TestPipelining sends thousands of questions over one connection without waiting for answers, which come in order.
func TestPipelining(t *testing.T) {
	up := serveNames(t, zone(t, soa, "a.com. 60 A 10.0.0.1"))
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "cart", "10.0.0.9")})
	const count = 5000
	names := []string{"cart.ns1.", "a.com.", "nobody.com.", "cart."}
	c := w.dial("tcp")
	sent := make(chan error, 1)
	go func() {
		for i := range count {
			m := new(wire.Msg).SetQuestion(names[i%len(names)], wire.TypeA)
			m.Id = uint16(i)
			packet, err := m.Pack()
			if err == nil {
				_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...))
			}
			if err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	var size [2]byte
	for i := range count {
		if _, err := io.ReadFull(c, size[:]); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		packet := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, packet); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		m := new(wire.Msg)
		if err := m.Unpack(packet); err != nil || m.Id != uint16(i) || m.Question[0].Name != names[i%len(names)] {
			t.Fatalf("answer %d: %v\n%s", i, err, m)
		}
		if want := names[i%len(names)] != "nobody.com."; (len(m.Answer) == 1) != want {
			t.Fatalf("answer %d: %s", i, m)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if n := up.asked.Load(); n != 2 {
		t.Errorf("the name server was asked %d times", n)
	}
}

// TestOddEDNS asks with sizes that make no sense, an unknown version and several OPT records.
func TestOddEDNS(t *testing.T) {
	w := newWorld(t)
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("10.1.0.%d", i))
	}
	w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "many", many...)})
	opt := func(size uint16, version uint8) *wire.OPT {
		o := &wire.OPT{Hdr: wire.RR_Header{Name: ".", Rrtype: wire.TypeOPT}}
		o.SetUDPSize(size)
		o.SetVersion(version)
		return o
	}
	for _, test := range []struct {
		name    string
		extra   []wire.RR
		most    int // bytes
		rcode   int
		payload uint16
	}{
		{"none", nil, 512, wire.RcodeSuccess, 0},
		{"no size", []wire.RR{opt(0, 0)}, 512, wire.RcodeSuccess, 512},
		{"a small size", []wire.RR{opt(100, 0)}, 512, wire.RcodeSuccess, 512},
		{"a usual size", []wire.RR{opt(1232, 0)}, 1232, wire.RcodeSuccess, 1232},
		{"the greatest size", []wire.RR{opt(65535, 0)}, 65507, wire.RcodeSuccess, 65535},
		{"another version", []wire.RR{opt(1232, 7)}, 1232, wire.RcodeSuccess, 1232},
		{"two", []wire.RR{opt(1232, 0), opt(4096, 0)}, 512, wire.RcodeFormatError, 0},
	} {
		m := new(wire.Msg).SetQuestion("many.ns1.", wire.TypeA)
		m.Extra = test.extra
		packet, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		answer := w.exchange("udp", packet)
		got := new(wire.Msg)
		if err := got.Unpack(answer); err != nil || got.Rcode != test.rcode || len(answer) > test.most {
			t.Errorf("%s: %d bytes, %v, %s", test.name, len(answer), err, wire.RcodeToString[got.Rcode])
			continue
		}
		if cut := test.rcode == wire.RcodeSuccess && len(got.Answer) < len(many); got.Truncated != cut {
			t.Errorf("%s: %d answers, cut: %v", test.name, len(got.Answer), got.Truncated)
		}
		if o := got.IsEdns0(); (o != nil) != (test.payload > 0) || o != nil && (o.UDPSize() != test.payload || o.Version() != test.extra[0].(*wire.OPT).Version()) {
			t.Errorf("%s: answered with %v", test.name, o)
		}
	}
}

// TestLongNames asks for names of the most labels and of the most bytes that there are.
func TestLongNames(t *testing.T) {
	longest := strings.Repeat(strings.Repeat("b", 63)+".", 3) + strings.Repeat("c", 61) + "."
	up := serveNames(t, zone(t, soa, longest+" 60 A 10.0.0.1"))
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, []*messages.Service{service("ns1", "*.a", "10.0.0.9")})
	for range 2 {
		if m := w.query("udp", strings.Repeat("a.", 127), wire.TypeA); len(m.Answer) != 1 || !m.Authoritative {
			t.Errorf("127 labels: %s", m)
		}
		if m := w.query("udp", longest, wire.TypeA); len(m.Answer) != 1 || m.Authoritative {
			t.Errorf("255 bytes: %s", m)
		}
	}
}

// TestMoreThanAMessageHolds has a service with more endpoints than fit the longest message.
func TestMoreThanAMessageHolds(t *testing.T) {
	w := newWorld(t)
	const count = 5000
	headless := messages.NamespacedHostname{Namespace: "ns1", Hostname: "huge.ns1.svc.cluster.local"}
	workloads := []*messages.Workload{client()}
	for i := range count {
		workloads = append(workloads, endpoint(fmt.Sprint("huge", i), headless, netip.AddrFrom4([4]byte{10, 7, byte(i >> 8), byte(i)}).String()))
	}
	w.know(workloads, []*messages.Service{kube("ns1", "huge")})
	for proto, least := range map[string]int{"udp": 4000, "tcp": 4000} {
		packet, err := new(wire.Msg).SetQuestion("huge.ns1.", wire.TypeA).SetEdns0(65535, false).Pack()
		if err != nil {
			t.Fatal(err)
		}
		m := new(wire.Msg)
		if err := m.Unpack(w.exchange(proto, packet)); err != nil || len(m.Answer) < least || len(m.Answer) == count || !m.Truncated {
			t.Errorf("%s: %d of %d addresses, cut: %v, %v", proto, len(m.Answer), count, m.Truncated, err)
		}
	}
	if m := w.query("tcp", "huge.ns1.", wire.TypeAAAA); m.Rcode != wire.RcodeSuccess || len(m.Answer) != 0 {
		t.Errorf("answered %s", m)
	}
}

// TestLyingServers has a name server add what was not asked for. None of it is told to anybody, then or later.
func TestLyingServers(t *testing.T) {
	up := serveNames(t, func(to wire.ResponseWriter, q *wire.Msg) {
		m := new(wire.Msg).SetReply(q)
		for _, line := range []string{"bank.com. 600 A 6.6.6.6", q.Question[0].Name + " 600 A 10.0.0.1", "com. 600 A 6.6.6.6"} {
			rr, err := wire.NewRR(line)
			if err != nil {
				panic(err)
			}
			if rr.Header().Name != q.Question[0].Name || rr.(*wire.A).A.String() != "6.6.6.6" {
				m.Answer = append(m.Answer, rr)
			}
		}
		_ = to.WriteMsg(m)
	})
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, nil)
	for _, name := range []string{"a.com.", "bank.com.", "com.x."} {
		if m := w.query("udp", name, wire.TypeA); len(m.Answer) != 1 || m.Answer[0].(*wire.A).A.String() != "10.0.0.1" {
			t.Errorf("%s: %s", name, m)
		}
	}
	if n := up.asked.Load(); n != 3 {
		t.Errorf("asked %d times: what was not asked for must not be cached", n)
	}
}
