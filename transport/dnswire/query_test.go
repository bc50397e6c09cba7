package dnswire

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/messages"
)

// ask packs a query as a client would.
func ask(t testing.TB, name string, kind uint16, change ...func(*dns.Msg)) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, kind)
	for _, f := range change {
		f(m)
	}
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

func parse(t testing.TB, packet []byte) *Query {
	t.Helper()
	q := new(Query)
	if v := ParseQuery(packet, q); v != VerdictAnswer {
		t.Fatalf("verdict %d on %x", v, packet)
	}
	return q
}

func TestParseQuery(t *testing.T) {
	long := strings.Repeat("a23456789.", 25) + "a."
	for _, test := range []struct {
		name, host string
		mixed      bool
	}{
		{"cart.shop.", "cart.shop", false},
		{"CaRt.ShOp.", "cart.shop", true},
		{"*.example.com.", "*.example.com", false},
		{"_sip._tcp.example.com.", "_sip._tcp.example.com", false},
		{".", "", false},
		{`dot\.ted.example.com.`, "", false},
		{`spa\ ce.example.com.`, "", false},
		{`\000.example.com.`, "", false},
		{"xn--bcher-kva.example.", "xn--bcher-kva.example", false},
		{`b\195\188cher.example.`, "xn--bcher-kva.example", false},
		{`\255\254.example.`, "", false},
		{long, strings.TrimSuffix(long, "."), false},
	} {
		packet := ask(t, test.name, dns.TypeAAAA)
		q := parse(t, packet)
		if q.Host() != test.host || q.mixed != test.mixed || q.Type != dns.TypeAAAA || q.Class != dns.ClassINET {
			t.Errorf("%s: %+v", test.name, q)
		}
		if want := strings.ToLower(test.name); q.Domain() != want {
			t.Errorf("the name of %s is %s", test.name, q.Domain())
		}
		if q.ID != binary.BigEndian.Uint16(packet) || q.EDNS || !q.IsAddress() || !q.WantsIPv6() {
			t.Errorf("%s: %+v", test.name, q)
		}
	}
}

