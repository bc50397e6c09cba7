package dnswire

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func addrs(list ...string) (all []netip.Addr) {
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func many(n int) (all []netip.Addr) {
	for i := range n {
		all = append(all, netip.AddrFrom4([4]byte{240, 0, byte(i >> 8), byte(i)}))
	}
	return all
}

func unpack(t testing.TB, packet []byte) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		t.Fatalf("%v in %x", err, packet)
	}
	return m
}

func lines(rrs []dns.RR) (all []string) {
	for _, rr := range rrs {
		all = append(all, strings.ReplaceAll(rr.String(), "\t", " "))
	}
	return all
}

func TestAppendAnswer(t *testing.T) {
	for _, test := range []struct {
		name, question string
		kind           uint16
		answer         Answer
		want           []string
	}{
		{"an address", "cart.shop.", dns.TypeA, Answer{Addrs: addrs("10.0.0.1")}, []string{"cart.shop. 30 IN A 10.0.0.1"}},
		{"mixed case", "CaRt.shop.", dns.TypeA, Answer{Addrs: addrs("10.0.0.1", "10.0.0.2")}, []string{
			"cart.shop. 30 IN A 10.0.0.1", "cart.shop. 30 IN A 10.0.0.2",
		}},
		{"IPv6", "cart.shop.", dns.TypeAAAA, Answer{Addrs: addrs("2001:db8::1")}, []string{"cart.shop. 30 IN AAAA 2001:db8::1"}},
		{"an alias", "cart.shop.svc.d.", dns.TypeA, Answer{Target: "cart.shop", Addrs: addrs("10.0.0.1", "10.0.0.2")}, []string{
			"cart.shop.svc.d. 30 IN CNAME cart.shop.", "cart.shop. 30 IN A 10.0.0.1", "cart.shop. 30 IN A 10.0.0.2",
		}},
		{"an alias in mixed case", "Cart.shop.svc.d.", dns.TypeA, Answer{Target: "cart.shop", Addrs: addrs("10.0.0.1")}, []string{
			"cart.shop.svc.d. 30 IN CNAME cart.shop.", "cart.shop. 30 IN A 10.0.0.1",
		}},
		{"nothing", "cart.shop.", dns.TypeAAAA, Answer{}, nil},
		{"an alias of nothing", "cart.shop.svc.d.", dns.TypeAAAA, Answer{Target: "cart.shop"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.answer.TTL = 30
			packet := ask(t, test.question, test.kind, func(m *dns.Msg) { m.CheckingDisabled = true; m.AuthenticatedData = true })
			q := parse(t, packet)
			out, n := AppendAnswer(nil, q, test.answer, true)
			m := unpack(t, out)
			if got := lines(m.Answer); fmt.Sprint(got) != fmt.Sprint(test.want) || n != len(test.want) {
				t.Errorf("answered %d: %q, want %q", n, got, test.want)
			}
			if !m.Response || !m.Authoritative || !m.RecursionAvailable || !m.RecursionDesired || !m.CheckingDisabled || m.AuthenticatedData || m.Truncated {
				t.Errorf("flags: %s", m.MsgHdr.String())
			}
			if m.Question[0].Name != test.question || m.Id != q.ID || len(m.Ns)+len(m.Extra) != 0 {
				t.Errorf("answered %s", m)
			}
		})
	}
}

func TestAnswersAreCut(t *testing.T) {
	plain := parse(t, ask(t, "large.com.", dns.TypeA))
	edns := parse(t, ask(t, "large.com.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, true) }))
	for _, test := range []struct {
		name string
		q    *Query
		udp  bool
		want int
	}{
		{"with EDNS", edns, true, 74}, {"without", plain, true, 30}, {"over TCP", plain, false, 256}, {"over TCP with EDNS", edns, false, 256},
	} {
		out, n := AppendAnswer([]byte("before"), test.q, Answer{Addrs: many(256), TTL: 30}, test.udp)
		m := unpack(t, out[len("before"):])
		if len(m.Answer) != test.want || n != test.want || m.Truncated != (test.want < 256) {
			t.Errorf("%s: %d records, told %d, cut: %v; want %d", test.name, len(m.Answer), n, m.Truncated, test.want)
		}
		if opt := m.IsEdns0(); (opt != nil) != test.q.EDNS || opt != nil && (!opt.Do() || opt.UDPSize() != 1232 || opt.Version() != 0) {
			t.Errorf("%s: EDNS %v", test.name, opt)
		}
		if test.udp && len(out)-6 > test.q.limit() {
			t.Errorf("%s: %d bytes, want at most %d", test.name, len(out)-6, test.q.limit())
		}
	}
}

// checkAnswer answers a query in several ways, all of which must be readable and within the limit.
func checkAnswer(t *testing.T, q *Query) {
	t.Helper()
	for _, a := range []Answer{{}, {Addrs: many(3)}, {Addrs: many(3000)}, {Addrs: many(3), Target: "cart.shop"}, {Addrs: addrs("::1")}} {
		for _, udp := range []bool{true, false} {
			out, n := AppendAnswer(nil, q, a, udp)
			m := unpack(t, out)
			if len(m.Answer) != n || udp && len(out) > q.limit() || len(out) > MaxMessage {
				t.Errorf("%d records of %d in %d bytes", len(m.Answer), n, len(out))
			}
		}
	}
}

func TestAnswersDoNotAllocate(t *testing.T) {
	packet := ask(t, "cart.shop.svc.cluster.local.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, false) })
	out, list := make([]byte, 0, 4096), many(3)
	var q Query
	n := testing.AllocsPerRun(200, func() {
		ParseQuery(packet, &q)
		AppendAnswer(out, &q, Answer{Addrs: list, TTL: 30}, true)
	})
	if n > 1 { // the host name
		t.Errorf("%v allocations to read a query and write its answer", n)
	}
}
