package resolver

import (
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// nameServer is a name server on loopback that answers from a list of records and notes what it was asked.
type nameServer struct {
	addr netip.AddrPort
	mu   sync.Mutex
	// records in the zone file's form; absent names get NXDOMAIN with soa, where it is set.
	records []string
	soa     string
	rcode   int  // answered instead, when not 0
	silent  bool // never answers
	cut     bool // truncates over UDP
	asked   []string
}

func serve(t *testing.T, s *nameServer) *nameServer {
	t.Helper()
	packets, stream := bindBoth(t)
	s.addr = packets.LocalAddr().(*net.UDPAddr).AddrPort()
	var done sync.WaitGroup
	t.Cleanup(done.Wait)
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: stream, Handler: s}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		done.Go(func() { _ = server.ActivateAndServe() })
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return s
}

// bindBoth binds a port that is free for UDP and TCP.
func bindBoth(t *testing.T) (net.PacketConn, net.Listener) {
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

func (s *nameServer) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := query.Question[0]
	s.asked = append(s.asked, dns.TypeToString[q.Qtype]+" "+q.Name)
	if s.silent {
		return
	}
	answer := new(dns.Msg).SetReply(query)
	if s.rcode != 0 {
		answer.Rcode = s.rcode
		_ = w.WriteMsg(answer)
		return
	}
	known := false
	for _, line := range s.records {
		record, err := dns.NewRR(line)
		if err != nil {
			panic(err)
		}
		if record.Header().Name != q.Name {
			continue
		}
		known = true
		if record.Header().Rrtype == q.Qtype || record.Header().Rrtype == dns.TypeCNAME {
			answer.Answer = append(answer.Answer, record)
		}
	}
	if !known {
		answer.Rcode = dns.RcodeNameError
	}
	if len(answer.Answer) == 0 && s.soa != "" {
		soa, err := dns.NewRR(s.soa)
		if err != nil {
			panic(err)
		}
		answer.Ns = []dns.RR{soa}
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp && s.cut {
		answer.Answer, answer.Truncated = nil, true
	}
	_ = w.WriteMsg(answer)
}

func (s *nameServer) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// noHosts is a hosts file that does not exist.
func noHosts(t *testing.T) string { return filepath.Join(t.TempDir(), "hosts") }
