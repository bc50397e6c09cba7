package resolver

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func addrs(list ...string) (all []netip.Addr) {
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func TestResolve(t *testing.T) {
	records := []string{
		"both.com. 60 A 10.0.0.1", "both.com. 30 A 10.0.0.2", "both.com. 90 AAAA 2001:db8::1",
		"six.com. 5 AAAA 2001:db8::6",
		"alias.com. 3 CNAME both.com.", "alias.com. 60 A 10.0.0.1",
		"svc.ns.cluster.local. 10 A 10.0.0.9",
	}
	for _, tc := range []struct {
		name   string
		host   string
		config Config
		want   []netip.Addr
		ttl    time.Duration
	}{
		{"both families", "both.com", Config{IPv6: true}, addrs("10.0.0.1", "10.0.0.2", "2001:db8::1"), 30 * time.Second},
		{"IPv4 only", "both.com", Config{}, addrs("10.0.0.1", "10.0.0.2"), 30 * time.Second},
		{"one family is enough", "six.com", Config{IPv6: true}, addrs("2001:db8::6"), 5 * time.Second},
		{"a name with its final dot", "both.com.", Config{}, addrs("10.0.0.1", "10.0.0.2"), 30 * time.Second},
		{"an alias", "alias.com", Config{}, addrs("10.0.0.1"), 60 * time.Second},
		{"completed", "svc", Config{Search: []string{"other.local", "ns.cluster.local"}, Ndots: 5}, addrs("10.0.0.9"), 10 * time.Second},
		{"an address", "10.1.2.3", Config{}, addrs("10.1.2.3"), hostsTTL},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, &nameServer{records: records})
			tc.config.Servers, tc.config.HostsFile = []netip.AddrPort{s.addr}, noHosts(t)
			got, ttl, err := New(tc.config).Resolve(t.Context(), tc.host)
			slices.SortFunc(got, netip.Addr.Compare)
			if err != nil || !slices.Equal(got, tc.want) || ttl != tc.ttl {
				t.Errorf("got %v for %v, %v; want %v for %v", got, ttl, err, tc.want, tc.ttl)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, tc := range []struct {
		host  string
		ndots int
		want  []string
	}{
		{"a", 1, []string{"a.d.", "a.s1.", "a.s2.", "a."}},
		{"a.b", 1, []string{"a.b.", "a.b.d.", "a.b.s1.", "a.b.s2."}},
		{"a.b", 5, []string{"a.b.d.", "a.b.s1.", "a.b.s2.", "a.b."}},
		{"a.b.", 5, []string{"a.b."}},
	} {
		r := New(Config{Domain: "d", Search: []string{"s1", "s2"}, Ndots: tc.ndots})
		if got := r.names(tc.host); !slices.Equal(got, tc.want) {
			t.Errorf("%s with ndots %d: %v, want %v", tc.host, tc.ndots, got, tc.want)
		}
	}
}

func TestAbsence(t *testing.T) {
	for _, tc := range []struct {
		name, soa, host string
		want            time.Duration
	}{
		{"no such name", "com. 3600 SOA ns.com. admin.com. 1 1 1 1 40", "nobody.com", 40 * time.Second},
		{"no such record", "com. 20 SOA ns.com. admin.com. 1 1 1 1 40", "text.com", 20 * time.Second},
		{"nothing is said of how long", "", "nobody.com", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, &nameServer{soa: tc.soa, records: []string{`text.com. 60 TXT "x"`}})
			_, _, err := New(Config{Servers: []netip.AddrPort{s.addr}, HostsFile: noHosts(t), IPv6: true}).Resolve(t.Context(), tc.host)
			var absent *AbsentError
			if !errors.As(err, &absent) || absent.For != tc.want || absent.Host != tc.host {
				t.Errorf("error %v, want absence for %v", err, tc.want)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	t.Run("the second server answers", func(t *testing.T) {
		bad := serve(t, &nameServer{rcode: dns.RcodeServerFailure})
		good := serve(t, &nameServer{records: []string{"a.com. 60 A 10.0.0.1"}})
		got, _, err := New(Config{Servers: []netip.AddrPort{bad.addr, good.addr}, HostsFile: noHosts(t)}).Resolve(t.Context(), "a.com")
		if err != nil || len(got) != 1 || len(bad.questions()) != 1 {
			t.Errorf("got %v, %v after asking %v", got, err, bad.questions())
		}
	})
	t.Run("none answers well", func(t *testing.T) {
		bad := serve(t, &nameServer{rcode: dns.RcodeServerFailure})
		_, _, err := New(Config{Servers: []netip.AddrPort{bad.addr}, Attempts: 3, HostsFile: noHosts(t)}).Resolve(t.Context(), "a.com")
		var absent *AbsentError
		if err == nil || errors.As(err, &absent) {
			t.Errorf("error %v, want a failure that is no absence", err)
		}
		if n := len(bad.questions()); n != 3 {
			t.Errorf("asked %d times, want 3", n)
		}
	})
	t.Run("a silent server", func(t *testing.T) {
		silent := serve(t, &nameServer{silent: true})
		start := time.Now()
		_, _, err := New(Config{
			Servers: []netip.AddrPort{silent.addr}, Attempts: 1, Timeout: 50 * time.Millisecond, HostsFile: noHosts(t),
		}).Resolve(t.Context(), "a.com")
		if err == nil || time.Since(start) > 5*time.Second {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
	t.Run("given up by the caller", func(t *testing.T) {
		silent := serve(t, &nameServer{silent: true})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		start := time.Now()
		_, _, err := New(Config{Servers: []netip.AddrPort{silent.addr}, Timeout: time.Minute, HostsFile: noHosts(t)}).Resolve(ctx, "a.com")
		if !errors.Is(err, context.Canceled) || time.Since(start) > 10*time.Second {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
	t.Run("no servers", func(t *testing.T) {
		if _, _, err := New(Config{HostsFile: noHosts(t)}).Resolve(t.Context(), "a.com"); !errors.Is(err, ErrNoServers) {
			t.Errorf("error %v", err)
		}
	})
}

func TestTruncatedAnswersComeByStream(t *testing.T) {
	s := serve(t, &nameServer{cut: true, records: []string{"a.com. 60 A 10.0.0.1"}})
	got, _, err := New(Config{Servers: []netip.AddrPort{s.addr}, HostsFile: noHosts(t)}).Resolve(t.Context(), "a.com")
	if err != nil || len(got) != 1 || len(s.questions()) != 2 {
		t.Errorf("got %v, %v after asking %v", got, err, s.questions())
	}
}
