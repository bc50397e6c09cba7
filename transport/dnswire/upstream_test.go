package dnswire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// loopback dials ordinary sockets.
type loopback struct{ net.Dialer }

func (d loopback) DialPacket(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	return d.DialContext(ctx, "udp", addr.String())
}

func (d loopback) DialStream(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	return d.DialContext(ctx, "tcp", addr.String())
}

// script is a name server that does what a function says: it returns the packets to send.
type script struct {
	addr  netip.AddrPort
	asked atomic.Int64
	mu    sync.Mutex
	names []string
}

func (s *script) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.names)
}

func serve(t *testing.T, act func(query *dns.Msg, udp bool) [][]byte) *script {
	t.Helper()
	packets, stream := bindBoth(t)
	s := &script{addr: packets.LocalAddr().(*net.UDPAddr).AddrPort()}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		s.asked.Add(1)
		s.mu.Lock()
		s.names = append(s.names, query.Question[0].Name)
		s.mu.Unlock()
		_, udp := w.RemoteAddr().(*net.UDPAddr)
		for _, packet := range act(query, udp) {
			_, _ = w.Write(packet)
		}
	})
	var done sync.WaitGroup
	t.Cleanup(done.Wait)
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: handler}, {Listener: stream, Handler: handler}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		done.Go(func() { _ = server.ActivateAndServe() })
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return s
}

// answer packs an answer.
func answer(t testing.TB, query *dns.Msg, rcode int, list ...string) []byte {
	m := new(dns.Msg).SetReply(query)
	m.Rcode = rcode
	m.Answer = records(t, list...)
	packet, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return packet
}

func upstream(timeout time.Duration, servers ...*script) *Upstream {
	c := UpstreamConfig{Timeout: timeout, Dialer: loopback{}}
	for _, s := range servers {
		c.Servers = append(c.Servers, s.addr)
	}
	return NewUpstream(c)
}

func silent(*dns.Msg, bool) [][]byte { return nil }

func good(t *testing.T) func(*dns.Msg, bool) [][]byte {
	return func(q *dns.Msg, _ bool) [][]byte {
		return [][]byte{answer(t, q, 0, q.Question[0].Name+" 60 A 10.0.0.1")}
	}
}

func TestTheNextServerIsAsked(t *testing.T) {
	for name, bad := range map[string]func(*dns.Msg, bool) [][]byte{
		"silent":   silent,
		"servfail": func(q *dns.Msg, _ bool) [][]byte { return [][]byte{answer(t, q, dns.RcodeServerFailure)} },
		"refused":  func(q *dns.Msg, _ bool) [][]byte { return [][]byte{answer(t, q, dns.RcodeRefused)} },
		"garbage": func(q *dns.Msg, _ bool) [][]byte {
			p := answer(t, q, 0, q.Question[0].Name+" 60 A 10.0.0.66")
			return [][]byte{p[:len(p)-3]}
		},
		"lying": func(q *dns.Msg, _ bool) [][]byte { return [][]byte{answer(t, q, 0, "bank.com. 60 A 10.0.0.66")} },
		"loop": func(q *dns.Msg, _ bool) [][]byte {
			p := answer(t, q, 0)
			return [][]byte{append(append(p[:7], 1, 0, 0, 0, 0, 1, 'a', 3, 'c', 'o', 'm', 0, 0, 1, 0, 1), 0xc0, 23, 0, 1, 0, 1, 0, 0, 0, 9, 0, 0)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := serve(t, bad), serve(t, good(t))
			r, err := upstream(20*time.Second, first, second).Resolve(t.Context(), keyOf(t, "a.com.", dns.TypeA))
			if err != nil || len(r.Addrs()) != 1 || r.Addrs()[0] != netip.MustParseAddr("10.0.0.1") || r.Server != second.addr {
				t.Errorf("resolved to %+v, %v", r, err)
			}
			if first.asked.Load() == 0 {
				t.Error("the first server was not asked")
			}
		})
	}
}

func TestASilentServerIsAskedLast(t *testing.T) {
	first, second := serve(t, silent), serve(t, good(t))
	u := upstream(20*time.Second, first, second)
	for i := range 20 {
		if _, err := u.Resolve(t.Context(), keyOf(t, "a.com.", dns.TypeA)); err != nil {
			t.Fatal(err)
		}
		if i == 0 { // a turn that was cut short says nothing of the server: its own time-out does
			u.servers[0].note(time.Now(), 20*time.Second, errNoAnswer)
		}
	}
	if n := first.asked.Load(); n > 2 {
		t.Errorf("the silent server was asked %d times", n)
	}
}