func TestParseEDNS(t *testing.T) {
	q := parse(t, ask(t, "a.", dns.TypeTXT, func(m *dns.Msg) { m.SetEdns0(1400, true); m.CheckingDisabled = true }))
	if !q.EDNS || !q.DO || q.limit() != 1400 || q.IsAddress() || q.TypeName() != "txt" {
		t.Errorf("%+v", q)
	}
	if k := q.Key(); !k.DO || !k.CD || k.Domain() != "a." {
		t.Errorf("key %+v", k)
	}
	for payload, want := range map[uint16]int{0: 512, 100: 512, 512: 512, 4096: 4096, 65535: maxDatagram} {
		if q := parse(t, ask(t, "a.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(payload, false) })); q.limit() != want {
			t.Errorf("who takes %d bytes gets %d, want %d", payload, q.limit(), want)
		}
	}
}

func TestScreening(t *testing.T) {
	good := ask(t, "a.example.", dns.TypeA)
	with := func(change func(p []byte) []byte) []byte { return change(bytes.Clone(good)) }
	for _, test := range []struct {
		name   string
		packet []byte
		want   Verdict
	}{
		{"nothing", nil, VerdictIgnore},
		{"less than a header", good[:11], VerdictIgnore},
		{"an answer", with(func(p []byte) []byte { p[2] |= 0x80; return p }), VerdictIgnore},
		{"another operation", with(func(p []byte) []byte { p[2] |= 0x28; return p }), VerdictNotImp},
		{"no question", with(func(p []byte) []byte { p[5] = 0; return p[:12] }), VerdictServFail},
		{"two questions", with(func(p []byte) []byte { p[5] = 2; return append(p, p[12:]...) }), VerdictServFail},
		{"two questions, one missing", with(func(p []byte) []byte { p[5] = 2; return p }), VerdictFormErr},
		{"cut in the name", good[:15], VerdictFormErr},
		{"cut in the type", good[:len(good)-1], VerdictFormErr},
		{"a pointer to itself", with(func(p []byte) []byte { return append(p[:12], 0xc0, 12, 0, 1, 0, 1) }), VerdictFormErr},
		{"a pointer into the header", with(func(p []byte) []byte { return append(p[:12], 0xc0, 0, 0, 1, 0, 1) }), VerdictFormErr},
		{"a pointer after a label", with(func(p []byte) []byte { return append(p[:12], 1, 'a', 0xc0, 12, 0, 1, 0, 1) }), VerdictFormErr},
		{"a label of an unknown kind", with(func(p []byte) []byte { return append(p[:12], 0x41, 'a', 0, 0, 1, 0, 1) }), VerdictFormErr},
		{"a record that is missing", with(func(p []byte) []byte { p[11] = 1; return p }), VerdictFormErr},
		{"two OPT records", with(func(p []byte) []byte {
			p[11] = 2
			opt := []byte{0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0}
			return append(append(p, opt...), opt...)
		}), VerdictFormErr},
		{"a name of 256 bytes", with(func(p []byte) []byte {
			p = append(p[:12], bytes.Repeat(append([]byte{62}, bytes.Repeat([]byte{'a'}, 62)...), 4)...)
			return append(p, 2, 'a', 'a', 0, 0, 1, 0, 1)
		}), VerdictFormErr},
		{"a name of 255 bytes", with(func(p []byte) []byte {
			p = append(p[:12], bytes.Repeat(append([]byte{62}, bytes.Repeat([]byte{'a'}, 62)...), 4)...)
			return append(p, 1, 'a', 0, 0, 1, 0, 1)
		}), VerdictAnswer},
		{"bytes after the end", append(bytes.Clone(good), 1, 2, 3), VerdictAnswer},
	} {
		var q Query
		if got := ParseQuery(test.packet, &q); got != test.want {
			t.Errorf("%s: verdict %d, want %d", test.name, got, test.want)
		}
		if test.want == VerdictIgnore {
			continue
		}
		m := new(dns.Msg)
		if err := m.Unpack(AppendError(nil, &q, test.want.Rcode())); err != nil || m.Rcode != test.want.Rcode() || !m.Response || m.Id != q.ID {
			t.Errorf("%s: answered %v, %v", test.name, m, err)
		}
	}
}

// FuzzParseQuery compares with miekg's reading of the same bytes, and answers whatever can be answered.
func FuzzParseQuery(f *testing.F) {
	f.Add(ask(f, "CaRt.shop.", dns.TypeA))
	f.Add(ask(f, "a.example.", dns.TypeANY, func(m *dns.Msg) { m.SetEdns0(1232, true) }))
	f.Add(ask(f, `b\195\188cher.example.`, dns.TypeAAAA))
	f.Add([]byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1})
	f.Add(bytes.Repeat([]byte{0xc0}, 40))
	f.Fuzz(func(t *testing.T, packet []byte) {
		var q Query
		v := ParseQuery(packet, &q)
		m := new(dns.Msg)
		err := m.Unpack(packet)
		if v != VerdictAnswer {
			if v != VerdictIgnore && new(dns.Msg).Unpack(AppendError(nil, &q, v.Rcode())) != nil {
				t.Errorf("the error for %x can't be read", packet)
			}
			return
		}
		if len(m.Question) != 1 {
			t.Fatalf("answers %x, in which there is not one question (%v)", packet, err)
		}
		asked := m.Question[0]
		if q.Type != asked.Qtype || q.Class != asked.Qclass || q.Domain() != strings.ToLower(asked.Name) || q.ID != m.Id {
			t.Errorf("read %s %d %d, miekg %s", q.Domain(), q.Type, q.Class, asked.String())
		}
		if err == nil {
			if opt := m.IsEdns0(); (opt != nil) != q.EDNS || opt != nil && (opt.Do() != q.DO || opt.UDPSize() != q.payload) {
				t.Errorf("EDNS %v %v %d, miekg %v", q.EDNS, q.DO, q.payload, opt)
			}
		}
		if q.Host() != "" && messages.CanonicalHost(q.Host()) != q.Host() {
			t.Errorf("host %q is not canonical", q.Host())
		}
		if k, ok := QuestionKey(q.Domain(), q.Type); !ok || k.name != q.Key().name {
			t.Errorf("key %q of %q, of its text %q", q.Key().name, q.Domain(), k.name)
		}
		k := q.Key()
		if got := string(q.AppendKey(nil)); !strings.HasPrefix(got, k.name) || len(got) != len(k.name)+5 || (got[len(got)-1]&1 != 0) != k.DO || (got[len(got)-1]&2 != 0) != k.CD {
			t.Errorf("key %x, want that of %+v", got, k)
		}
		checkAnswer(t, &q)
	})
}
