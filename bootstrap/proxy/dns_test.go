package proxy

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/bootstrap/config"
)

// resolve asks a proxy's DNS server.
func resolve(t *testing.T, proto, server, name string, kind uint16) *dns.Msg {
	t.Helper()
	c := dns.Client{Net: proto, Timeout: 20 * time.Second}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(name, kind), server)
	if err != nil {
		t.Fatalf("%s %s: %v", proto, name, err)
	}
	return m
}

func TestDNSProxy(t *testing.T) {
	w := newWorld(t)
	names, addr := serveNames(t, w.source, netip.MustParseAddr("10.9.9.9"))
	w.nameServer = addr
	server := net.JoinHostPort(w.source.String(), strconv.Itoa(15053))
	r := w.start("source", w.source, "ISTIO_META_DNS_CAPTURE=true", "ISTIO_META_DNS_PROXY_ADDR="+server)
	if got := r.log.String(); !strings.Contains(got, `starting local DNS server`) || !strings.Contains(got, server) {
		t.Errorf("the log does not tell of the DNS proxy:\n%s", got)
	}
	for _, proto := range []string{"udp", "tcp"} {
		m := resolve(t, proto, server, "Tunneled.test.", dns.TypeA)
		if len(m.Answer) != 1 || m.Answer[0].(*dns.A).A.String() != w.vip.String() || !m.Authoritative {
			t.Errorf("a name of the mesh over %s: %s", proto, m)
		}
		if m = resolve(t, proto, server, "tunneled.test.", dns.TypeAAAA); len(m.Answer) != 0 || m.Rcode != dns.RcodeSuccess {
			t.Errorf("its IPv6 addresses over %s: %s", proto, m)
		}
		if m = resolve(t, proto, server, dnsHost+".", dns.TypeA); len(m.Answer) != 1 || m.Authoritative {
			t.Errorf("another name over %s: %s", proto, m)
		}
	}
	if n := names.count(dnsHost + "."); n != 1 {
		t.Errorf("the name server was asked %d times", n)
	}
	// SOCKS5 clients may name what the mesh knows.
	serveEcho(t, w.tunneled)
	w.start("tunneled", w.tunneled)
	conn := r.open("tunneled.test", 80)
	roundTrip(t, conn, []byte("by name"))
	_ = conn.Close()
	if got := samples(r.metrics(), "istio_dns_requests_total", `request_query_type="a"`, `request_protocol="udp"`); !slices.Equal(got, []string{"2"}) {
		t.Errorf("counted %q", got)
	}
	if err := <-r.end(); err != nil {
		t.Error(err)
	}
	if got := r.log.String(); !strings.Contains(got, "shutting down the DNS server") || !strings.Contains(got, "dns server drained") {
		t.Errorf("the log does not tell of the end:\n%s", got)
	}
	if l, err := net.Listen("tcp", server); err != nil {
		t.Errorf("the port is not free: %v", err)
	} else {
		_ = l.Close()
	}
}

func TestABusyDNSPortFailsTheStart(t *testing.T) {
	w := newWorld(t)
	taken, err := net.ListenPacket("udp", w.source.String()+":15053")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, err = Start(t.Context(), w.config("source", w.source, "ISTIO_META_DNS_CAPTURE=true", "ISTIO_META_DNS_PROXY_ADDR="+w.source.String()+":15053"),
		Options{Out: &output{}})
	if err == nil || !strings.Contains(err.Error(), "the DNS proxy") || !strings.Contains(err.Error(), "15053") {
		t.Errorf("error %v", err)
	}
}

func TestDNSCaptureSwitch(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "TRUE": true, "false": false, "yes": false} {
		c, err := config.Load([]string{"PROXY_MODE=dedicated", "PROXY_WORKLOAD_INFO=a/b/c", "ISTIO_META_DNS_CAPTURE=" + value}, []string{"proxy", "ztunnel"}, config.ThisHost())
		if err != nil || c.DNSProxy != want {
			t.Errorf("ISTIO_META_DNS_CAPTURE=%s: %v, %v", value, c, err)
		}
	}
}