func TestForgedAnswersAreIgnored(t *testing.T) {
	s := serve(t, func(q *dns.Msg, udp bool) [][]byte {
		forged := q.Copy()
		forged.Id++
		other := q.Copy()
		other.Question[0].Name = "b.com."
		kind := q.Copy()
		kind.Question[0].Qtype = dns.TypeAAAA
		query := answer(t, q, 0)
		query[2] &^= 0x80
		return [][]byte{
			answer(t, forged, 0, "a.com. 60 A 10.0.0.66"), answer(t, other, 0, "b.com. 60 A 10.0.0.66"),
			answer(t, kind, 0), query,
			{1, 2, 3},
			answer(t, q, 0, "A.com. 60 A 10.0.0.1", "evil.com. 60 A 10.0.0.66"),
		}
	})
	var mismatched atomic.Uint64
	u := NewUpstream(UpstreamConfig{Servers: []netip.AddrPort{s.addr}, Dialer: loopback{}, Mismatched: &mismatched, Timeout: 20 * time.Second})
	r, err := u.Resolve(t.Context(), keyOf(t, "a.com.", dns.TypeA))
	if err != nil || r.Answers != 1 || r.Addrs()[0] != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("resolved to %+v, %v", r, err)
	}
	if mismatched.Load() != 5 {
		t.Errorf("%d mismatched, want 5", mismatched.Load())
	}
}

func TestAFloodOfForgeriesEnds(t *testing.T) {
	s := serve(t, func(q *dns.Msg, udp bool) (all [][]byte) {
		q.Id++
		for range 2 * maxMismatched {
			all = append(all, answer(t, q, 0))
		}
		return all
	})
	_, _, err := upstream(20*time.Second, s).Ask(t.Context(), keyOf(t, "a.com.", dns.TypeA))
	if !errors.Is(err, errMismatched) {
		t.Errorf("asked: %v", err)
	}
}

func TestTruncatedAnswersComeByStream(t *testing.T) {
	s := serve(t, func(q *dns.Msg, udp bool) [][]byte {
		if !udp {
			return good(t)(q, udp)
		}
		p := answer(t, q, 0)
		p[2] |= 2
		return [][]byte{p}
	})
	r, err := upstream(20*time.Second, s).Resolve(t.Context(), keyOf(t, "a.com.", dns.TypeA))
	if err != nil || r.Answers != 1 || s.asked.Load() != 2 {
		t.Errorf("resolved to %+v, %v after %d questions", r, err, s.asked.Load())
	}
}

func TestServersWithoutEDNS(t *testing.T) {
	s := serve(t, func(q *dns.Msg, udp bool) [][]byte {
		if q.IsEdns0() == nil {
			return good(t)(q, udp)
		}
		return [][]byte{answer(t, q, dns.RcodeFormatError)}
	})
	if r, err := upstream(20*time.Second, s).Resolve(t.Context(), keyOf(t, "a.com.", dns.TypeA)); err != nil || r.Answers != 1 {
		t.Errorf("resolved to %+v, %v", r, err)
	}
}

func TestAliasesAreFollowed(t *testing.T) {
	zone := map[string]string{
		"a.com.": "a.com. 60 CNAME b.com.", "b.com.": "b.com. 60 CNAME c.com.", "c.com.": "c.com. 60 A 10.0.0.1",
		"loop.com.": "loop.com. 60 CNAME pool.com.", "pool.com.": "pool.com. 60 CNAME loop.com.",
	}
	s := serve(t, func(q *dns.Msg, _ bool) [][]byte { return [][]byte{answer(t, q, 0, zone[q.Question[0].Name])} })
	u := upstream(20*time.Second, s)
	r, err := u.Resolve(t.Context(), keyOf(t, "a.com.", dns.TypeA))
	if err != nil || r.Answers != 3 || len(r.Addrs()) != 1 {
		t.Errorf("resolved to %+v, %v", r, err)
	}
	if r, err = u.Resolve(t.Context(), keyOf(t, "loop.com.", dns.TypeA)); err != nil || len(r.Addrs()) != 0 || r.TTL != 0 {
		t.Errorf("a loop resolved to %+v, %v", r, err)
	}
	if n := len(s.questions()); n > 8 {
		t.Errorf("asked %q", s.questions())
	}
}

