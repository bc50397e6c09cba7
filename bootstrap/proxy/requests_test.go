package proxy

import (
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// The tests of this file are those of the reference's tests/direct.rs (spec/dataplane.md §13.9), here with a proxy at either
// end.

func TestRequests(t *testing.T) {
	for _, node := range []string{"", "local"} {
		t.Run("node="+node, func(t *testing.T) {
			w := newWorld(t)
			w.node = node
			serveEcho(t, w.tunneled)
			serveEcho(t, w.plain)
			w.start("tunneled", w.tunneled)
			client := w.start("source", w.source)
			for _, call := range []struct {
				name string
				host netip.Addr
				port uint16
				// log is what the line about it must have.
				log []string
			}{
				{"hbone", w.tunneled, echoPort, []string{`dst.hbone_addr=`, `src.identity="spiffe://cluster.local/ns/default/sa/default"`}},
				{"tcp", w.plain, echoPort, []string{`dst.workload="plain"`}},
				{"vip", w.vip, 80, []string{`dst.hbone_addr=` + w.tunneled.String() + ":8080", `dst.service="tunneled.test"`}},
			} {
				t.Run(call.name, func(t *testing.T) {
					already := len(client.log.String())
					conn := client.open(call.host.String(), call.port)
					roundTrip(t, conn, []byte("hello "+call.name))
					_ = conn.Close()
					eventually(t, "the access-log line", func() bool {
						return strings.Contains(client.log.String()[already:], "connection complete")
					})
					line := client.log.String()[already:]
					for _, want := range append(call.log, `direction="outbound"`, "bytes_sent=") {
						if !strings.Contains(line, want) {
							t.Errorf("the log lacks %s:\n%s", want, line)
						}
					}
				})
			}
			for _, want := range []string{"process_open_fds", "process_max_fds"} {
				if got := samples(client.metrics(), want); len(got) != 1 || got[0] == "0" {
					t.Errorf("%s: %q", want, got)
				}
			}
		})
	}
}

// nameServer answers every question for an address with one, and notes the names.
type nameServer struct {
	answer netip.Addr
	mu     sync.Mutex
	asked  map[string]int
}

func serveNames(t *testing.T, ip, answer netip.Addr) (*nameServer, netip.AddrPort) {
	t.Helper()
	s := &nameServer{answer: answer, asked: map[string]int{}}
	started := make(chan struct{})
	server := &dns.Server{
		Addr: netip.AddrPortFrom(ip, 10053).String(), Net: "udp", Handler: s, NotifyStartedFunc: func() { close(started) },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case <-started:
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-ended
	})
	return s, netip.AddrPortFrom(ip, 10053)
}

func (s *nameServer) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	q := query.Question[0]
	s.mu.Lock()
	s.asked[q.Name]++
	s.mu.Unlock()
	reply := new(dns.Msg).SetReply(query)
	if q.Qtype == dns.TypeA {
		reply.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: s.answer.AsSlice(),
		}}
	}
	_ = w.WriteMsg(reply) // the asker may have left
}

func (s *nameServer) count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

func TestHostNameBySOCKS5(t *testing.T) {
	w := newWorld(t)
	w.node = "local"
	serveEcho(t, w.tunneled)
	names, addr := serveNames(t, newIP(), w.tunneled)
	w.nameServer = addr
	w.start("tunneled", w.tunneled)
	client := w.start("source", w.source)
	roundTrip(t, client.open("somewhere.example", echoPort), []byte("by name"))
	if names.count("somewhere.example.") == 0 {
		t.Error("the name server was not asked")
	}
	if got := samples(client.metrics(), "istio_on_demand_dns_total"); len(got) != 0 {
		t.Errorf("a name that the application asked for counts as on-demand: %q", got)
	}
}

func TestOnDemandDNS(t *testing.T) {
	w := newWorld(t)
	serveEcho(t, w.plain)
	names, addr := serveNames(t, newIP(), w.plain)
	w.nameServer = addr
	client := w.start("source", w.source)
	for range 2 {
		roundTrip(t, client.open(w.dnsVIP.String(), 80), []byte("to a name"))
	}
	metrics := client.metrics()
	if got := samples(metrics, "istio_on_demand_dns_total"); len(got) != 1 || got[0] != "2" {
		t.Errorf("counted %q, want one series of 2", got)
	}
	if got := samples(metrics, "istio_on_demand_dns_total", `hostname="`+dnsHost+`"`, `source_workload_namespace="default"`,
		`source_principal="spiffe://cluster.local/ns/default/sa/default"`); len(got) != 1 {
		t.Errorf("the labels are others:\n%s", metrics)
	}
	if n := names.count(dnsHost + "."); n != 2 {
		t.Errorf("the name server was asked %d times, want once for each family: the cache must answer the second call", n)
	}
}
