package dnswire

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// records parses records in the form of a zone file.
func records(t testing.TB, list ...string) (all []dns.RR) {
	t.Helper()
	for _, line := range list {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rr)
	}
	return all
}

func keyOf(t testing.TB, name string, kind uint16) Key {
	t.Helper()
	k, ok := QuestionKey(name, kind)
	if !ok {
		t.Fatalf("%q is no domain name", name)
	}
	return k
}

func reply(t testing.TB, k Key, m *dns.Msg) *Reply {
	t.Helper()
	r, err := newReply(k, m, netip.AddrPort{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReplies(t *testing.T) {
	const soa = "com. 900 SOA ns.com. admin.com. 1 1 1 1 40"
	for _, test := range []struct {
		name     string
		kind     uint16
		message  dns.Msg
		ttl      time.Duration
		negative bool
		answers  []string
		rest     int
	}{
		{
			"answers", dns.TypeA, dns.Msg{
				Answer: records(t, "a.com. 60 A 10.0.0.1", "a.com. 50 A 10.0.0.2"), Ns: records(t, "com. 5 NS ns.com."), Extra: records(t, "ns.com. 5 A 10.0.0.9"),
			}, 50 * time.Second, false, []string{"a.com. 57 IN A 10.0.0.1", "a.com. 47 IN A 10.0.0.2"}, 1,
		},
		{
			"an alias", dns.TypeA,
			dns.Msg{Answer: records(t, "a.com. 20 CNAME b.com.", "b.com. 60 A 10.0.0.1")},
			20 * time.Second, false,
			[]string{"a.com. 17 IN CNAME b.com.", "b.com. 57 IN A 10.0.0.1"},
			0,
		},
		{"longer than a day", dns.TypeA, dns.Msg{Answer: records(t, "a.com. 2000000 A 10.0.0.1")}, longestTTL, false, []string{"a.com. 1999997 IN A 10.0.0.1"}, 0},
		{"a negative TTL", dns.TypeA, dns.Msg{Answer: records(t, "a.com. 4294967295 A 10.0.0.1")}, 0, false, []string{"a.com. 4294967292 IN A 10.0.0.1"}, 0},
		{"already over", dns.TypeA, dns.Msg{Answer: records(t, "a.com. 1 A 10.0.0.1")}, time.Second, false, []string{"a.com. 0 IN A 10.0.0.1"}, 0},
		{"no such name", dns.TypeA, dns.Msg{MsgHdr: dns.MsgHdr{Rcode: dns.RcodeNameError}, Ns: records(t, soa)}, 40 * time.Second, true, nil, 1},
		{"no such record", dns.TypeAAAA, dns.Msg{Ns: records(t, soa)}, 40 * time.Second, true, nil, 1},
		{"absent for long", dns.TypeA, dns.Msg{Ns: records(t, "com. 90000 SOA ns.com. admin.com. 1 1 1 1 90000")}, longestAbsence, true, nil, 1},
		{"absent, for how long is not said", dns.TypeA, dns.Msg{MsgHdr: dns.MsgHdr{Rcode: dns.RcodeNameError}}, 0, true, nil, 0},
		{
			"an alias of nothing", dns.TypeA,
			dns.Msg{Answer: records(t, "a.com. 60 CNAME b.com."), Ns: records(t, soa)},
			40 * time.Second, false,
			[]string{"a.com. 57 IN CNAME b.com."},
			1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := reply(t, keyOf(t, "a.com.", test.kind), &test.message)
			if r.TTL != test.ttl || r.Negative() != test.negative || r.Answers != len(test.answers) {
				t.Errorf("holds for %v, negative %v, %d answers; want %v, %v", r.TTL, r.Negative(), r.Answers, test.ttl, test.negative)
			}
			q := parse(t, ask(t, "A.com.", test.kind, func(m *dns.Msg) { m.SetEdns0(1232, false) }))
			m := unpack(t, r.Append([]byte("xy"), q, 3*time.Second, true)[2:])
			if got := lines(m.Answer); fmt.Sprint(canonicalLines(got)) != fmt.Sprint(test.answers) {
				t.Errorf("answers %q, want %q", got, test.answers)
			}
			opt := m.IsEdns0()
			rest := len(m.Ns) + len(m.Extra)
			if opt != nil {
				rest--
			}
			if rest != test.rest || (opt != nil) == test.negative || m.RecursionAvailable == test.negative || m.Authoritative || m.Rcode != test.message.Rcode {
				t.Errorf("answered %s", m)
			}
			if m.Question[0].Name != "A.com." || m.Id != q.ID {
				t.Errorf("the question became %s", m.Question[0].String())
			}
		})
	}
}

// canonicalLines are records with the question's own spelling taken back.
func canonicalLines(lines []string) []string {
	all := slices.Clone(lines)
	for i, line := range all {
		if line[0] == 'A' {
			all[i] = "a" + line[1:]
		}
	}
	return all
}

func TestLargeRepliesAreCut(t *testing.T) {
	k := keyOf(t, "large.com.", dns.TypeA)
	m := &dns.Msg{Extra: records(t, "ns.large.com. 60 A 10.9.9.9")}
	for _, a := range many(256) {
		m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: "large.com.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: a.AsSlice()})
	}
	r := reply(t, k, m)
	edns := func(m *dns.Msg) { m.SetEdns0(1232, false) }
	for _, test := range []struct {
		q    *Query
		udp  bool
		want int
	}{
		{parse(t, ask(t, "large.com.", dns.TypeA, edns)), true, 74},
		{parse(t, ask(t, "large.com.", dns.TypeA)), true, 30},
		{parse(t, ask(t, "large.com.", dns.TypeA)), false, 256},
	} {
		out := unpack(t, r.Append(nil, test.q, 0, test.udp))
		if len(out.Answer) != test.want || out.Truncated != (test.want < 256) {
			t.Errorf("%d records, cut %v; want %d", len(out.Answer), out.Truncated, test.want)
		}
	}
}

func TestMissingAdditionalRecordsAreNoTruncation(t *testing.T) {
	m := &dns.Msg{Answer: records(t, "a.com. 60 A 10.0.0.1")}
	for i := range 40 {
		m.Extra = append(m.Extra, records(t, fmt.Sprintf("n%d.com. 60 A 10.0.1.%d", i, i))...)
	}
	out := unpack(t, reply(t, keyOf(t, "a.com.", dns.TypeA), m).Append(nil, parse(t, ask(t, "a.com.", dns.TypeA)), 0, true))
	if len(out.Answer) != 1 || len(out.Extra) == 0 || len(out.Extra) == 40 || out.Truncated {
		t.Errorf("%d answers, %d additional records, cut %v", len(out.Answer), len(out.Extra), out.Truncated)
	}
}

// FuzzReadAnswer reads answers of a name server and answers from what is left of them.
func FuzzReadAnswer(f *testing.F) {
	seed := func(kind uint16, m dns.Msg) {
		m.SetQuestion("a.com.", kind)
		m.Response = true
		packet, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet[2:])
	}
	seed(dns.TypeA, dns.Msg{Answer: records(f, "a.com. 20 CNAME b.com.", "b.com. 60 A 10.0.0.1")})
	seed(dns.TypeA, dns.Msg{Ns: records(f, "com. 900 SOA ns.com. admin.com. 1 1 1 1 40")})
	seed(dns.TypeA, dns.Msg{Answer: records(f, "a.com. 20 CNAME a.com.", "com. 20 DNAME org.", "x.com. 1 A 10.0.0.6")})
	f.Add([]byte{0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, 'a', 3, 'c', 'o', 'm', 0, 0, 1, 0, 1, 0xc0, 23, 0, 1, 0, 1, 0, 0, 0, 9, 0, 0})
	k := keyOf(f, "a.com.", dns.TypeA)
	questions := []*Query{
		parse(f, ask(f, "A.com.", dns.TypeA)), parse(f, ask(f, "a.com.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(700, true) })),
	}
	f.Fuzz(func(t *testing.T, rest []byte) {
		m, err := readAnswer(append([]byte{7, 7}, rest...), 0x0707, k)
		if err != nil || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
			return
		}
		r, err := newReply(k, m, netip.AddrPort{})
		if err != nil {
			return
		}
		chain := aliases("a.com.", dns.TypeA, m.Answer)
		for _, q := range questions {
			for _, udp := range []bool{true, false} {
				out := r.Append(nil, q, time.Minute, udp)
				got := unpack(t, out)
				if udp && len(out) > q.limit() || got.Id != q.ID || got.Question[0].Name != q.Domain() && got.Question[0].Name != "A.com." {
					t.Errorf("answered %d bytes: %s", len(out), got)
				}
				for _, rr := range got.Answer {
					if !onChain(chain, rr) {
						t.Errorf("tells %s to who asked for a.com.", rr)
					}
				}
			}
		}
	})
}