func TestTroubleIsTold(t *testing.T) {
	s := serve(t, func(q *dns.Msg, _ bool) [][]byte { return [][]byte{answer(t, q, dns.RcodeRefused)} })
	_, err := upstream(20*time.Second, s).Resolve(t.Context(), keyOf(t, "a.com.", dns.TypeA))
	var said *RcodeError
	if !errors.As(err, &said) || said.Rcode != dns.RcodeRefused || said.Server != s.addr || !strings.Contains(err.Error(), "REFUSED") {
		t.Errorf("error %v", err)
	}
	if s.asked.Load() != 2 {
		t.Errorf("asked %d times, want 2", s.asked.Load())
	}
	if _, err = upstream(time.Second).Resolve(t.Context(), keyOf(t, "a.com.", dns.TypeA)); !errors.Is(err, ErrNoServers) {
		t.Errorf("without servers: %v", err)
	}
}

func TestSilenceEnds(t *testing.T) {
	s := serve(t, silent)
	began := time.Now()
	if _, err := upstream(30*time.Millisecond, s).Resolve(t.Context(), keyOf(t, "a.com.", dns.TypeA)); !errors.Is(err, errNoAnswer) {
		t.Errorf("error %v after %v", err, time.Since(began))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("left")
	cancel(left)
	if _, err := upstream(time.Minute, s).Resolve(ctx, keyOf(t, "a.com.", dns.TypeA)); !errors.Is(err, left) {
		t.Errorf("error %v", err)
	}
}

func TestNamesThatNobodyIsAskedFor(t *testing.T) {
	s := serve(t, good(t))
	u := upstream(20*time.Second, s)
	u.config.Local = func(k Key) []netip.Addr {
		if k.Domain() == "printer." {
			return addrs("10.0.0.7", "2001:db8::7")
		}
		return nil
	}
	for _, test := range []struct {
		name  string
		kind  uint16
		rcode int
		want  string
	}{
		{"localhost.", dns.TypeA, 0, "[localhost. 10 IN A 127.0.0.1]"},
		{"x.localhost.", dns.TypeAAAA, 0, "[x.localhost. 10 IN AAAA ::1]"},
		{"localhost.", dns.TypeMX, 0, "[]"},
		{"a.invalid.", dns.TypeA, dns.RcodeNameError, "[]"},
		{"a.onion.", dns.TypeTXT, dns.RcodeNameError, "[]"},
		{"1.0.0.127.in-addr.arpa.", dns.TypePTR, 0, "[1.0.0.127.in-addr.arpa. 10 IN PTR localhost.]"},
		{loopback6, dns.TypePTR, 0, "[" + loopback6 + " 10 IN PTR localhost.]"},
		{"printer.", dns.TypeA, 0, "[printer. 10 IN A 10.0.0.7]"},
		{"printer.", dns.TypeAAAA, 0, "[printer. 10 IN AAAA 2001:db8::7]"},
	} {
		r, err := u.Resolve(t.Context(), keyOf(t, test.name, test.kind))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		m := unpack(t, r.Append(nil, parse(t, ask(t, test.name, test.kind)), 0, false))
		if got := "[" + strings.Join(lines(m.Answer), " ") + "]"; got != test.want || m.Rcode != test.rcode {
			t.Errorf("%s: %s, %d; want %s", test.name, got, m.Rcode, test.want)
		}
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

func TestRank(t *testing.T) {
	a, b, c := &server{addr: netip.MustParseAddrPort("10.0.0.1:53")}, &server{addr: netip.MustParseAddrPort("10.0.0.2:53")}, &server{addr: netip.MustParseAddrPort("10.0.0.3:53")}
	now := time.Now()
	all := []*server{a, b, c}
	want := func(why string, now time.Time, order ...*server) {
		t.Helper()
		if got := rank(all, now); !slices.Equal(got, order) {
			t.Errorf("%s: %v %v %v", why, got[0].addr, got[1].addr, got[2].addr)
		}
	}
	want("nobody is known", now, a, b, c)
	a.note(now, time.Second, errNoAnswer)
	want("the first was silent", now, b, c, a)
	want("long ago", now.Add(penalty), a, b, c)
	b.note(now, 5*time.Second, nil)
	want("the second is slow", now, c, b, a)
	b.note(now, time.Millisecond, &RcodeError{})
	a.note(now, time.Millisecond, nil)
	want("the first is back", now, a, c, b)
}

// bindBoth binds a port that is free for UDP and TCP.
func bindBoth(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 50 {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		stream, err := net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, stream
		}
		_ = packets.Close()
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}
